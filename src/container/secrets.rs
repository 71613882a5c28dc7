//! The secrets of a container at its start.

use std::fmt;
use std::path::PathBuf;

use super::Error;
use crate::plan::{ContainerConfig, SecretForm};
use crate::storage::Store;
use crate::types::SecretFile;

/// What the program gets: files, and lines of its environment.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// The files.
    pub(crate) files: Vec<SecretFile>,
    /// `NAME=value`.
    pub(crate) variables: Vec<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Reads the container's secrets. Fails if one of them does not exist any more.
pub(super) fn read(store: &Store, config: &ContainerConfig) -> Result<Secrets, Error> {
    let mut secrets = Secrets::default();
    for secret in &config.secrets {
        let found = store.secret(&secret.name)?;
        let (_, value) = found.ok_or_else(|| Error::NoSecret(secret.name.to_string()))?;
        match &secret.form {
            SecretForm::Mount { target, uid, gid, mode } => {
                let path = PathBuf::from(target);
                secrets.files.push(SecretFile { path, uid: *uid, gid: *gid, mode: *mode, value });
            }
            SecretForm::Env { variable } => {
                let text = String::from_utf8(value).ok().filter(|text| !text.contains('\0'));
                let text = text.ok_or_else(|| Error::NoText(secret.name.to_string()))?;
                secrets.variables.push(format!("{variable}={text}"));
            }
        }
    }
    Ok(secrets)
}
