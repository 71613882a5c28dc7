//! Secrets: values that containers get at their start, and that are in no other file of the store.
//!
//! ```text
//! secrets/NAME/secret    0600: a line of JSON, the record, and then the value
//! ```
//!
//! A secret is one file, so that record and value always belong together. Who writes holds a lock on `secrets`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Error, Store};
use crate::sys::fs::{self, Durability, PathError};
use crate::sys::lock::FileLock;
use crate::types::{Name, json};

/// The most bytes of a value. Source: podman-secret-create(1).
pub(crate) const LARGEST: usize = 512_000;

/// The most bytes of a record.
const RECORD: usize = 64 << 10;

/// The record of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretRecord {
    /// 25 hexadecimal digits, as podman's.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: Name,
    /// When it was created, RFC 3339, UTC.
    pub(crate) created: String,
    /// When its value was replaced last.
    pub(crate) updated: String,
    /// Labels.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

/// What happens if there is a secret of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfExists {
    /// It stays.
    Keep,
    /// It gets the new value and the new record, and keeps the time of its creation. A damaged one is removed first.
    Replace,
}

impl Store {
    fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    fn secret_path(&self, name: &Name) -> PathBuf {
        self.secrets().join(name.as_str()).join("secret")
    }

    /// The secret of this name with its value; `None` if there is none.
    pub(crate) fn secret(&self, name: &Name) -> Result<Option<(SecretRecord, Vec<u8>)>, Error> {
        let path = self.secret_path(name);
        let bytes = match fs::read_record(&path, (RECORD + LARGEST) as u64) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let record = json::from_slice(&bytes[..end])
            .map_err(|source| Error::Json { what: format!("`{}`", path.display()), source })?;
        Ok(Some((record, bytes.get(end + 1..).unwrap_or_default().to_vec())))
    }

    /// The names of all secrets, even damaged ones, in their order.
    pub(crate) fn secret_names(&self) -> Result<Vec<Name>, Error> {
        let entries = match fs::read_dir(self.secrets()) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return Ok(<_>::default()),
            Err(error) => return Err(error.into()),
        };
        let mut names: Vec<Name> =
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// All secrets in the order of their names, and the damaged ones.
    pub(crate) fn list_secrets(&self) -> Result<(Vec<SecretRecord>, Vec<Error>), Error> {
        let (mut found, mut damaged) = (Vec::new(), Vec::new());
        for name in self.secret_names()? {
            match self.secret(&name) {
                Ok(secret) => found.extend(secret.map(|(record, _)| record)),
                Err(error) => damaged.push(error),
            }
        }
        Ok((found, damaged))
    }

