//! Options of docker's and podman's that rc does not have: why, or what does the same.

/// The options, without those of commands that rc does not have. A reason fits wherever the option is.
const REASONS: &[(&str, &str)] = &[
    ("--all-platforms", "name each: `--platform A,B`"),
    ("--append", "the builder has one node: this host"),
    ("--attachable", "leave it out: rc has no swarm, and containers can join every network"),
    ("--attest", "rc makes no attestations"),
    ("--build-cache", "use `rc builder prune`"),
    ("--buildkitd-config", "rc reads no configuration of BuildKit: registries are in registries.conf(5)"),
    ("--cgroup-manager", "rc finds out itself whether a service manager or the cgroup it is in can limit a container"),
    ("--compat-volumes", "what a step writes into a VOLUME stays, as with docker"),
    ("--config-from", "rc keeps no configurations for networks of several hosts: name the options themselves"),
    ("--config-only", "rc keeps no configurations for networks of several hosts: create the network itself"),
    ("--conmon", "rc is its own monitor"),
    ("--connection", "rc works on this host alone"),
    ("--cw", "rc makes no images for confidential computing"),
    ("--decryption-key", "rc does not decrypt images: decrypt one with `skopeo copy --decryption-key`"),
    ("--device-cgroup-rule", "only root may change which devices a cgroup can use"),
    ("--driver-opt", "rc's endpoints have no options: `network create --opt` has those of a network"),
    ("--encrypt-layer", "rc does not encrypt images: encrypt one with `skopeo copy --encryption-key`"),
    ("--encryption-key", "rc does not encrypt images: encrypt one with `skopeo copy --encryption-key`"),
    ("--gpus", "pass each device with `--device`"),
    ("--gw-priority", "the default route is by the first network that has a way out"),
    ("--hooks-dir", "rc runs no programs of others at a start"),
    ("--host", "rc has no daemon that could be elsewhere"),
    ("--identity", "rc works on this host alone"),
    ("--imagestore", "rc has one store, with the files of images beneath those of containers: choose it with `--root`"),
    ("--infra-command", "rc has no infra container: a pod needs no program"),
    ("--infra-image", "rc has no infra container: a pod needs no image"),
    ("--ingress", "rc has no swarm whose ports a network could route: `--publish` does that for a container"),
    ("--ipam-opt", "rc gives addresses itself: see `--subnet`, `--ip-range` and `--aux-address`"),
    ("--kernel-memory", "the kernel does not have that limit any more"),
    ("--leave", "the builder has one node: this host"),
    ("--link-local-ip", "only IPv6 has link-local addresses, which the kernel gives"),
    ("--module", "name a file with RC_CONFIG"),
    ("--namespace", "each user has one store: choose it with `--root`"),
    ("--network-cmd-path", "name the program in rc.toml, `[helpers]`"),
    ("--network-config-dir", "networks are in the store"),
    ("--node", "the builder has one node: this host"),
    ("--noout", "write `>/dev/null`"),
    ("--os-feature", "rc builds for Linux"),
    ("--os-version", "rc builds for Linux"),
    ("--out", "write `>FILE`"),
    ("--policy", "rc reads no policies of builds"),
    ("--rdt-class", "only root may use the kernel's resctrl"),
    ("--remote", "rc works on this host alone"),
    ("--resource", "limit each step: `--memory`, `--cpus`"),
    ("--runtime", "rc starts containers itself"),
    ("--runtime-flag", "rc starts containers itself"),
    ("--sbom-image-output", "rc makes no lists of software: scan the image afterwards"),
    ("--sbom-image-purl-output", "rc makes no lists of software: scan the image afterwards"),
    ("--sbom-merge-strategy", "rc makes no lists of software: scan the image afterwards"),
    ("--sbom-output", "rc makes no lists of software: scan the image afterwards"),
    ("--sbom-purl-output", "rc makes no lists of software: scan the image afterwards"),
    ("--sbom-scanner-command", "rc makes no lists of software: scan the image afterwards"),
    ("--sbom-scanner-image", "rc makes no lists of software: scan the image afterwards"),
    ("--scope", "rc works on this host alone: each network is `local`"),
    ("--sign-by", "sign what is pushed: `rc push --sign-by KEY`"),
    ("--sign-by-sigstore", "rc signs by gpg alone: sign the image with `cosign sign`"),
    ("--sign-by-sigstore-private-key", "rc signs by gpg alone: sign the image with `cosign sign --key`"),
    ("--sign-by-sq-fingerprint", "rc signs by gpg alone: sign the image with `skopeo copy --sign-by-sq-fingerprint`"),
    ("--ssh", "rc works on this host alone"),
    ("--storage-opt", "nobody but root can limit the size of a root filesystem"),
    ("--syslog", "rc's messages go to standard error: pipe them to logger(1)"),
    ("--tls", "rc has no daemon"),
    ("--tlscacert", "rc has no daemon"),
    ("--tlscert", "rc has no daemon"),
    ("--tlskey", "rc has no daemon"),
    ("--tlsverify", "rc has no daemon"),
    ("--tmpdir", "use `--runroot`, or TMPDIR"),
    ("--trace", "rc has no such messages"),
    ("--transient-store", "a reboot ends `--rm` containers anyway; for all of a store: `--root` on a tmpfs"),
    ("--tree", "rc has one platform of an image; `rc image tree IMAGE` shows its layers"),
    ("--url", "rc works on this host alone"),
    ("--userns-gid-map", "rc builds with the IDs of its root namespace"),
    ("--userns-gid-map-group", "rc builds with the IDs of its root namespace"),
    ("--userns-uid-map", "rc builds with the IDs of its root namespace"),
    ("--userns-uid-map-user", "rc builds with the IDs of its root namespace"),
    ("--volume-driver", "rc has no plugins: all volumes are local"),
    ("--volumepath", "volumes are in the store: choose it with `--root`"),
];

