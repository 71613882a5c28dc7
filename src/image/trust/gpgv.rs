//! OpenPGP messages, opened by gpgv(1): the keys that a policy names are all that it has.
//!
//! gpgv gets the message as its standard input, and its keyrings and the file for its status lines as descriptors, so
//! nothing has a name in the filesystem. It prints the content before it knows whether the signature is good, so rc
//! looks at the status first. Source: GnuPG's doc/DETAILS, "General status codes".

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::process::{Command, Stdio};

use crate::sys::packages::Package;
use crate::sys::{fs, memory_file, programs};

/// The most bytes of a signed document.
const CONTENT_LIMIT: u64 = 1 << 20;
/// The most bytes of gpgv's status lines.
const STATUS_LIMIT: u64 = 1 << 20;

/// Why a message could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// gpgv is not installed.
    #[error("gpgv, which verifies signatures, was not found")]
    Missing,
    /// gpgv could not be run.
    #[error("cannot run `gpgv`: {}", fs::plain(.0))]
    Run(#[from] io::Error),
    /// The signature is not good.
    #[error("{0}")]
    Bad(String),
}

impl Error {
    /// How the user can fix it, if possible.
    pub(super) fn hint(&self) -> Option<String> {
        matches!(self, Self::Missing).then(|| format!("install it: {}", Package::Gpgv.install()))
    }
}

/// Returns the content of a message with exactly one signature, which is good and was made by a key of `keyrings`.
pub(super) fn open(message: &[u8], keyrings: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let program = programs::find("gpgv").ok_or(Error::Missing)?;
    let file = |bytes: &[u8]| -> io::Result<File> {
        let mut file = memory_file::inherited("rc: gpgv")?;
        file.write_all(bytes)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    };
    let keyrings = keyrings.iter().map(|keyring| file(keyring)).collect::<io::Result<Vec<_>>>()?;
    let mut status = file(&[])?;
    let mut command = Command::new(program);
    // Its own directory would have keys that the policy does not name.
    command.args(["--homedir", "/nonexistent", "--quiet", "--output", "-", "--status-fd", &number(&status)]);
    for keyring in &keyrings {
        command.args(["--keyring", &memory_file::path_of(keyring)]);
    }
    command.env_clear().env("LC_ALL", "C").current_dir("/");
    command.stdin(file(message)?).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut content = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(CONTENT_LIMIT + 1).read_to_end(&mut content)?;
    }
    if content.len() as u64 > CONTENT_LIMIT {
        child.kill()?;
        child.wait()?;
        return Err(Error::Bad("its content is too long".to_owned()));
    }
    let is_success = child.wait()?.success();
    let mut lines = String::new();
    status.seek(SeekFrom::Start(0))?;
    status.take(STATUS_LIMIT).read_to_string(&mut lines)?;
    check(&lines, is_success)?;
    Ok(content)
}

fn number(file: &File) -> String {
    use std::os::fd::AsRawFd as _;
    file.as_raw_fd().to_string()
}

/// Whether the status lines tell of one good signature of one content, and of nothing else.
fn check(lines: &str, is_success: bool) -> Result<(), Error> {
    let words = || lines.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")?.split(' ').next());
    let count = |wanted: &str| words().filter(|word| *word == wanted).count();
    let key = |wanted: &str| {
        let line = lines.lines().find_map(|line| line.strip_prefix("[GNUPG:] ")?.strip_prefix(wanted));
        line.unwrap_or_default().split_ascii_whitespace().next().unwrap_or_default().to_owned()
    };
    let bad = |reason: String| Err(Error::Bad(reason));
    match () {
        () if count("NO_PUBKEY") > 0 => bad(format!("the policy does not name its key, {}", key("NO_PUBKEY"))),
        () if count("BADSIG") > 0 => bad("its content was changed".to_owned()),
        () if count("EXPSIG") > 0 => bad("it has expired".to_owned()),
        () if count("EXPKEYSIG") > 0 => bad(format!("its key, {}, has expired", key("EXPKEYSIG"))),
        () if count("REVKEYSIG") > 0 => bad(format!("its key, {}, was revoked", key("REVKEYSIG"))),
        () if count("ERRSIG") > 0 => bad("gpgv cannot check it".to_owned()),
        () if ["NEWSIG", "GOODSIG", "VALIDSIG", "PLAINTEXT"].iter().any(|word| count(word) > 1) => {
            bad("it has more than one signature".to_owned())
        }
        () if is_success && ["GOODSIG", "VALIDSIG", "PLAINTEXT"].iter().all(|word| count(word) == 1) => Ok(()),
        () => bad("it is no OpenPGP message with a signature".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[GNUPG:] PLAINTEXT 62 1 p.json\n[GNUPG:] PLAINTEXT_LENGTH 8\n[GNUPG:] NEWSIG a@b\n\
                        [GNUPG:] KEY_CONSIDERED 6E29 0\n[GNUPG:] SIG_ID BPL 2026-11-30 1\n[GNUPG:] GOODSIG 33A3 a@b\n\
                        [GNUPG:] VALIDSIG 6E29 2026-11-30 1 0 4 0 22 8 00 6E29\n";

    #[test]
    fn one_good_signature_of_one_content_is_all_that_counts() {
        assert!(check(GOOD, true).is_ok());
        let twice = format!("{GOOD}{GOOD}");
        let other = |word: &str| GOOD.replace("GOODSIG", word);
        for (lines, reason) in [
            (other("EXPKEYSIG"), "its key, 33A3, has expired"),
            (other("REVKEYSIG"), "its key, 33A3, was revoked"),
            (other("EXPSIG"), "it has expired"),
            (other("BADSIG"), "its content was changed"),
            (other("ERRSIG"), "gpgv cannot check it"),
            (format!("{GOOD}[GNUPG:] ERRSIG 11 22 8 00 1 9 6E\n[GNUPG:] NO_PUBKEY 11\n"), "its key, 11"),
            (twice, "it has more than one signature"),
            (GOOD.replace("PLAINTEXT ", "OTHER "), "it is no OpenPGP message with a signature"),
            (GOOD.replace("VALIDSIG", "OTHER"), "it is no OpenPGP message with a signature"),
            ("[GNUPG:] PLAINTEXT 62 1 p.json\n[GNUPG:] NODATA 4\n".to_owned(), "it is no OpenPGP message"),
            (GOOD.replace("[GNUPG:] ", "gpgv: "), "it is no OpenPGP message with a signature"),
            (String::new(), "it is no OpenPGP message with a signature"),
        ] {
            let error = check(&lines, true).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|error| error.contains(reason)), "{lines}: {error:?}");
        }
        assert!(check(GOOD, false).is_err(), "its exit code counts, too");
    }
}
