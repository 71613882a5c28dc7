//! `--security-opt mask=…|unmask=…|systempaths=unconfined|proc-opts=…`: which parts of `/proc` and `/sys` a container
//! sees.

use super::{SystemPaths, paths};
use crate::types::{Invalid, glob};

/// Applies one option; `false` if `name` is none of them. Source: podman-run(1), docker-run(1), `--security-opt`.
pub(super) fn option(into: &mut SystemPaths, name: &str, value: &str) -> Result<bool, Invalid> {
    match name {
        "mask" => {
            for path in value.split(':') {
                let clean = paths::clean(path).filter(|path| path != "/");
                let refused = || Invalid::new("path to mask", path, "must be an absolute path below `/`");
                into.mask.push(clean.ok_or_else(refused)?);
            }
        }
        "unmask" if value.eq_ignore_ascii_case("all") => into.unmask.push("ALL".to_owned()),
        "unmask" => {
            for path in value.split(':') {
                if !path.starts_with('/') {
                    return Err(Invalid::new("path to unmask", path, "must be an absolute path, or ALL"));
                }
                into.unmask.push(path.to_owned());
            }
        }
        "systempaths" if value == "unconfined" => into.unmask.push("ALL".to_owned()),
        "systempaths" => return Err(Invalid::new("value of systempaths", value, "must be unconfined")),
        "proc-opts" => {
            for option in value.split(',') {
                into.proc_options.push(proc_option(option)?);
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// An option of a mount of `/proc`. Source: proc(5), "Mount options".
fn proc_option(text: &str) -> Result<String, Invalid> {
    let is_known = match text.split_once('=').unwrap_or((text, "")) {
        ("hidepid", value) => {
            matches!(value, "0" | "1" | "2" | "4" | "off" | "noaccess" | "invisible" | "ptraceable")
        }
        ("subset", value) => value == "pid",
        ("gid", value) => value.parse::<u32>().is_ok(),
        ("ro" | "rw" | "nosuid" | "nodev" | "noexec", value) => value.is_empty() && !text.contains('='),
        _ => false,
    };
    let needed = "must be hidepid=0|1|2|4, subset=pid, gid=GID, ro, rw, nosuid, nodev or noexec";
    if is_known { Ok(text.to_owned()) } else { Err(Invalid::new("mount option of /proc", text, needed)) }
}

impl SystemPaths {
    /// The paths that are hidden, on a host with this many CPUs; the runtime skips missing ones.
    pub(crate) fn masked(&self, cpus: u32) -> Vec<String> {
        let defaults = paths::masked(cpus).into_iter().filter(|path| !self.unmasks(path));
        defaults.chain(self.mask.iter().cloned()).collect()
    }

    /// The paths that are read-only.
    pub(crate) fn read_only(&self) -> Vec<String> {
        paths::read_only().into_iter().filter(|path| !self.unmasks(path)).collect()
    }

    fn unmasks(&self, path: &str) -> bool {
        self.unmask.iter().any(|pattern| pattern == "ALL" || glob::matches(pattern, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<SystemPaths, String> {
        let mut paths = SystemPaths::default();
        for (name, value) in options {
            assert!(option(&mut paths, name, value).map_err(|error| error.to_string())?, "{name} is known");
        }
        Ok(paths)
    }

    #[test]
    fn paths_are_masked_and_unmasked() {
        let none = read(&[]).unwrap();
        let has = |paths: &[String], path: &str| paths.iter().any(|has| has == path);
        assert!(has(&none.masked(1), "/proc/kcore") && has(&none.read_only(), "/proc/sys"));
        let some = read(&[("unmask", "/proc/k*:/proc/sys"), ("mask", "/etc/../opt/x:/y")]).unwrap();
        let masked = some.masked(1);
        for path in ["/proc/kcore", "/proc/kmsg"] {
            assert!(!has(&masked, path), "{path}");
        }
        for path in ["/opt/x", "/y", "/proc/acpi", "/sys/firmware"] {
            assert!(has(&masked, path), "{path}");
        }
        assert!(!has(&some.read_only(), "/proc/sys") && has(&some.read_only(), "/proc/irq"));
        for all in [("unmask", "ALL"), ("unmask", "all"), ("systempaths", "unconfined")] {
            let all = read(&[all, ("mask", "/x")]).unwrap();
            assert_eq!((all.masked(4), all.read_only()), (vec!["/x".to_owned()], vec![]));
        }
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(read(&[("proc-opts", "hidepid=2,subset=pid")]).unwrap().proc_options, ["hidepid=2", "subset=pid"]);
        for bad in [
            ("mask", ""),
            ("mask", "/"),
            ("mask", "x"),
            ("mask", "/x:"),
            ("unmask", "proc"),
            ("unmask", ""),
            ("systempaths", "confined"),
            ("proc-opts", ""),
            ("proc-opts", "hidepid=3"),
            ("proc-opts", "subset=all"),
            ("proc-opts", "suid"),
            ("proc-opts", "ro=1"),
        ] {
            assert!(read(&[bad]).is_err(), "{bad:?}");
        }
        assert_eq!(option(&mut SystemPaths::default(), "label", "x"), Ok(false));
    }
}
