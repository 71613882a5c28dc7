//! Storing and removing credentials (`login`, `logout`): in a helper if one is configured, else in an auth file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::error::CredentialsError;
use super::file::{Server, is_same};
use super::helper;
use super::places::Places;
use crate::registry::SMALL_LIMIT;
use crate::sys::fs;
use crate::sys::lock::FileLock;
use crate::sys::replacement::Replacement;
use crate::types::json;

/// What `logout` has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgotten {
    /// The credentials are gone.
    Removed,
    /// There were none where rc stores them, but docker's own file has some.
    OnlyDockers,
    /// There were none.
    Nothing,
}

/// Stores a user's name and password for `server`. Returns the auth file.
///
/// A helper that the file, or docker's, names for the registry gets the secret; without one, the file gets it, readable
/// for this user only. Everything else in the file stays. On failure the file is as it was.
pub(crate) fn store(
    server: &Server,
    user: &str,
    password: &str,
    authfile: Option<&Path>,
    places: &Places,
) -> Result<PathBuf, CredentialsError> {
    let path = places.auth_file_to_write(authfile).ok_or(CredentialsError::NoPlace)?;
    let (_lock, mut document) = open(&path)?;
    let mut is_kept = false;
    for name in helpers(&document, server, authfile, places)? {
        match helper::store(&name, helper::server(server.as_str()), user, password) {
            // A store is configured once for all registries, often by a Docker Desktop that is no longer installed.
            Err(CredentialsError::NoHelper { .. }) => continue,
            other => other?,
        }
        is_kept = true;
        break;
    }
    // An entry of the file would be found before what a helper has.
    let mut is_changed = remove(&mut document, server);
    if !is_kept {
        let auth = STANDARD.encode(format!("{user}:{password}"));
        let auths = document.entry("auths").or_insert_with(|| json!({}));
        let Some(auths) = auths.as_object_mut() else { return Err(no_object(&path, "auths")) };
        auths.insert(server.as_str().to_owned(), json!({ "auth": auth }));
        is_changed = true;
    }
    if is_changed {
        write(&path, &document)?;
    }
    Ok(path)
}

/// Removes the credentials of `server`, from a helper and from the file that rc writes.
pub(crate) fn forget(server: &Server, authfile: Option<&Path>, places: &Places) -> Result<Forgotten, CredentialsError> {
    let path = places.auth_file_to_write(authfile).ok_or(CredentialsError::NoPlace)?;
    let (_lock, mut document) = open(&path)?;
    let mut is_removed = false;
    for name in helpers(&document, server, authfile, places)? {
        match helper::erase(&name, helper::server(server.as_str())) {
            Err(CredentialsError::NoHelper { .. }) => {}
            other => is_removed |= other?,
        }
    }
    if remove(&mut document, server) {
        write(&path, &document)?;
        is_removed = true;
    }
    if is_removed {
        return Ok(Forgotten::Removed);
    }
    let dockers = places.docker_file().filter(|dockers| authfile.is_none() && *dockers != path);
    let is_dockers = match dockers {
        Some(dockers) => auths(&read(&dockers)?).any(|key| is_same(key, server)),
        None => false,
    };
    Ok(if is_dockers { Forgotten::OnlyDockers } else { Forgotten::Nothing })
}

/// Removes all credentials from the file that rc writes. Helpers keep what they have: they serve other programs, too.
pub(crate) fn forget_all(authfile: Option<&Path>, places: &Places) -> Result<(), CredentialsError> {
    let path = places.auth_file_to_write(authfile).ok_or(CredentialsError::NoPlace)?;
    let (_lock, mut document) = open(&path)?;
    if document.get("auths").is_some() {
        document.insert("auths".to_owned(), json!({}));
        write(&path, &document)?;
    }
    Ok(())
}

/// The helpers for a registry, most specific first: the file's own, then docker's unless the user named a file.
fn helpers(
    document: &Map<String, Value>,
    server: &Server,
    authfile: Option<&Path>,
    places: &Places,
) -> Result<Vec<String>, CredentialsError> {
    let mut found = named_in(document, server);
    if authfile.is_none()
        && let Some(dockers) = places.docker_file()
    {
        found.extend(named_in(&read(&dockers)?, server));
    }
    Ok(found)
}

fn named_in(document: &Map<String, Value>, server: &Server) -> Vec<String> {
    let own = document.get("credHelpers").and_then(|helpers| helpers.get(server.registry()));
    let name = own.or_else(|| document.get("credsStore")).and_then(Value::as_str).filter(|name| !name.is_empty());
    name.map(str::to_owned).into_iter().collect()
}

/// Removes every spelling of the server. Returns whether there was one.
fn remove(document: &mut Map<String, Value>, server: &Server) -> bool {
    let Some(auths) = document.get_mut("auths").and_then(Value::as_object_mut) else { return false };
    let before = auths.len();
    auths.retain(|key, _| !is_same(key, server));
    auths.len() != before
}

fn auths(document: &Map<String, Value>) -> impl Iterator<Item = &String> {
    document.get("auths").and_then(Value::as_object).into_iter().flat_map(Map::keys)
}

/// Reads the file, and keeps other logins from changing it meanwhile. Makes its directory, for this user alone.
fn open(path: &Path) -> Result<(Option<FileLock>, Map<String, Value>), CredentialsError> {
    let lock = match path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        Some(directory) => {
            if let Some(above) = directory.parent()
                && !above.as_os_str().is_empty()
            {
                fs::create_dir_all(above)?;
            }
            match fs::create_dir_with(directory, 0o700) {
                Err(error) if fs::metadata(directory).is_ok_and(|found| found.is_dir()) => drop(error),
                other => other?,
            }
            Some(FileLock::of_directory(directory)?)
        }
        None => Some(FileLock::of_directory(Path::new("."))?),
    };
    Ok((lock, read(path)?))
}

/// The document in a file; empty if there is none.
fn read(path: &Path) -> Result<Map<String, Value>, CredentialsError> {
    let bytes = match fs::read_limited(path, SMALL_LIMIT) {
        Err(error) if error.is_not_found() => return Ok(Map::new()),
        other => other?,
    };
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    // serde's message could quote a secret.
    json::from_slice(&bytes).map_err(|error| CredentialsError::Format {
        path: path.to_owned(),
        reason: format!("line {}, column {} is not as expected", error.line(), error.column()),
    })
}

fn no_object(path: &Path, key: &str) -> CredentialsError {
    CredentialsError::Format { path: path.to_owned(), reason: format!("`{key}` is not an object") }
}

fn write(path: &Path, document: &Map<String, Value>) -> Result<(), CredentialsError> {
    use fs::AtPath as _;
    let mut file = Replacement::begin_private(path)?;
    // Indented as podman and docker do it. A map of strings is always JSON.
    let text = serde_json::to_vec_pretty(document).unwrap_or_default();
    file.write_all(&text).at("write", path)?;
    Ok(file.finish()?)
}
