//! Profiles of `--security-opt seccomp=FILE`, in docker's and podman's format, translated to the runtime spec. Source:
//! github.com/moby/profiles, `seccomp.go`; containers/common, `pkg/seccomp`.
//!
//! Conditions on the container's capabilities, the architecture or the kernel are decided here: the spec cannot express
//! them.

use std::str::FromStr as _;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompBuilder, LinuxSyscall, LinuxSyscallBuilder,
};
use serde::Deserialize;

use super::TextFile;
use crate::types::{Invalid, json};

/// A profile's document. Informative fields are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: LinuxSeccompAction,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    arch_map: Vec<Architecture>,
    #[serde(default)]
    syscalls: Vec<Entry>,
}

/// An architecture, and those whose calls it can make as well.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Architecture {
    architecture: String,
    #[serde(default)]
    sub_architectures: Vec<String>,
}

/// A rule.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    names: Vec<String>,
    /// The form of older profiles.
    #[serde(default)]
    name: Option<String>,
    action: LinuxSeccompAction,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<LinuxSeccompArg>>,
    #[serde(default)]
    includes: Condition,
    #[serde(default)]
    excludes: Condition,
}

/// When a rule applies.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    #[serde(default)]
    min_kernel: Option<String>,
}

/// What a profile's conditions are compared with.
#[derive(Debug)]
pub(super) struct Conditions<'a> {
    /// The container's capabilities, as `CAP_CHOWN`.
    pub(super) capabilities: &'a [String],
    /// The kernel's version.
    pub(super) kernel: (u32, u32),
}

/// Reads a profile. Fails if it is not a profile; whether it can be compiled is not checked here.
pub(super) fn profile(file: &TextFile, conditions: &Conditions<'_>) -> Result<LinuxSeccomp, Invalid> {
    let invalid = |reason: String| Invalid::new("seccomp profile", &*file.path, reason);
    let profile: Profile = json::from_str(&file.text).map_err(|error| invalid(error.to_string()))?;
    let kinds = profile.architectures.iter().map(String::as_str);
    let mapped = profile.arch_map.iter().filter(|map| map.architecture == native());
    let mapped = mapped.flat_map(|map| std::iter::once(&map.architecture).chain(&map.sub_architectures));
    // The names of other architectures do not matter here.
    let architectures: Vec<Arch> =
        kinds.chain(mapped.map(String::as_str)).filter_map(|name| Arch::from_str(name).ok()).collect();
    let counts = |entry: &&Entry| entry.includes.all_hold(conditions) && !entry.excludes.any_holds(conditions);
    let syscalls = profile.syscalls.iter().filter(counts).map(Entry::complete).collect::<Result<Vec<_>, _>>();
    let mut complete = LinuxSeccompBuilder::default()
        .default_action(profile.default_action)
        .architectures(architectures)
        .syscalls(syscalls.map_err(|error| invalid(error.to_string()))?)
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    complete.set_default_errno_ret(profile.default_errno_ret);
    Ok(complete)
}

impl Entry {
    fn complete(&self) -> Result<LinuxSyscall, oci_spec::OciSpecError> {
        let names: Vec<String> = self.names.iter().chain(&self.name).cloned().collect();
        let mut syscall = LinuxSyscallBuilder::default().names(names).action(self.action).build()?;
        syscall.set_errno_ret(self.errno_ret).set_args(self.args.clone().filter(|args| !args.is_empty()));
        Ok(syscall)
    }
}

impl Condition {
    /// Whether every condition holds.
    fn all_hold(&self, conditions: &Conditions<'_>) -> bool {
        self.caps.iter().all(|capability| conditions.capabilities.contains(capability))
            && (self.arches.is_empty() || self.arches.iter().any(|arch| is_native(arch)))
            && self.min_kernel.as_deref().is_none_or(|least| conditions.has_kernel(least))
    }

    /// Whether any condition holds.
    fn any_holds(&self, conditions: &Conditions<'_>) -> bool {
        self.caps.iter().any(|capability| conditions.capabilities.contains(capability))
            || self.arches.iter().any(|arch| is_native(arch))
            || self.min_kernel.as_deref().is_some_and(|least| conditions.has_kernel(least))
    }
}

impl Conditions<'_> {
    /// Whether the kernel is at least `MAJOR.MINOR`.
    fn has_kernel(&self, least: &str) -> bool {
        let (major, minor) = least.split_once('.').unwrap_or((least, "0"));
        major.parse().ok().zip(minor.parse().ok()).is_some_and(|least: (u32, u32)| self.kernel >= least)
    }
}

/// libseccomp's name for the host's architecture.
fn native() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "SCMP_ARCH_X86_64",
        "aarch64" => "SCMP_ARCH_AARCH64",
        other => other,
    }
}

/// Whether an entry of `arches`, by Go's name or the kernel's, is the host's architecture.
fn is_native(arch: &str) -> bool {
    match std::env::consts::ARCH {
        "x86_64" => matches!(arch, "amd64" | "x86_64"),
        "aarch64" => matches!(arch, "arm64" | "aarch64"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, capabilities: &[&str]) -> Result<LinuxSeccomp, String> {
        let file = TextFile { path: "profile.json".to_owned(), text: text.to_owned() };
        let capabilities: Vec<String> = capabilities.iter().map(|&name| name.to_owned()).collect();
        profile(&file, &Conditions { capabilities: &capabilities, kernel: (6, 1) }).map_err(|error| error.to_string())
    }

    /// The names of the system calls that have a rule.
    fn named(text: &str, capabilities: &[&str]) -> Vec<String> {
        let profile = read(text, capabilities).unwrap();
        profile.syscalls().iter().flatten().flat_map(LinuxSyscall::names).cloned().collect()
    }

    #[test]
    fn rules_count_as_their_conditions_say() {
        let text = r#"{
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
            "archMap": [
                { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
                { "architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"] }
            ],
            "syscalls": [
                { "names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "comment": "",
                  "includes": {}, "excludes": {} },
                { "name": "close", "action": "SCMP_ACT_ALLOW", "args": null },
                { "names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_BPF"] } },
                { "names": ["chroot"], "action": "SCMP_ACT_ERRNO", "excludes": { "caps": ["CAP_SYS_CHROOT"] } },
                { "names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": { "minKernel": "4.8" } },
                { "names": ["new"], "action": "SCMP_ACT_ALLOW", "includes": { "minKernel": "7.0" } },
                { "names": ["s390"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["s390x"] } },
                { "names": ["ours"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["amd64", "arm64"] } }
            ]
        }"#;
        assert_eq!(named(text, &[]), ["read", "write", "close", "chroot", "ptrace", "ours"]);
        assert_eq!(named(text, &["CAP_BPF", "CAP_SYS_CHROOT"]), ["read", "write", "close", "bpf", "ptrace", "ours"]);
        let profile = read(text, &[]).unwrap();
        assert_eq!(profile.default_errno_ret(), Some(38));
        assert!(profile.architectures().as_ref().is_some_and(|kinds| kinds.len() >= 2));
    }

    #[test]
    fn what_is_no_profile_is_refused() {
        for text in ["", "[]", "{}", r#"{"defaultAction":"SCMP_ACT_MAYBE"}"#, r#"{"defaultAction":"allow"}"#] {
            assert!(read(text, &[]).is_err_and(|error| error.contains("`profile.json`")), "{text}");
        }
    }
}
