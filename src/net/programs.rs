//! Where the helper programs are: a configured path, else a fixed list of folders, never `$PATH` (safety.md, X17).

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::{Error, Kind};

/// Folders that only root writes to, in the order of distributions' habits.
const FOLDERS: [&str; 7] = [
    "/usr/bin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/libexec/podman",
    "/usr/local/libexec/podman",
    "/usr/lib/podman",
    "/usr/local/lib/podman",
];

/// Paths of helper programs that `rc.toml` sets; `None`: found in the fixed folders.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    /// slirp4netns.
    pub slirp4netns: Option<PathBuf>,
    /// pasta.
    pub pasta: Option<PathBuf>,
}

impl Programs {
    /// The absolute path of a driver's helper; `None` for a driver that has none.
    ///
    /// Fails with `NoProgram` if it is not there or not executable.
    pub fn find(&self, kind: Kind) -> Result<Option<PathBuf>, Error> {
        let (configured, name, package) = match kind {
            Kind::None | Kind::Host => return Ok(None),
            Kind::Slirp4netns => (&self.slirp4netns, "slirp4netns", "slirp4netns"),
            Kind::Pasta => (&self.pasta, "pasta", "passt"),
        };
        let found = match configured {
            Some(path) => Some(path.clone()).filter(|path| path.is_absolute() && is_executable(path)),
            None => FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| is_executable(path)),
        };
        found.map(Some).ok_or_else(|| Error::NoProgram {
            driver: kind.as_str(),
            program: configured.as_ref().map_or_else(|| name.to_owned(), |path| path.display().to_string()),
            package,
        })
    }
}

fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok() && path.is_file()
}

/// The driver of a container that asked for none: slirp4netns, which is ready in a fifth of pasta's time; pasta where only
/// that is installed. With neither it is slirp4netns, whose `validate` then says what to install.
pub fn choose_default(programs: &Programs) -> Kind {
    match (programs.find(Kind::Slirp4netns), programs.find(Kind::Pasta)) {
        (Err(_), Ok(_)) => Kind::Pasta,
        _ => Kind::Slirp4netns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_falls_to_the_helper_that_is_there() {
        let (there, missing) = (Some(PathBuf::from("/bin/sh")), Some(PathBuf::from("/nowhere/at/all")));
        let programs = |slirp4netns: &Option<PathBuf>, pasta: &Option<PathBuf>| Programs {
            slirp4netns: slirp4netns.clone(),
            pasta: pasta.clone(),
        };
        assert_eq!(choose_default(&programs(&there, &there)), Kind::Slirp4netns);
        assert_eq!(choose_default(&programs(&there, &missing)), Kind::Slirp4netns);
        assert_eq!(choose_default(&programs(&missing, &there)), Kind::Pasta);
        assert_eq!(choose_default(&programs(&missing, &missing)), Kind::Slirp4netns);
    }

    #[test]
    fn a_missing_helper_names_the_package() {
        let programs = Programs { slirp4netns: None, pasta: Some("/nowhere/at/all".into()) };
        let error = programs.find(Kind::Pasta).expect_err("missing");
        assert_eq!(error.to_string(), "network `pasta`: there is no program `/nowhere/at/all`");
        assert!(error.hint().expect("hint").contains("`passt`"));
    }
}
