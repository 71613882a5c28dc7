//! A file by URL, from its server or, if that says that it is the same, from the cache.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags, Timespec, Timestamps, fchmod, futimens};
use serde::{Deserialize, Serialize};

use super::Fetcher;
use super::place::{place_of, without_user};
use crate::registry::{self, Wanted, block_on};
use crate::storage::{FetchedPart, Hasher};
use crate::sys::fs::{self, AtPath as _, Durability};
use crate::types::{Algorithm, Digest, Report, ReportKind, json};
use crate::userns;

/// The most bytes of a record.
const LIMIT: u64 = 64 << 10;

/// What is known of a file in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Its server's word for it.
    etag: Option<String>,
    /// The digest of its content.
    digest: Digest,
}

impl Fetcher<'_> {
    /// Puts the file at `url` into `directory`, which exists, as `name`. It has mode 0600, and the time that its server
    /// says, or 1970. Fails if its digest is not `checksum`.
    pub(in crate::engine) fn download(
        &self,
        url: &str,
        checksum: Option<&Digest>,
        directory: &Path,
        name: &str,
    ) -> Result<(), Report> {
        let authorization = self.authorization(url)?;
        let options = self.options();
        userns::inside(self.home, "rc: fetch", || {
            let (kept, _lock) = self.store.fetched(FetchedPart::Http, url, &without_user(url))?;
            let kept = Kept { directory: &kept };
            let record = kept.record(checksum.map_or(Algorithm::Sha256, Digest::algorithm))?;
            let record = match record {
                // What has the digest needs no server.
                Some(record) if checksum == Some(&record.digest) => record,
                known => {
                    let etag = known.as_ref().and_then(|record| record.etag.as_deref());
                    let wanted = Wanted { url, by: self.named_by(), authorization: authorization.as_deref(), etag };
                    kept.update(&wanted, &options, known.as_ref(), checksum)?
                }
            };
            if let Some(expected) = checksum.filter(|expected| **expected != record.digest) {
                let message = format!("`{url}` has the digest `{}`, not `{expected}`", record.digest);
                return Err(Report::new(ReportKind::Damaged, message));
            }
            place(&kept.directory.join("content"), &directory.join(name))
        })
    }

    /// What a secret of the build says for the server. Source: BuildKit's documentation, "ADD", "HTTP authentication".
    fn authorization(&self, url: &str) -> Result<Option<String>, Report> {
        let Some(place) = place_of(url) else { return Ok(None) };
        let header = self.secret(&place.secrets("HTTP_AUTH_HEADER_"));
        let token = || Some(format!("Bearer {}", self.secret(&place.secrets("HTTP_AUTH_TOKEN_"))?));
        let found = header.or_else(token);
        if found.is_some() {
            self.check_private(&place)?;
        }
        Ok(found)
    }
}

/// The directory of one URL, whose lock is held.
struct Kept<'a> {
    directory: &'a Path,
}

impl Kept<'_> {
    /// What is there, if it is whole, with a digest of this kind.
    fn record(&self, algorithm: Algorithm) -> Result<Option<Record>, Report> {
        let read = fs::read_record(self.directory.join("record"), LIMIT).ok();
        let Some(record) = read.and_then(|bytes| json::from_slice::<Record>(&bytes).ok()) else { return Ok(None) };
        let Ok(content) = fs::open_record(self.directory.join("content")) else { return Ok(None) };
        if record.digest != self.hash(&content, record.digest.algorithm())? {
            return Ok(None);
        }
        let digest =
            if record.digest.algorithm() == algorithm { record.digest } else { self.hash(&content, algorithm)? };
        Ok(Some(Record { digest, ..record }))
    }

    fn hash(&self, mut content: &File, algorithm: Algorithm) -> Result<Digest, Report> {
        let path = self.directory.join("content");
        let mut hasher = Hasher::new(algorithm);
        let mut buffer = vec![0; 256 << 10];
        content.rewind().at("read", &path)?;
        loop {
            match content.read(&mut buffer).at("read", &path)? {
                0 => return Ok(hasher.finish()),
                count => hasher.update(&buffer[..count]),
            }
        }
    }

    /// Asks the server.
    fn update(
        &self,
        wanted: &Wanted<'_>,
        options: &registry::Options,
        known: Option<&Record>,
        checksum: Option<&Digest>,
    ) -> Result<Record, Report> {
        let aside = self.directory.join("new");
        let mut file = fs::create_again(&aside)?;
        let fetched = block_on(registry::fetch(wanted, options, &mut file)).map_err(Report::from)?;
        let fetched = match (fetched, known) {
            (Ok(Some(fetched)), _) => fetched,
            (Ok(None), Some(known)) => {
                fs::remove_file(&aside)?;
                return Ok(known.clone());
            }
            (other, _) => {
                drop(fs::remove_file(&aside));
                let unasked = "the server says that nothing has changed, although nothing is known";
                return Err(other.map_or_else(Report::from, |_| Report::new(ReportKind::Unavailable, unasked)));
            }
        };
        let read = fs::open(&aside)?;
        let digest = self.hash(&read, checksum.map_or(Algorithm::Sha256, Digest::algorithm))?;
        fchmod(&file, Mode::RUSR | Mode::WUSR).at("set the mode of", &aside)?;
        let time = Timespec { tv_sec: fetched.modified.unwrap_or(0), tv_nsec: 0 };
        futimens(&file, &Timestamps { last_access: time, last_modification: time }).at("set the time of", &aside)?;
        let record = Record { etag: fetched.etag, digest };
        fs::rename(&aside, self.directory.join("content"))?;
        fs::replace(self.directory.join("record"), &bytes(&record)?, Durability::Volatile)?;
        Ok(record)
    }
}

fn bytes(record: &Record) -> Result<Vec<u8>, Report> {
    serde_json::to_vec(record)
        .map_err(|error| Report::new(ReportKind::Internal, format!("cannot write a record: {error}")))
}

/// Gives a file another name. What is in the cache is never written to, so both are one.
fn place(from: &Path, to: &Path) -> Result<(), Report> {
    let linked = rustix::fs::link(from, to);
    if linked.is_ok() {
        return Ok(());
    }
    let source = fs::open_record(from)?;
    let metadata = source.metadata().at("stat", from)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let copied = rustix::fs::open(to, flags, Mode::RUSR | Mode::WUSR).at("create", to)?;
    let mut copied = File::from(copied);
    io::copy(&mut &source, &mut copied).at("write", to)?;
    copied.set_modified(metadata.modified().at("stat", from)?).at("set the time of", to)?;
    Ok(())
}
