//! A repository: what a name in it means, and the files of a commit.
//!
//! ```text
//! ls-remote      the commit that a branch or tag is now; a whole commit ID needs no question
//! fetch          that commit alone, into the bare repository of the cache, unless it is there
//! read-tree -u   its files, without `.git`; with it, or with submodules: a repository of its own
//! ```

use std::path::{Path, PathBuf};

use super::place::{place_of, without_user};
use super::program::Git;
use super::{Fetcher, real_directory};
use crate::build::git::{GitUrl, Reference};
use crate::registry::{NamedBy, block_on, check_host};
use crate::storage::FetchedPart;
use crate::sys::fs;
use crate::sys::lock::FileLock;
use crate::types::{Report, ReportKind};
use crate::userns;

/// What a URL of a repository means now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Commit {
    id: String,
    /// The name in the repository that leads to it.
    name: Option<String>,
}

impl Commit {
    /// Its ID.
    pub(in crate::engine) fn id(&self) -> &str {
        &self.id
    }
}

/// A repository.
pub(in crate::engine) struct Repository<'a> {
    fetcher: &'a Fetcher<'a>,
    url: &'a GitUrl,
    git: Git,
    /// The bare repository of the cache.
    bare: PathBuf,
    _lock: FileLock,
}

impl<'a> Fetcher<'a> {
    /// A repository, which no other process fetches from meanwhile. Fails if it may not be fetched from.
    pub(in crate::engine) fn repository(&'a self, url: &'a GitUrl) -> Result<Repository<'a>, Report> {
        let place = place_of(&url.remote);
        if self.named_by() == NamedBy::Dockerfile {
            let Some(place) = &place else {
                let message = format!("`{}` does not say clearly which host it is on", url.remote.escape_debug());
                return Err(Report::new(ReportKind::Denied, message).with_hint("write it as https://HOST/PATH.git"));
            };
            let host = place.host.clone();
            let checked = || block_on(check_host(&host)).and_then(|checked| checked);
            userns::inside(self.home, "rc: fetch", checked)?;
            if url.submodules == Some(true) {
                let message = "submodules may be anywhere, and a Dockerfile cannot ask for them alone";
                let report = Report::new(ReportKind::Denied, message);
                return Err(report.with_hint("if you trust it: `--allow network.host`"));
            }
        }
        let git = Git::new(self, place.as_ref(), &url.remote)?;
        let (kept, lock) = self.store.fetched(FetchedPart::Git, &url.remote, &without_user(&url.remote))?;
        let bare = kept.join("bare");
        if fs::metadata(bare.join("HEAD")).is_err() {
            git.run(None, &["init", "-q", "--bare", "--template=", "--", &text(&bare)?])?;
        }
        Ok(Repository { fetcher: self, url, git, bare, _lock: lock })
    }
}

