mod error;
mod file;
mod helper;
mod keep;
mod places;

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use self::file::{AuthFile, Entry, bare, is_for};
use super::SMALL_LIMIT;
use crate::sys::fs;
use crate::types::{ImageReference, Report, ReportKind, json};

pub(crate) use self::error::CredentialsError;
pub(crate) use self::file::Server;
pub(crate) use self::keep::{Forgotten, forget, forget_all, store};
pub(crate) use self::places::Places;

/// Credentials for a registry. Their `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// A name and a password or access token.
    Password {
        /// The user's name there.
        user: String,
        /// The secret.
        password: String,
    },
    /// An OAuth 2 refresh token.
    IdentityToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => f.debug_struct("Password").field("user", user).finish_non_exhaustive(),
            Self::IdentityToken(_) => f.write_str("IdentityToken(…)"),
        }
    }
}

impl Credentials {
    /// Parses `USER:PASSWORD`, as `--creds` has it. The error does not quote a secret.
    pub(crate) fn parse(text: &str) -> Result<Self, Report> {
        match text.split_once(':') {
            Some((user, password)) => Ok(Self::Password { user: user.to_owned(), password: password.to_owned() }),
            // What was typed may be a token alone.
            None => Err(Report::new(ReportKind::Invalid, "`--creds` has no password")
                .with_hint("use `--creds USER:PASSWORD`, or log in with `rc login`")),
        }
    }

    /// Looks up the credentials of an image in the auth files; `authfile` (`--authfile`) replaces them all.
    ///
    /// Uses the first file that has any: a helper for the host, then the entry with the longest matching path, then the
    /// file's credential store. Skips a file that does not exist, unless the user named it. Starts a helper program if
    /// a file names one, so call it before any fork into another namespace, where helpers could not reach the user's
    /// session.
    pub(crate) fn find(
        reference: &ImageReference,
        authfile: Option<&Path>,
        places: &Places,
    ) -> Result<Option<Self>, CredentialsError> {
        Self::find_at(reference.registry(), reference.repository(), authfile, places)
    }

    /// Looks up the credentials of a registry, or of a part of it, as [`Credentials::find`] does for an image.
    pub(crate) fn of_server(
        server: &Server,
        authfile: Option<&Path>,
        places: &Places,
    ) -> Result<Option<Self>, CredentialsError> {
        Self::find_at(server.registry(), server.path(), authfile, places)
    }

    fn find_at(
        registry: &str,
        repository: &str,
        authfile: Option<&Path>,
        places: &Places,
    ) -> Result<Option<Self>, CredentialsError> {
        for path in places.auth_files(authfile) {
            let bytes = match fs::read_limited(&path, SMALL_LIMIT) {
                Err(error) if error.is_not_found() && authfile.is_none() => continue,
                other => other?,
            };
            // serde's message could quote a secret: rc shows only the position. An error about the whole file has none.
            let file: AuthFile = json::from_slice(&bytes).map_err(|error| CredentialsError::Format {
                path: path.clone(),
                reason: match error.line() {
                    0 => error.to_string(),
                    line => format!("line {line}, column {} is not as expected", error.column()),
                },
            })?;
            if let Some(found) = file.find(registry, repository, &path)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl AuthFile {
    fn find(&self, registry: &str, repository: &str, path: &Path) -> Result<Option<Credentials>, CredentialsError> {
        if let Some(name) = self.cred_helpers.get(registry) {
            // docker.io has another name in docker's own helpers.
            for server in [registry, helper::server(registry)] {
                if let Some(found) = helper::get(name, server)? {
                    return Ok(Some(found.into()));
                }
            }
        }
        let entries = self.auths.iter().filter(|(key, _)| is_for(key, registry, repository));
        let bad = |reason: &str| CredentialsError::Format { path: path.to_owned(), reason: reason.to_owned() };
        if let Some((key, entry)) = entries.max_by_key(|(key, _)| bare(key).len())
            && let Some(found) = entry.credentials().map_err(|reason| bad(&format!("`{key}` {reason}")))?
        {
            return Ok(Some(found));
        }
        match &self.creds_store {
            Some(name) if !name.is_empty() => match helper::get(name, helper::server(registry)) {
                // A store is configured once for all registries, often by a Docker Desktop that is no longer installed.
                Err(CredentialsError::NoHelper { .. }) => Ok(None),
                other => Ok(other?.map(Credentials::from)),
            },
            _ => Ok(None),
        }
    }
}

impl From<helper::Answer> for Credentials {
    fn from(answer: helper::Answer) -> Self {
        if answer.username == "<token>" {
            Self::IdentityToken(answer.secret)
        } else {
            Self::Password { user: answer.username, password: answer.secret }
        }
    }
}

impl Entry {
    /// The credentials, if it has any; else what is wrong with it, without quoting it.
    fn credentials(&self) -> Result<Option<Credentials>, &'static str> {
        if let Some(token) = self.identitytoken.as_ref().filter(|token| !token.is_empty()) {
            return Ok(Some(Credentials::IdentityToken(token.clone())));
        }
        let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) else { return Ok(None) };
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);
        let decoded = GeneralPurpose::new(&base64::alphabet::STANDARD, config).decode(auth.trim());
        let text = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or("is not base64 of text")?;
        let (user, password) = text.split_once(':').ok_or("has no `:` between user and password")?;
        // Docker pads with NUL bytes.
        let password = password.trim_end_matches('\0').to_owned();
        Ok(Some(Credentials::Password { user: user.to_owned(), password }))
    }
}

#[cfg(test)]
mod tests;
