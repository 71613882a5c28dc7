//! `--security-opt`.

use super::{Error, Seccomp};
use crate::types::Invalid;

/// What `--security-opt` can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Security {
    pub(super) no_new_privileges: bool,
    pub(super) seccomp: Seccomp,
}

/// Reads the options over the settings' `no_new_privileges`; the last word on a subject counts.
pub(super) fn security(options: &[String], no_new_privileges: bool) -> Result<Security, Error> {
    let mut security = Security { no_new_privileges, seccomp: Seccomp::Default };
    for text in options {
        // Older scripts write `no-new-privileges:true`.
        let (name, value) = text.split_once(['=', ':']).unwrap_or((text, ""));
        match (name, value) {
            ("no-new-privileges", "" | "true") => security.no_new_privileges = true,
            ("no-new-privileges", "false") => security.no_new_privileges = false,
            ("seccomp", "unconfined") => security.seccomp = Seccomp::Unconfined,
            ("seccomp", "default") => security.seccomp = Seccomp::Default,
            _ => {
                let reason = "rc supports no-new-privileges[=true|false] and seccomp=unconfined|default";
                return Err(Error::option("--security-opt")(Invalid::new("security option", text, reason)));
            }
        }
    }
    Ok(security)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let read = |options: &[&str]| {
            let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
            security(&options, false).map(|s| (s.no_new_privileges, s.seccomp)).ok()
        };
        assert_eq!(read(&[]), Some((false, Seccomp::Default)));
        assert_eq!(read(&["no-new-privileges"]), Some((true, Seccomp::Default)));
        assert_eq!(read(&["no-new-privileges:true", "seccomp=unconfined"]), Some((true, Seccomp::Unconfined)));
        assert_eq!(read(&["no-new-privileges=true", "no-new-privileges=false"]), Some((false, Seccomp::Default)));
        for bad in ["seccomp=/etc/profile.json", "label=disable", "apparmor=x", "", "no-new-privileges=maybe"] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
        assert!(security(&[], true).unwrap().no_new_privileges);
    }
}
