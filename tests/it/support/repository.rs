//! A git repository of a test's own.

use std::fs;
use std::path::PathBuf;

use super::Lab;

/// A repository with a working tree.
pub(crate) struct Repository<'lab> {
    lab: &'lab Lab,
    /// Its working tree.
    pub(crate) directory: PathBuf,
}

impl<'lab> Repository<'lab> {
    /// An empty one in the commands' working directory, whose branch is `main`.
    pub(crate) fn new(lab: &'lab Lab, name: &str) -> Self {
        let directory = lab.work(name);
        fs::create_dir_all(&directory).expect("a directory");
        let repository = Self { lab, directory };
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    /// Runs git in it.
    #[track_caller]
    pub(crate) fn git(&self, words: &[&str]) -> String {
        let settings = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"];
        let command = self.lab.program("git", settings).args(words).directory(&self.directory);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").run().exits(0).stdout().trim().to_owned()
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.directory.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
        self
    }

    /// Makes a commit of everything, and returns its ID.
    pub(crate) fn commit(&self) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }
}
