//! Simple signing: what `push --sign-by` writes, and `trust` verifies. gpg(1) has the keys, and asks for passphrases
//! itself. Source: containers-signature(5).

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::Command;

use jiff::Timestamp;
use serde_json::json;

use crate::sys::fs::{self, PathError};
use crate::sys::packages::Package;
use crate::sys::{memory_file, programs};
use crate::types::{Digest, ImageReference, Report, ReportKind};

/// The longest file with a passphrase, in bytes.
const LIMIT: u64 = 64 << 10;

/// Why an image cannot be signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// gpg is not installed.
    #[error("gpg, which signs, was not found")]
    Missing,
    /// gpg could not be run.
    #[error("cannot run `gpg`: {}", fs::plain(.0))]
    Run(#[from] io::Error),
    /// gpg has not signed.
    #[error("cannot sign by `{}`: {}", .key.escape_debug(), .reason.escape_debug())]
    Refused {
        /// The key, as typed.
        key: String,
        /// What gpg says.
        reason: String,
    },
    /// The passphrase cannot be read.
    #[error(transparent)]
    Passphrase(#[from] PathError),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Missing => {
                Self::new(ReportKind::Unavailable, message).with_hint(format!("install it: {}", Package::Gpg.install()))
            }
            Error::Run(error) => Self::new(ReportKind::of_step(&error), message),
            Error::Refused { .. } => Self::new(ReportKind::Invalid, message)
                .with_hint("`gpg --list-secret-keys` lists the keys that can sign"),
            Error::Passphrase(error) => error.into(),
        }
    }
}

/// Who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signer {
    /// The key, by any name that gpg knows for it.
    pub(crate) key: String,
    /// The file whose first line is the passphrase; without one, gpg asks for it.
    pub(crate) passphrase_file: Option<PathBuf>,
}

impl Signer {
    /// Fails if there is no such key: before an image is pushed that could not be signed.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.gpg(gpg()?.args(["--batch", "--with-colons", "--list-secret-keys", "--", &self.key]), b"").map(drop)
    }

    /// A signature that says that the manifest of this digest is the image `reference`.
    pub(crate) fn sign(&self, reference: &ImageReference, manifest: &Digest) -> Result<Vec<u8>, Error> {
        let critical = json!({
            "identity": { "docker-reference": reference.to_string() },
            "image": { "docker-manifest-digest": manifest },
            "type": "atomic container signature",
        });
        let creator = concat!("rc ", env!("CARGO_PKG_VERSION"));
        let optional = json!({ "creator": creator, "timestamp": Timestamp::now().as_second() });
        let content = json!({ "critical": critical, "optional": optional }).to_string();
        let mut command = gpg()?;
        let secret = match &self.passphrase_file {
            None => None,
            Some(path) => {
                let text = fs::read_limited(path, LIMIT)?;
                let secret = memory_file::of("rc: gpg", text.split(|byte| *byte == b'\n').next().unwrap_or_default())?;
                command.args(["--batch", "--pinentry-mode", "loopback", "--passphrase-fd"]);
                command.arg(secret.as_raw_fd().to_string());
                Some(secret)
            }
        };
        command.args(["--no-armor", "--local-user", &self.key, "--output", "-", "--sign"]);
        let signature = self.gpg(&mut command, content.as_bytes());
        drop(secret);
        signature
    }

    /// Runs gpg with this input, and returns its output.
    fn gpg(&self, command: &mut Command, input: &[u8]) -> Result<Vec<u8>, Error> {
        let done = command.stdin(memory_file::of("rc: gpg", input)?).output()?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        // `gpg: signing failed: No secret key`.
        let said = String::from_utf8_lossy(&done.stderr);
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("gpg has failed");
        Err(Error::Refused { key: self.key.clone(), reason: last.trim_start_matches("gpg: ").to_owned() })
    }
}

/// Its messages are in English; everything else is as the user has set it up.
fn gpg() -> Result<Command, Error> {
    let mut command = Command::new(programs::find("gpg").ok_or(Error::Missing)?);
    command.env("LC_ALL", "C").args(["--quiet", "--no-greeting"]);
    Ok(command)
}
