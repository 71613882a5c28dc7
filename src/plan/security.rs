//! `--security-opt`.

use super::seccomp::{Conditions, profile};
use super::{Error, Facts, Request, Seccomp, SystemPaths, system_paths};
use crate::types::Invalid;

/// What `--security-opt` can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Security {
    pub(super) no_new_privileges: bool,
    pub(super) seccomp: Seccomp,
    pub(super) system_paths: SystemPaths,
}

/// The file that `--security-opt` names, if it names one.
pub(crate) fn seccomp_file(option: &str) -> Option<&str> {
    match option.split_once(['=', ':']) {
        Some(("seccomp", "unconfined" | "default" | "")) => None,
        Some(("seccomp", path)) => Some(path),
        _ => None,
    }
}

/// Reads the options over the settings' `no_new_privileges`; the last option on a subject wins.
pub(super) fn security(request: &Request, facts: &Facts, capabilities: &[String]) -> Result<Security, Error> {
    let mut first = Security {
        no_new_privileges: facts.defaults.no_new_privileges,
        seccomp: Seccomp::Default,
        system_paths: SystemPaths::default(),
    };
    if request.privileged {
        first.seccomp = Seccomp::Unconfined;
        first.system_paths.unmask.push("ALL".to_owned());
    }
    changed(first, request, facts, capabilities)
}

/// Reads the options over what a container has.
pub(super) fn changed(
    mut security: Security,
    request: &Request,
    facts: &Facts,
    capabilities: &[String],
) -> Result<Security, Error> {
    let conditions = Conditions { capabilities, kernel: facts.kernel };
    for text in &request.security_opts {
        let refused = |reason: &str| Error::option("--security-opt")(Invalid::new("security option", text, reason));
        // Older scripts write `no-new-privileges:true`.
        let (name, value) = text.split_once(['=', ':']).unwrap_or((text, ""));
        if system_paths::option(&mut security.system_paths, name, value).map_err(Error::option("--security-opt"))? {
            continue;
        }
        match (name, value, seccomp_file(text)) {
            ("no-new-privileges", "" | "true", _) => security.no_new_privileges = true,
            ("no-new-privileges", "false", _) => security.no_new_privileges = false,
            ("seccomp", "unconfined", _) => security.seccomp = Seccomp::Unconfined,
            ("seccomp", "default", _) => security.seccomp = Seccomp::Default,
            // rc never uses SELinux labels or AppArmor profiles.
            ("label", "disable", _) | ("apparmor", "unconfined", _) => {}
            (_, _, Some(path)) => {
                let file = request.seccomp_profiles.iter().find(|file| file.path == path);
                let file = file.ok_or_else(|| refused("the profile was not read"))?;
                let rules = profile(file, &conditions).map_err(Error::option("--security-opt"))?;
                security.seccomp = Seccomp::Profile { path: path.to_owned(), rules: Box::new(rules) };
            }
            _ => {
                return Err(refused(
                    "rc supports no-new-privileges[=true|false], seccomp=unconfined|default|FILE, mask=PATH[:PATH...], \
                     unmask=ALL|PATH[:PATH...], systempaths=unconfined and proc-opts=OPTIONS",
                ));
            }
        }
    }
    Ok(security)
}

#[cfg(test)]
mod tests {
    use super::super::TextFile;
    use super::super::tests::facts;
    use super::*;

    fn read(options: &[&str]) -> Result<Security, String> {
        let request = Request {
            security_opts: options.iter().map(|&option| option.to_owned()).collect(),
            seccomp_profiles: vec![TextFile {
                path: "/p.json".to_owned(),
                text: r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#.to_owned(),
            }],
            ..Request::default()
        };
        security(&request, &facts(), &[]).map_err(|error| error.to_string())
    }

    #[test]
    fn options() {
        let read = |options: &[&str]| read(options).map(|security| (security.no_new_privileges, security.seccomp)).ok();
        assert_eq!(read(&[]), Some((false, Seccomp::Default)));
        assert_eq!(read(&["no-new-privileges"]), Some((true, Seccomp::Default)));
        assert_eq!(read(&["no-new-privileges:true", "seccomp=unconfined"]), Some((true, Seccomp::Unconfined)));
        assert_eq!(read(&["no-new-privileges=true", "no-new-privileges=false"]), Some((false, Seccomp::Default)));
        assert_eq!(read(&["seccomp=/p.json", "seccomp=default"]), Some((false, Seccomp::Default)));
        for nothing in ["label=disable", "label:disable", "apparmor=unconfined"] {
            assert_eq!(read(&[nothing]), read(&[]), "{nothing}");
        }
        for bad in ["seccomp=/other.json", "seccomp=", "label=type:x", "apparmor=x", "", "no-new-privileges=maybe"] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
        let mut facts = facts();
        facts.defaults.no_new_privileges = true;
        assert!(security(&Request::default(), &facts, &[]).unwrap().no_new_privileges);
    }

    #[test]
    fn a_profile_is_kept_as_it_was_read() {
        let security = read(&["seccomp=/p.json"]).unwrap();
        assert!(matches!(&security.seccomp, Seccomp::Profile { path, .. } if path == "/p.json"));
        let json = serde_json::to_string(&security.seccomp).unwrap();
        assert_eq!(crate::types::json::from_str::<Seccomp>(&json).unwrap(), security.seccomp);
    }
}
