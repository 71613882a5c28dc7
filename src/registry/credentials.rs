use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::SMALL_LIMIT;
use crate::sys::fs::{self, PathError};
use crate::types::{ImageReference, Invalid, Report, ReportKind, json};

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

/// Why the credentials could not be determined. No message shows a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] PathError),
    /// A file is not an auth file.
    #[error("cannot read the auth file `{}`: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, without quoting it.
        reason: String,
    },
    /// A helper's name could be a path or an option.
    #[error(transparent)]
    HelperName(Invalid),
    /// A helper is not installed.
    #[error("credential helper `docker-credential-{name}` is not installed")]
    NoHelper {
        /// Its name.
        name: String,
    },
    /// A helper cannot be started, or does not answer as the protocol requires.
    #[error("credential helper `docker-credential-{name}`: {reason}")]
    Helper {
        /// Its name.
        name: String,
        /// What went wrong.
        reason: String,
    },
}

impl From<CredentialsError> for Report {
    fn from(error: CredentialsError) -> Self {
        let kind = match error {
            CredentialsError::File(error) => return error.into(),
            CredentialsError::HelperName(error) => return error.into(),
            CredentialsError::Format { .. } => ReportKind::Invalid,
            CredentialsError::NoHelper { .. } | CredentialsError::Helper { .. } => ReportKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

/// The places of auth files and certificates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// `$REGISTRY_AUTH_FILE`.
    pub(crate) registry_auth_file: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`.
    pub(crate) runtime_dir: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`, else `~/.config`.
    pub(crate) config_home: Option<PathBuf>,
    /// `$DOCKER_CONFIG`, else `~/.docker`.
    pub(crate) docker_config: Option<PathBuf>,
    /// `/etc`.
    pub(crate) etc: PathBuf,
}

impl Places {
    /// The places according to this process' environment.
    pub(crate) fn from_env() -> Self {
        let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME");
        Self {
            registry_auth_file: path("REGISTRY_AUTH_FILE"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            config_home: path("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config"))),
            docker_config: path("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker"))),
            etc: PathBuf::from("/etc"),
        }
    }

    /// The auth files in podman's order; a file that was named (by option or variable) is the only one.
    /// Source: containers-auth.json(5).
    fn auth_files(&self, named: Option<&Path>) -> Vec<PathBuf> {
        if let Some(named) = named.or(self.registry_auth_file.as_deref()) {
            return vec![named.to_owned()];
        }
        [
            self.runtime_dir.as_ref().map(|dir| dir.join("containers/auth.json")),
            self.config_home.as_ref().map(|dir| dir.join("containers/auth.json")),
            self.docker_config.as_ref().map(|dir| dir.join("config.json")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The directories with a directory of certificates for each host, in podman's order. Source:
    /// containers-certs.d(5).
    pub(super) fn certs_d(&self) -> Vec<PathBuf> {
        let home = self.config_home.as_ref().map(|dir| dir.join("containers/certs.d"));
        home.into_iter().chain(["containers/certs.d", "docker/certs.d"].map(|dir| self.etc.join(dir))).collect()
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct AuthFile {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
}

impl Credentials {
    /// Splits `USER[:PASSWORD]` of `--creds`; without a password, rc must ask for it.
    pub(crate) fn split(text: &str) -> (String, Option<String>) {
        match text.split_once(':') {
            Some((user, password)) => (user.to_owned(), Some(password.to_owned())),
            None => (text.to_owned(), None),
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
            if let Some(found) = file.find(reference, &path)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl AuthFile {
    fn find(&self, reference: &ImageReference, path: &Path) -> Result<Option<Credentials>, CredentialsError> {
        let registry = reference.registry();
        if let Some(name) = self.cred_helpers.get(registry)
            && let Some(found) = ask_helper(name, registry)?
        {
            return Ok(Some(found));
        }
        let entries = self.auths.iter().filter(|(key, _)| is_for(key, reference));
        let bad = |reason: &str| CredentialsError::Format { path: path.to_owned(), reason: reason.to_owned() };
        if let Some((key, entry)) = entries.max_by_key(|(key, _)| bare(key).len())
            && let Some(found) = entry.credentials().map_err(|reason| bad(&format!("`{key}` {reason}")))?
        {
            return Ok(Some(found));
        }
        match &self.creds_store {
            Some(name) if !name.is_empty() => {
                match ask_helper(name, if registry == "docker.io" { DOCKER_HUB } else { registry }) {
                    // A store is configured once for all registries, often by a Docker Desktop that is no longer
                    // installed.
                    Err(CredentialsError::NoHelper { .. }) => Ok(None),
                    other => other,
                }
            }
            _ => Ok(None),
        }
    }
}

const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A key without what old docker versions put around the host: `https://HOST/v1/`.
fn bare(key: &str) -> &str {
    match key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")) {
        Some(rest) => rest.split('/').next().unwrap_or_default(),
        None => key.trim_end_matches('/'),
    }
}

/// Whether a key is for `reference`: the same host and port, and then whole components of its path (safety.md R4).
fn is_for(key: &str, reference: &ImageReference) -> bool {
    let key = bare(key);
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let host = if host == "index.docker.io" { "docker.io" } else { host };
    let rest = reference.repository().strip_prefix(path);
    host == reference.registry() && rest.is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

impl Entry {
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks a helper program for the credentials of `server`; `None` if it has none. Source: docker's credential-helpers
/// protocol.
fn ask_helper(name: &str, server: &str) -> Result<Option<Credentials>, CredentialsError> {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if name.is_empty() || !name.bytes().all(fine) {
        return Err(CredentialsError::HelperName(Invalid::new("credential helper", name, "must match [a-z0-9_-]+")));
    }
    let fail = |reason: String| CredentialsError::Helper { name: name.to_owned(), reason };
    let mut child = Command::new(format!("docker-credential-{name}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => CredentialsError::NoHelper { name: name.to_owned() },
            _ => fail(fs::plain(&error)),
        })?;
    let mut answer = Vec::new();
    let talk = (|| {
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "{server}")?;
        }
        if let Some(stdout) = child.stdout.take() {
            stdout.take(SMALL_LIMIT).read_to_end(&mut answer)?;
        }
        child.wait()
    })();
    let status = talk.map_err(|error| fail(fs::plain(&error)))?;
    if !status.success() {
        // The protocol's only way to say so; it is a constant of the helpers' library.
        let text = String::from_utf8_lossy(&answer);
        return if text.contains("credentials not found") {
            Ok(None)
        } else {
            Err(fail(format!("it failed ({status})")))
        };
    }
    let answer: HelperAnswer =
        json::from_slice(&answer).map_err(|_| fail("it did not answer with JSON as it should".to_owned()))?;
    Ok(Some(if answer.username == "<token>" {
        Credentials::IdentityToken(answer.secret)
    } else {
        Credentials::Password { user: answer.username, password: answer.secret }
    }))
}

#[cfg(test)]
mod tests;
