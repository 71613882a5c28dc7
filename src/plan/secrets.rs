//! `--secret NAME[,type=mount|env,target=…,uid=…,gid=…,mode=…]`: which secrets a program gets, and as what. The values
//! are looked up at each start, and are in no configuration.

use serde::{Deserialize, Serialize};

use super::{Error, paths};
use crate::types::{Invalid, Name};

/// Where secrets are mounted. Source: podman-run(1), `--secret`.
const DIRECTORY: &str = "/run/secrets";

/// A secret of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretUse {
    /// Its name.
    pub(crate) name: Name,
    /// Its ID when the container was created, for `inspect`.
    pub(crate) id: String,
    /// What the program gets.
    #[serde(flatten)]
    pub(crate) form: SecretForm,
}

/// What the program gets of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub(crate) enum SecretForm {
    /// A file.
    Mount {
        /// The absolute path in the container.
        target: String,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
        /// Its permissions.
        mode: u32,
    },
    /// A variable.
    Env {
        /// Its name.
        variable: String,
    },
}

/// Reads all `--secret`. `is_mounted` says whether something else is mounted at a path.
pub(super) fn secrets(texts: &[String], is_mounted: impl Fn(&str) -> bool) -> Result<Vec<SecretUse>, Error> {
    let mut secrets: Vec<SecretUse> = Vec::with_capacity(texts.len());
    for text in texts {
        let secret = read(text).map_err(Error::option("--secret"))?;
        if let SecretForm::Mount { target, .. } = &secret.form {
            let is_taken =
                |other: &SecretUse| matches!(&other.form, SecretForm::Mount { target: taken, .. } if taken == target);
            if secrets.iter().any(is_taken) || is_mounted(target) {
                return Err(Error::DestinationTwice { destination: target.clone() });
            }
        }
        secrets.push(secret);
    }
    Ok(secrets)
}

fn read(text: &str) -> Result<SecretUse, Invalid> {
    let invalid = |reason: &str| Invalid::new("secret", text, reason);
    let (mut name, mut kind, mut target) = (None, "mount", None);
    let (mut uid, mut gid, mut mode) = (None, None, None);
    for (index, word) in text.split(',').enumerate() {
        match word.split_once('=') {
            None if index == 0 => name = Some(word),
            Some(("source" | "src", value)) => name = Some(value),
            Some(("type", value @ ("mount" | "env"))) => kind = value,
            Some(("type", _)) => return Err(invalid("its type must be mount or env")),
            Some(("target" | "dst" | "destination", value)) => target = Some(value),
            Some(("uid", value)) => uid = Some(value.parse().map_err(|_| invalid("its uid must be a number"))?),
            Some(("gid", value)) => gid = Some(value.parse().map_err(|_| invalid("its gid must be a number"))?),
            Some(("mode", value)) => {
                let read = u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o7777);
                mode = Some(read.ok_or_else(|| invalid("its mode must be octal, such as 0400"))?);
            }
            _ => return Err(invalid("must be NAME[,type=mount|env,target=TARGET,uid=UID,gid=GID,mode=MODE]")),
        }
    }
    let name: Name = name.ok_or_else(|| invalid("must have a name"))?.parse()?;
    let target = target.filter(|target| !target.is_empty());
    let form = if kind == "env" {
        if uid.is_some() || gid.is_some() || mode.is_some() {
            return Err(invalid("a variable has no uid, gid or mode"));
        }
        let variable = target.unwrap_or(name.as_str()).to_owned();
        if variable.contains(['=', '\0']) {
            return Err(invalid("its target must be the name of a variable"));
        }
        SecretForm::Env { variable }
    } else {
        let target = target.unwrap_or(name.as_str());
        let whole = if target.starts_with('/') { target.to_owned() } else { format!("{DIRECTORY}/{target}") };
        let is_below = |path: &String| path.strip_prefix(DIRECTORY).is_some_and(|rest| rest.len() > 1);
        let is_place = |path: &String| is_below(path) || target.starts_with('/') && path != "/" && path != DIRECTORY;
        let target = paths::clean(&whole).filter(is_place);
        let target = target.ok_or_else(|| invalid("its target must be a path"))?;
        SecretForm::Mount { target, uid: uid.unwrap_or(0), gid: gid.unwrap_or(0), mode: mode.unwrap_or(0o444) }
    };
    Ok(SecretUse { name, id: String::new(), form })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Result<SecretForm, String> {
        read(text).map(|secret| secret.form).map_err(|error| error.to_string())
    }

    fn mount(target: &str, uid: u32, gid: u32, mode: u32) -> Result<SecretForm, String> {
        Ok(SecretForm::Mount { target: target.to_owned(), uid, gid, mode })
    }

    #[test]
    fn a_secret_is_a_file_or_a_variable() {
        assert_eq!(form("key"), mount("/run/secrets/key", 0, 0, 0o444));
        assert_eq!(form("key,target=other,uid=1,gid=2,mode=0400"), mount("/run/secrets/other", 1, 2, 0o400));
        assert_eq!(form("source=key,target=a/b"), mount("/run/secrets/a/b", 0, 0, 0o444));
        assert_eq!(form("key,target=/etc//key"), mount("/etc/key", 0, 0, 0o444));
        assert_eq!(form("key,type=env"), Ok(SecretForm::Env { variable: "key".to_owned() }));
        assert_eq!(form("key,type=env,target=KEY"), Ok(SecretForm::Env { variable: "KEY".to_owned() }));
        for text in [
            "",
            "a b",
            "key,other",
            "key,x=1",
            "key,type=file",
            "key,mode=9",
            "key,uid=root",
            "key,target=/",
            "key,target=..",
            "key,type=env,mode=0400",
            "key,type=env,target=A=B",
        ] {
            assert!(form(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_of_them_have_two_places() {
        let both = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            secrets(&texts, |path| path == "/data").map(|found| found.len()).map_err(|error| error.to_string())
        };
        assert_eq!(both(&["a", "b", "a,type=env"]), Ok(3));
        assert!(both(&["a", "b,target=a"]).is_err());
        assert!(both(&["a,target=/data"]).is_err());
    }
}
