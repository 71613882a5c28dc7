//! Debian's `docker-registry` on loopback, on a port that the kernel chooses, for one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Lab, Running};

/// The lifetime of a registry: longer than any test.
const LIFE: Duration = Duration::from_secs(900);

/// A running registry.
pub(crate) struct Registry {
    /// `127.0.0.1:PORT`.
    pub address: String,
    server: Running,
}

impl Registry {
    /// An empty registry that accepts pushes.
    #[track_caller]
    pub(crate) fn empty(lab: &Lab) -> Self {
        let storage = storage(lab);
        Self::start(lab, &storage, "", "")
    }

    /// An empty registry, for whose use the user `me` needs the password `secret`.
    #[track_caller]
    pub(crate) fn with_password(lab: &Lab) -> Self {
        let storage = storage(lab);
        let users = storage.join("users");
        fs::write(&users, "me:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n")
            .expect("a file of users");
        let section = format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", users.display());
        Self::start(lab, &storage, "", &section)
    }

    /// An empty registry with HTTPS, with this certificate and key (PEM).
    #[track_caller]
    pub(crate) fn with_certificate(lab: &Lab, certificate: &str, key: &str) -> Self {
        let storage = storage(lab);
        let files = ["certificate", "key"].map(|name| storage.join(name));
        for (path, text) in files.iter().zip([certificate, key]) {
            fs::write(path, text).expect("a certificate can be written");
        }
        let [certificate, key] = files.map(|path| path.display().to_string());
        Self::start(lab, &storage, "", &format!("  tls:\n    certificate: {certificate}\n    key: {key}\n"))
    }

    /// A read-only registry with the images of `scripts/test-images`.
    #[track_caller]
    pub(crate) fn of_test_images(lab: &Lab) -> Self {
        let storage = test_images().expect("`require!(test_images().is_some(), …)` comes first").join("registry");
        Self::start(lab, &storage, "  maintenance:\n    readonly:\n      enabled: true\n", "")
    }

    /// `more` is added to the section `storage` of the configuration, `http` after that of its name.
    #[track_caller]
    fn start(lab: &Lab, storage: &Path, more: &str, http: &str) -> Self {
        let configuration = lab.root().join(lab.unique("registry.yml"));
        let text = format!(
            "version: 0.1\n\
             log:\n  accesslog:\n    disabled: false\n  level: info\n\
             storage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n{more}\
             http:\n  addr: 127.0.0.1:0\n{http}",
            storage.display()
        );
        fs::write(&configuration, text).expect("the registry's configuration can be written");
        let server = lab.program("docker-registry", ["serve"]).arg(&configuration).deadline(LIFE).start();
        server.error_line("listening on 127.0.0.1:");
        let (_, rest) = server
            .error_text()
            .split_once("listening on ")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect("just seen");
        let address: String = rest.chars().take_while(|sign| sign.is_ascii_digit() || ".:".contains(*sign)).collect();
        Self { address, server }
    }

    /// The requests that it has answered so far, from its log.
    pub(crate) fn log(&self) -> String {
        self.server.output_text()
    }

    /// The full name of an image in it.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Ends it.
    #[track_caller]
    pub(crate) fn stop(self) {
        self.server.kill(super::Signal::KILL);
        drop(self.server.wait());
    }
}

/// A directory for a registry: `registry`, or with a number if the test has others.
fn storage(lab: &Lab) -> PathBuf {
    let names = std::iter::once("registry".to_owned()).chain((2..).map(|number| format!("registry-{number}")));
    let storage = names.map(|name| lab.root().join(name)).find(|path| !path.exists()).expect("a name");
    fs::create_dir(&storage).expect("the registry's directory can be made");
    storage
}

/// The directory of the images of `scripts/test-images`, if it ran: `RC_TEST_IMAGES`.
pub(crate) fn test_images() -> Option<PathBuf> {
    std::env::var_os("RC_TEST_IMAGES").map(PathBuf::from).filter(|directory| directory.join("complete").exists())
}