impl Repository<'_> {
    /// The commit that the URL names now.
    pub(in crate::engine) fn commit(&self) -> Result<Commit, Report> {
        let (found, tag) = self.find()?;
        if let Some(expected) = &self.url.checksum {
            let is_expected = |id: &str| id.starts_with(expected.as_str());
            if !is_expected(&found.id) && !tag.as_deref().is_some_and(is_expected) {
                let message = format!("`{}` is at the commit {}, not {expected}", self.url.remote, found.id);
                return Err(Report::new(ReportKind::Damaged, message));
            }
        }
        Ok(found)
    }

    /// The commit, and the object of its tag.
    fn find(&self) -> Result<(Commit, Option<String>), Report> {
        let (name, prefixes): (&str, &[&str]) = match &self.url.reference {
            None => ("HEAD", &[""]),
            Some(Reference::Commit(id) | Reference::Any(id)) if is_whole(id) => {
                return Ok((Commit { id: id.to_ascii_lowercase(), name: None }, None));
            }
            Some(Reference::Commit(id)) => return self.abbreviated(id).map(|commit| (commit, None)),
            Some(Reference::Tag(name)) => (name, &["refs/tags/"]),
            Some(Reference::Branch(name)) => (name, &["refs/heads/"]),
            // As `git checkout`, which prefers branches.
            Some(Reference::Any(name)) if name.starts_with("refs/") => (name, &[""]),
            Some(Reference::Any(name)) => (name, &["refs/heads/", "refs/tags/"]),
        };
        let names: Vec<String> = prefixes.iter().map(|prefix| format!("{prefix}{name}")).collect();
        let mut words = vec!["ls-remote", "--", &self.url.remote];
        let peeled: Vec<String> = names.iter().map(|name| format!("{name}^{{}}")).collect();
        words.extend(names.iter().chain(&peeled).map(String::as_str));
        let said = self.git.run(None, &words)?;
        let listed: Vec<(&str, &str)> = said.lines().filter_map(|line| line.split_once('\t')).collect();
        let id = |name: &str| {
            let found = listed.iter().find(|(_, other)| *other == name)?.0;
            is_whole(found).then(|| found.to_owned())
        };
        for (name, peeled) in names.iter().zip(&peeled) {
            if let Some(object) = id(name) {
                let commit = id(peeled).unwrap_or_else(|| object.clone());
                return Ok((Commit { id: commit, name: Some(name.clone()) }, Some(object)));
            }
        }
        if matches!(&self.url.reference, Some(Reference::Any(name)) if is_abbreviated(name)) {
            return self.abbreviated(name).map(|commit| (commit, None));
        }
        let message = format!("`{}` has no branch, tag or commit `{name}`", self.url.remote);
        Err(Report::new(ReportKind::Invalid, message))
    }

    /// The commit that some digits begin: only all branches and tags together tell.
    fn abbreviated(&self, digits: &str) -> Result<Commit, Report> {
        let wanted = format!("{digits}^{{commit}}");
        let look = || self.git.try_run(Some(&self.bare), &["rev-parse", "--verify", "-q", &wanted]);
        let found = match look()? {
            Ok(found) => Ok(found),
            Err(_) => {
                self.fetch_all()?;
                look()?
            }
        };
        let found = found.map_err(|_| {
            let message = format!("`{}` has no branch, tag or commit `{digits}`", self.url.remote);
            Report::new(ReportKind::Invalid, message)
        })?;
        Ok(Commit { id: found.trim().to_owned(), name: None })
    }

    fn fetch_all(&self) -> Result<(), Report> {
        let mut words = vec!["fetch", "-q", "--no-recurse-submodules"];
        if fs::metadata(self.bare.join("shallow")).is_ok() {
            words.push("--unshallow");
        }
        words.extend(["--", &self.url.remote, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]);
        self.git.run(Some(&self.bare), &words).map(drop)
    }

    fn has(&self, id: &str) -> Result<bool, Report> {
        let words = ["rev-parse", "--verify", "-q", &format!("{id}^{{commit}}")];
        Ok(self.git.try_run(Some(&self.bare), &words)?.is_ok())
    }

    /// Fetches a commit, unless it is here.
    fn fetch(&self, commit: &Commit) -> Result<(), Report> {
        if self.has(&commit.id)? {
            return Ok(());
        }
        let one = |name: &str| {
            let words =
                ["fetch", "-q", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", &self.url.remote, name];
            self.git.try_run(Some(&self.bare), &words)
        };
        // Some servers give a commit only by its name.
        for wanted in [Some(&commit.id), commit.name.as_ref()].into_iter().flatten() {
            if one(wanted)?.is_ok() && self.has(&commit.id)? {
                return Ok(());
            }
        }
        self.fetch_all()?;
        if self.has(&commit.id)? {
            return Ok(());
        }
        let message = format!("`{}` has no commit {}", self.url.remote, commit.id);
        Err(Report::new(ReportKind::Invalid, message))
    }

    /// Puts the files of a commit into `directory`, which is made, and returns that of the URL's subdirectory.
    pub(in crate::engine) fn check_out(
        &self,
        commit: &Commit,
        keep: bool,
        directory: &Path,
    ) -> Result<PathBuf, Report> {
        self.fetch(commit)?;
        let into = text(directory)?;
        let has_submodules = self.url.submodules == Some(true);
        if keep || has_submodules {
            self.replicate(commit, directory, &into, has_submodules)?;
            if !keep {
                forget_git(directory)?;
            }
        } else {
            fs::create_dir(directory)?;
            rustix::fs::chmod(directory, rustix::fs::Mode::from_raw_mode(0o755))
                .map_err(|error| fs::PathError::new("set the mode of", directory, std::io::Error::from(error)))?;
            let index = directory.with_extension("index");
            let git = self.git.with_variable("GIT_INDEX_FILE", &index)?;
            let bare = format!("--git-dir={}", text(&self.bare)?);
            let words = [&bare, &format!("--work-tree={into}"), "read-tree", "--reset", "-u", &commit.id];
            git.run(None, &words)?;
            drop(fs::remove_file(&index));
        }
        let Some(inner) = &self.url.subdir else { return Ok(directory.to_owned()) };
        real_directory(directory, inner).map_err(|_| {
            let message = format!("`{inner}` is no directory of `{}`, or a link", self.url.remote);
            Report::new(ReportKind::Invalid, message)
        })
    }

    /// A repository with this commit alone, and maybe its submodules.
    fn replicate(&self, commit: &Commit, directory: &Path, into: &str, has_submodules: bool) -> Result<(), Report> {
        let name = format!("refs/rc/{}", commit.id);
        self.git.run(Some(&self.bare), &["update-ref", &name, &commit.id])?;
        let local = self.git.with("protocol.file.allow=always");
        local.run(None, &["init", "-q", "--template=", "--", into])?;
        let fetch = ["fetch", "-q", "--depth=1", "--no-tags", "--", &text(&self.bare)?, &name];
        local.run(Some(directory), &fetch)?;
        let remote = without_user(&self.url.remote);
        self.git.run(Some(directory), &["remote", "add", "--", "origin", &remote])?;
        match commit.name.as_deref().and_then(|name| name.strip_prefix("refs/heads/")) {
            Some(branch) => self.git.run(Some(directory), &["checkout", "-q", "-B", branch, &commit.id])?,
            None => self.git.run(Some(directory), &["checkout", "-q", "--detach", &commit.id])?,
        };
        drop(fs::remove_file(directory.join(".git/FETCH_HEAD")));
        if has_submodules {
            let update = ["submodule", "update", "-q", "--init", "--recursive", "--depth=1"];
            self.git.run(Some(directory), &update)?;
        }
        Ok(())
    }

    /// Whether a checkout has submodules that were not asked for.
    pub(in crate::engine) fn lacks_submodules(&self, checkout: &Path) -> bool {
        self.url.submodules.is_none()
            && self.fetcher.by == NamedBy::User
            && fs::symlink_metadata(checkout.join(".gitmodules")).is_ok()
    }
}

/// Removes `.git` in a directory, and in those beneath it.
fn forget_git(directory: &Path) -> Result<(), Report> {
    for path in fs::paths_in(directory)? {
        let is_directory = fs::symlink_metadata(&path)?.is_dir();
        match (path.file_name().is_some_and(|name| name == ".git"), is_directory) {
            (true, true) => fs::remove_dir_all(&path)?,
            (true, false) => fs::remove_file(&path)?,
            (false, true) => forget_git(&path)?,
            (false, false) => {}
        }
    }
    Ok(())
}

fn is_whole(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_abbreviated(text: &str) -> bool {
    (7..40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn text(path: &Path) -> Result<String, Report> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Report::new(ReportKind::Unsupported, format!("the path {} is not UTF-8", path.display())))
}
