//! The names docker and podman for rc: symlinks in the user's `~/.local/bin`. Tools know no other names.

use std::path::{Path, PathBuf};

use crate::sys::fs;
use crate::sys::fs::AtPath as _;
use crate::types::{Dialect, Report, ReportKind};

/// Where the links are made, and where the shell looks for them.
#[derive(Debug)]
pub(crate) struct NamesSetup<'a> {
    /// The user's home.
    pub(crate) home: PathBuf,
    /// `PATH`.
    pub(crate) path: &'a str,
}

impl NamesSetup<'_> {
    /// Makes a link to this program for each name, and returns their paths. What is in the place of one and is no link
    /// to this program is left alone, and then no link is made.
    pub(crate) fn make(&self, names: &[Dialect]) -> Result<Vec<PathBuf>, Report> {
        let program = own_path()?;
        let links = self.links(names)?;
        let mut missing = Vec::new();
        for link in &links {
            if !is_own(link, &program)? {
                missing.push(link);
            }
        }
        fs::create_dir_all(self.directory()?)?;
        missing.into_iter().try_for_each(|link| fs::symlink(&program, link))?;
        Ok(links)
    }

    /// Removes the links to this program with these names, and returns the paths of those that were there. Anything
    /// else with such a name is left alone, and then no link is removed.
    pub(crate) fn remove(&self, names: &[Dialect]) -> Result<Vec<PathBuf>, Report> {
        let program = own_path()?;
        let mut removed = Vec::new();
        for link in self.links(names)? {
            if is_own(&link, &program)? {
                removed.push(link);
            }
        }
        removed.iter().try_for_each(fs::remove_file)?;
        Ok(removed)
    }

    /// Why a shell does not find rc by this name although the link is there.
    pub(crate) fn hidden(&self, name: Dialect) -> Option<String> {
        let directory = self.directory().ok()?;
        let name = name.program();
        for place in std::env::split_paths(self.path) {
            if place == directory {
                return None;
            }
            let other = place.join(name);
            if fs::metadata(&other).is_ok_and(|found| found.is_file()) {
                return Some(format!(
                    "`{name}` is still {}: put {} before {} in PATH",
                    other.display(),
                    directory.display(),
                    place.display()
                ));
            }
        }
        Some(format!("{} is not in PATH, so that no shell finds `{name}` there", directory.display()))
    }

    /// `~/.local/bin`. Fails without a home.
    fn directory(&self) -> Result<PathBuf, Report> {
        if !self.home.is_absolute() {
            return Err(Report::new(ReportKind::Invalid, "HOME is not set to an absolute path".to_owned()));
        }
        Ok(self.home.join(".local/bin"))
    }

    fn links(&self, names: &[Dialect]) -> Result<Vec<PathBuf>, Report> {
        let directory = self.directory()?;
        Ok(names.iter().map(|name| directory.join(name.program())).collect())
    }
}

fn own_path() -> Result<PathBuf, Report> {
    Ok(std::env::current_exe().at("find", "rc")?)
}

/// Whether the path is a link to this program; false if nothing is there. Fails if something else is.
fn is_own(link: &Path, program: &Path) -> Result<bool, Report> {
    let found = match fs::read_link(link) {
        Ok(target) => Some(target),
        Err(error) if error.is_not_found() => return Ok(false),
        Err(_) => None,
    };
    if found.as_deref() == Some(program) {
        return Ok(true);
    }
    let leads = found.map(|target| format!(" a link to {}", target.display())).unwrap_or_default();
    let message = format!("{} is not rc's:{leads}", link.display());
    let message = message.trim_end_matches(':').to_owned();
    Err(Report::new(ReportKind::Conflict, message).with_hint("move it away, or choose the other name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Dialect; 2] = [Dialect::Docker, Dialect::Podman];

    #[test]
    fn names_are_made_again_and_removed_and_nothing_foreign_is_touched() {
        let home = tempfile::tempdir().expect("a directory");
        let setup = NamesSetup { home: home.path().to_owned(), path: "" };
        let bin = home.path().join(".local/bin");
        assert_eq!(setup.make(&[Dialect::Podman]).expect("a link"), [bin.join("podman")]);
        assert_eq!(setup.make(&BOTH).expect("links"), [bin.join("docker"), bin.join("podman")]);
        let program = std::env::current_exe().expect("a path");
        assert_eq!(fs::read_link(bin.join("docker")).expect("a link"), program);
        assert_eq!(setup.remove(&[Dialect::Docker]).expect("it is removed"), [bin.join("docker")]);
        assert_eq!(setup.remove(&[Dialect::Docker]).expect("nothing is there"), Vec::<PathBuf>::new());

        fs::write(bin.join("docker"), "#!/bin/sh\n").expect("a file");
        let error = setup.make(&BOTH).expect_err("it is not rc's");
        assert_eq!(error.message, format!("{}/docker is not rc's", bin.display()));
        assert!(setup.remove(&BOTH).is_err());
        assert!(fs::read_link(bin.join("podman")).is_ok(), "the other one was removed");

        fs::remove_file(bin.join("docker")).expect("it is removed");
        fs::symlink("/usr/bin/docker", bin.join("docker")).expect("a link");
        let error = setup.make(&BOTH).expect_err("it is not rc's");
        assert_eq!(error.message, format!("{}/docker is not rc's: a link to /usr/bin/docker", bin.display()));
    }

    #[test]
    fn what_hides_a_name_is_said() {
        let home = tempfile::tempdir().expect("a directory");
        let (bin, other) = (home.path().join(".local/bin"), home.path().join("other"));
        fs::create_dir_all(&bin).expect("a directory");
        fs::create_dir_all(&other).expect("a directory");
        let hidden = |path: String| {
            let setup = NamesSetup { home: home.path().to_owned(), path: &path };
            setup.hidden(Dialect::Docker)
        };
        let (bin, other) = (bin.display(), other.display());
        assert_eq!(hidden(format!("{other}:{bin}")), None);
        let absent = hidden(other.to_string()).expect("it is not found");
        assert!(absent.contains("is not in PATH"), "{absent}");
        fs::write(format!("{other}/docker"), "").expect("a file");
        assert_eq!(hidden(format!("{bin}:{other}")), None);
        let message = hidden(format!("{other}:{bin}")).expect("another one is first");
        assert!(message.contains("`docker` is still") && message.contains("in PATH"), "{message}");
    }
}