/// Why rc does not have an option, or what does the same; `None` for any other.
pub(super) fn reason(option: &str) -> Option<&'static str> {
    let at = REASONS.binary_search_by(|(name, _)| (*name).cmp(option)).ok()?;
    Some(REASONS[at].1)
}

/// Commands of docker's and podman's that rc does not have, and will not. The first words decide.
const COMMANDS: &[(&str, &str)] = &[
    ("buildx bake", "build each target: `rc build`"),
    ("buildx debug", "`rc build --on-error=shell` opens a shell in a step that fails"),
    ("buildx dial-stdio", "rc has no daemon"),
    ("buildx history", "`rc build --metadata-file FILE` writes what a build has done"),
    ("buildx policy", "rc reads no policies of builds"),
    ("checkpoint", "only root may checkpoint a process (CRIU)"),
    ("container clone", "create another: `rc inspect CONTAINER` has its CreateCommand; `rc pod clone` copies a pod"),
    ("container checkpoint", "only root may checkpoint a process (CRIU)"),
    ("container restore", "only root may restore a process (CRIU)"),
    ("context", "rc has no daemon that could be elsewhere"),
    ("farm", "rc works on this host alone"),
    ("image scp", "pipe it: `rc save IMAGE | ssh HOST rc load`"),
    ("image sign", "`rc push --sign-by KEY` signs an image that it pushes"),
    ("machine", "rc needs no virtual machine"),
    ("node", "rc works on this host alone"),
    ("plugin", "rc has no plugins"),
    ("service", "rc works on this host alone"),
    ("stack", "rc works on this host alone"),
    ("swarm", "rc works on this host alone"),
    ("system connection", "rc works on this host alone"),
    ("trust", "`rc image trust` says which images may be pulled"),
];

/// Why rc does not have a command, which is named by its words.
pub(super) fn command_reason(words: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(name, _)| *name == words).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        assert!(REASONS.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(reason("--runtime"), Some("rc starts containers itself"));
        assert_eq!(reason("--runtimes"), None);
    }
}
