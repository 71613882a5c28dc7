//! What a build takes from elsewhere: files by URL, repositories, archives. Each comes into a directory of the build,
//! which is removed with it, and is kept for the next one, as far as it is the same then.
//!
//! ```text
//! cache/http/HASH/  content, record   a file by the hash of its URL; the record has what the server says of it
//! cache/git/HASH/   a bare repository, by the hash of its URL; only what was asked for is in it
//! ```
//! Both directories have a file `lock`, whose holder works in them.

mod archive;
mod context;
mod git;
mod http;
mod place;
mod program;

pub(super) use context::{FetchedContext, context};

use std::path::{Path, PathBuf};

use self::place::Authority;
use super::build::BuildSecret;
use super::context::Context;
use crate::registry::{self, NamedBy, TlsVerify};
use crate::storage::Store;
use crate::sys::fs;
use crate::types::{Report, ReportKind};
use crate::userns::UserNamespace;

/// Who fetches, and with what.
#[derive(Clone)]
pub(super) struct Fetcher<'a> {
    pub(super) context: &'a Context,
    pub(super) store: &'a Store,
    pub(super) home: &'a UserNamespace,
    /// The variables of the caller: its proxies, and the way to its agent.
    pub(super) environment: &'a [(String, String)],
    /// The secrets of the build: those with the names of credentials are used as such.
    pub(super) secrets: &'a [BuildSecret],
    /// Who has named what is fetched.
    pub(super) by: NamedBy,
    /// It may be on this host, although a Dockerfile has named it.
    pub(super) is_trusted: bool,
    /// Whether certificates are verified; `None`: they are.
    pub(super) tls_verify: Option<bool>,
    /// The socket of an agent for SSH, if one may be used.
    pub(super) agent: Option<String>,
}

impl Fetcher<'_> {
    /// Who has named a place, as far as that decides where it may be.
    fn named_by(&self) -> NamedBy {
        if self.is_trusted { NamedBy::User } else { self.by }
    }

    /// The value of the first of these secrets that was given, without the end of its line.
    fn secret(&self, ids: &[String]) -> Option<String> {
        let secret = ids.iter().find_map(|id| self.secrets.iter().find(|secret| secret.id == *id))?;
        Some(std::str::from_utf8(&secret.value).ok()?.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn options(&self) -> registry::Options {
        let tls_verify = match self.tls_verify {
            Some(false) => TlsVerify::Never,
            _ => TlsVerify::Default,
        };
        registry::Options { tls_verify, places: self.context.places.clone(), ..registry::Options::default() }
    }

    /// Fails if a secret for a place cannot be sent there: encrypted, to a server that has shown who it is, or not off
    /// this host.
    fn check_private(&self, place: &Authority) -> Result<(), Report> {
        let refused = |message: String, hint: &str| Err(Report::new(ReportKind::Denied, message).with_hint(hint));
        if !place.is_private() {
            return refused(format!("a secret for `{}` cannot be sent in the open", place.authority), "use https");
        }
        if self.tls_verify == Some(false) && place.scheme == "https" && !place.is_here() {
            let message = format!("a secret for `{}` cannot be sent to a server that nobody verifies", place.authority);
            return refused(message, "leave out --tls-verify=false");
        }
        Ok(())
    }
}

/// The directory that a path in `root` names, if no component is a link.
fn real_directory(root: &Path, inner: &str) -> std::io::Result<PathBuf> {
    let opened = fs::open_directory(root).map_err(|error| error.source)?;
    let found = crate::sys::root::find_literally(std::os::fd::AsFd::as_fd(&opened), inner)?;
    let stat = rustix::fs::fstat(&found)?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::Directory {
        return Err(std::io::Error::from_raw_os_error(libc::ENOTDIR));
    }
    Ok(root.join(inner))
}
