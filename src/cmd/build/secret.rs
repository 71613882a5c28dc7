//! `rc build --secret`.

use crate::engine::BuildSecret;
use crate::error::Error;
use crate::sys::fs;

/// The most bytes of a secret. Source: BuildKit, `MaxSecretSize`.
const SECRET_LIMIT: u64 = 500 << 10;

/// Reads `id=NAME,src=FILE`, `id=NAME,env=VARIABLE` or `id=NAME`, and the secret itself.
pub(super) fn read(typed: &str) -> Result<BuildSecret, Error> {
    let wrong = |reason: &str| {
        Error::new(format!("`--secret {}`: {reason}", typed.escape_debug())).with_hint("write id=NAME,src=FILE")
    };
    let (mut id, mut path, mut variable, mut kind) = (None, None, None, None);
    for field in typed.split(',') {
        match field.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => path = Some(value.to_owned()),
            Some(("env", value)) => variable = Some(value.to_owned()),
            Some(("type", value)) => kind = Some(value.to_owned()),
            _ => return Err(wrong("it has fields id, src, env and type")),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| wrong("it has no id"))?;
    let from_variable = match (kind.as_deref(), &path, variable) {
        (Some("env"), _, None) => Some(path.clone().unwrap_or_else(|| id.clone())),
        (None | Some("env"), None, Some(variable)) => Some(variable),
        (None, None, None) if std::env::var_os(&id).is_some() => Some(id.clone()),
        (None | Some("file"), _, None) => None,
        _ => return Err(wrong("it comes from a file or from a variable")),
    };
    let value = match from_variable {
        Some(name) => {
            use std::os::unix::ffi::OsStringExt as _;
            std::env::var_os(&name).ok_or_else(|| wrong(&format!("there is no variable `{name}`")))?.into_vec()
        }
        None => fs::read_limited(path.as_deref().unwrap_or(&id), SECRET_LIMIT)?,
    };
    Ok(BuildSecret { id, value })
}
