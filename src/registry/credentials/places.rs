use std::env;
use std::path::{Path, PathBuf};

/// The places of auth files and certificates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// `$REGISTRY_AUTH_FILE`.
    pub(crate) registry_auth_file: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`.
    pub(crate) runtime_dir: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`, else `~/.config`.
    pub(crate) config_home: Option<PathBuf>,
    /// `$DOCKER_CONFIG`, else `~/.docker`.
    pub(crate) docker_config: Option<PathBuf>,
    /// `$CONTAINERS_REGISTRIES_CONF`.
    pub(crate) registries_conf: Option<PathBuf>,
    /// Where signatures are if nothing else is configured: `~/.local/share/containers/sigstore`, of root
    /// `/var/lib/containers/sigstore`.
    pub(crate) signatures: Option<PathBuf>,
    /// `/etc`.
    pub(crate) etc: PathBuf,
}

impl Places {
    /// The places according to this process' environment.
    pub(crate) fn from_env() -> Self {
        let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME");
        Self {
            registry_auth_file: path("REGISTRY_AUTH_FILE"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            config_home: path("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config"))),
            docker_config: path("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker"))),
            registries_conf: path("CONTAINERS_REGISTRIES_CONF"),
            signatures: if rustix::process::geteuid().is_root() {
                Some(PathBuf::from("/var/lib/containers/sigstore"))
            } else {
                home.as_ref().map(|home| home.join(".local/share/containers/sigstore"))
            },
            etc: PathBuf::from("/etc"),
        }
    }

    /// The auth files in podman's order; a file that was named (by option or variable) is the only one.
    /// Source: containers-auth.json(5).
    pub(super) fn auth_files(&self, named: Option<&Path>) -> Vec<PathBuf> {
        if let Some(named) = named.or(self.registry_auth_file.as_deref()) {
            return vec![named.to_owned()];
        }
        [
            self.runtime_dir.as_ref().map(|dir| dir.join("containers/auth.json")),
            self.config_home.as_ref().map(|dir| dir.join("containers/auth.json")),
            self.docker_file(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The auth file that `login` writes: the named one, else the first of podman's.
    pub(super) fn auth_file_to_write(&self, named: Option<&Path>) -> Option<PathBuf> {
        if let Some(named) = named.or(self.registry_auth_file.as_deref()) {
            return Some(named.to_owned());
        }
        Some(self.runtime_dir.as_ref().or(self.config_home.as_ref())?.join("containers/auth.json"))
    }

    /// Docker's own file.
    pub(super) fn docker_file(&self) -> Option<PathBuf> {
        self.docker_config.as_ref().map(|dir| dir.join("config.json"))
    }

    /// The configuration of registries: the user's file, or else the system's, and then the files of the directories.
    /// A file that the variable names is the only one beside those. Source: containers-registries.conf(5).
    pub(crate) fn registries(&self) -> (Option<PathBuf>, Vec<PathBuf>) {
        let system = self.etc.join("containers");
        let user = self.config_home.as_ref().map(|home| home.join("containers"));
        let main = self.registries_conf.clone().or_else(|| {
            let own = user.as_ref().map(|user| user.join("registries.conf"));
            own.filter(|own| own.exists()).or_else(|| Some(system.join("registries.conf")))
        });
        let directories = std::iter::once(system).chain(user).map(|path| path.join("registries.conf.d")).collect();
        (main, directories)
    }

    /// The files with a policy for images: the user's, and the host's. Source: containers-policy.json(5).
    pub(crate) fn policies(&self) -> (Option<PathBuf>, PathBuf) {
        let own = self.config_home.as_ref().map(|home| home.join("containers/policy.json"));
        (own, self.etc.join("containers/policy.json"))
    }

    /// The directory with files that say where signatures are: the user's, or else the host's. Source:
    /// containers-registries.d(5).
    pub(crate) fn registries_d(&self) -> PathBuf {
        let own = self.config_home.as_ref().map(|home| home.join("containers/registries.d"));
        own.filter(|own| own.exists()).unwrap_or_else(|| self.etc.join("containers/registries.d"))
    }

    /// The directories with a directory of certificates for each host, in podman's order. Source:
    /// containers-certs.d(5).
    pub(crate) fn certs_d(&self) -> Vec<PathBuf> {
        let home = self.config_home.as_ref().map(|dir| dir.join("containers/certs.d"));
        home.into_iter().chain(["containers/certs.d", "docker/certs.d"].map(|dir| self.etc.join(dir))).collect()
    }
}