    /// Writes a secret. If there is one of that name, this returns its record, and what happens with it is `if_exists`.
    pub(crate) fn write_secret(
        &self,
        record: &SecretRecord,
        value: &[u8],
        if_exists: IfExists,
    ) -> Result<Option<SecretRecord>, Error> {
        let _lock = self.lock_secrets()?;
        let before = match self.secret(&record.name) {
            Ok(found) => found.map(|(record, _)| record),
            // Its value is lost anyway, and nothing of it may be in the way of the new one.
            Err(error) if if_exists == IfExists::Replace && is_damage(&error) => {
                self.clear_secret(&record.name)?;
                None
            }
            Err(error) => return Err(error),
        };
        if before.is_some() && if_exists == IfExists::Keep {
            return Ok(before);
        }
        let created = before.as_ref().map_or(&record.created, |before| &before.created).clone();
        let mut bytes = serde_json::to_vec(&SecretRecord { created, ..record.clone() })
            .map_err(|source| Error::Json { what: "the record of a secret".to_owned(), source })?;
        bytes.push(b'\n');
        bytes.extend_from_slice(value);
        let path = self.secret_path(&record.name);
        // Left by a process that was killed here, or that of the secret which is replaced.
        match fs::create_dir_with(self.secrets().join(record.name.as_str()), 0o700) {
            Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        fs::replace(path, &bytes, Durability::Synced)?;
        fs::sync_dir(self.secrets())?;
        Ok(before)
    }

    /// Removes a secret; returns whether it existed.
    pub(crate) fn remove_secret(&self, name: &Name) -> Result<bool, Error> {
        let _lock = self.lock_secrets()?;
        Ok(self.clear_secret(name)?)
    }

    /// Removes whatever is in the place of a secret; returns whether there was anything.
    fn clear_secret(&self, name: &Name) -> Result<bool, PathError> {
        let directory = self.secrets().join(name.as_str());
        match fs::symlink_metadata(&directory) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&directory).map(|()| true),
            Ok(_) => fs::remove_file(&directory).map(|()| true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn lock_secrets(&self) -> Result<FileLock, PathError> {
        match fs::create_dir_with(self.secrets(), 0o700) {
            Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        FileLock::of_directory(&self.secrets())
    }
}

/// Whether a secret that cannot be read is damaged: another reason may pass, and its value with it would be lost.
fn is_damage(error: &Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, InvalidInput, NotADirectory};
    match error {
        Error::Json { .. } => true,
        // No record, something else in its place, or in that of its directory.
        Error::Path(error) => {
            let is_loop = error.source.raw_os_error() == Some(libc::ELOOP);
            is_loop || matches!(error.source.kind(), FileTooLarge | InvalidInput | NotADirectory)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::storage::tests::store;

    fn record(name: &str, id: &str) -> SecretRecord {
        SecretRecord {
            id: id.to_owned(),
            name: name.parse().expect("a name"),
            created: format!("created {id}"),
            updated: format!("updated {id}"),
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn a_secret_is_written_kept_replaced_and_removed_with_any_bytes() {
        let (_home, store) = store();
        let name: Name = "key".parse().expect("a name");
        assert_eq!(store.secret(&name).expect("looks"), None);
        assert!(!store.remove_secret(&name).expect("nothing"));
        let value = b"two\nlines\0\xff".to_vec();
        assert_eq!(store.write_secret(&record("key", "1"), &value, IfExists::Keep).expect("new"), None);
        assert_eq!(store.secret(&name).expect("reads"), Some((record("key", "1"), value.clone())));
        let kept = store.write_secret(&record("key", "2"), b"x", IfExists::Keep).expect("kept");
        assert_eq!(
            (kept, store.secret(&name).expect("reads").map(|(_, value)| value)),
            (Some(record("key", "1")), Some(value))
        );
        store.write_secret(&record("key", "3"), b"y", IfExists::Replace).expect("replaced");
        let expected = SecretRecord { created: "created 1".to_owned(), ..record("key", "3") };
        assert_eq!(store.secret(&name).expect("reads"), Some((expected.clone(), b"y".to_vec())));
        assert_eq!(store.list_secrets().expect("lists").0, [expected]);
        let mode = fs::metadata(store.secret_path(&name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(store.remove_secret(&name).expect("removed"));
        assert_eq!(store.list_secrets().expect("lists").0, []);
    }

    #[test]
    fn a_damaged_secret_hides_no_other() {
        let (_home, store) = store();
        for name in ["a", "b"] {
            store.write_secret(&record(name, "1"), b"x", IfExists::Keep).expect("new");
        }
        fs::write(store.secrets().join("a/secret"), "nonsense").expect("written");
        let (found, damaged) = store.list_secrets().expect("lists");
        assert_eq!((found.len(), damaged.len()), (1, 1));
    }

    #[test]
    fn only_a_secret_that_is_lost_counts_as_damaged() {
        let failed = |number| PathError::new("open", "/x", std::io::Error::from_raw_os_error(number)).into();
        for number in [libc::EMFILE, libc::ENFILE, libc::EIO, libc::EACCES, libc::ENOMEM] {
            assert!(!is_damage(&failed(number)), "{number}");
        }
        assert!(is_damage(&failed(libc::ENOTDIR)));
    }

    #[test]
    fn a_damaged_secret_is_replaced_or_removed_whatever_it_is() {
        let (_home, store) = store();
        let name: Name = "a".parse().expect("a name");
        let new = |if_exists| store.write_secret(&record("a", "2"), b"new", if_exists);
        let place = |path: &str| store.secrets().join(path);
        let in_place_of_the_file: fn(PathBuf) = |path| fs::create_dir(path.join("secret")).expect("a directory");
        let damages: [(&str, &dyn Fn()); 4] = [
            ("no record", &|| fs::write(place("a/secret"), "nonsense").expect("written")),
            ("a directory", &|| {
                fs::remove_file(place("a/secret")).expect("removed");
                in_place_of_the_file(place("a"));
            }),
            ("a file in place of the directory", &|| {
                fs::remove_dir_all(place("a")).expect("removed");
                fs::write(place("a"), "x").expect("written");
            }),
            ("a link that leads nowhere", &|| {
                fs::remove_file(place("a/secret")).expect("removed");
                fs::symlink("nowhere", place("a/secret")).expect("a link");
            }),
        ];
        for (what, damage) in damages {
            new(IfExists::Replace).unwrap_or_else(|error| panic!("{what}: {error}"));
            damage();
            assert!(new(IfExists::Keep).is_err(), "{what}");
            assert_eq!(new(IfExists::Replace).unwrap_or_else(|error| panic!("{what}: {error}")), None);
            let (found, value) = store.secret(&name).expect("reads").expect("it is there");
            assert_eq!((found, value), (record("a", "2"), b"new".to_vec()), "{what}");
            damage();
            assert!(store.remove_secret(&name).unwrap_or_else(|error| panic!("{what}: {error}")));
            assert_eq!(store.secret(&name).expect("looks"), None);
        }
    }
}
