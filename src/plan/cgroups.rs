//! Where the container's cgroup is created, and what the container sees of it.

use std::collections::BTreeMap;

use super::{Cgroup, CgroupMode, CgroupNamespace, Error, Limits, Request};
use crate::types::Invalid;

/// The requested cgroup. Fails if there is to be none and something needs one.
pub(super) fn cgroup(request: &Request, limits: &Limits, namespace: CgroupNamespace) -> Result<Cgroup, Error> {
    let mode = match request.cgroups.as_deref() {
        None | Some("enabled") => CgroupMode::Enabled,
        Some("disabled") => CgroupMode::Disabled,
        Some("split") => CgroupMode::Split,
        Some("no-conmon") => CgroupMode::NoConmon,
        Some(other) => {
            return Err(option("--cgroups", "mode", other, "must be `enabled`, `disabled`, `no-conmon` or `split`"));
        }
    };
    let parent = request.cgroup_parent.as_deref().filter(|text| !text.is_empty()).map(parent).transpose()?;
    let conf = request.cgroup_conf.iter().map(|text| conf(text)).collect::<Result<BTreeMap<_, _>, _>>()?;
    let exclusive = |options| Err(Error::Exclusive { options });
    match mode {
        CgroupMode::Disabled if parent.is_some() => exclusive(["--cgroups=disabled", "--cgroup-parent"]),
        CgroupMode::Disabled if !conf.is_empty() => exclusive(["--cgroups=disabled", "--cgroup-conf"]),
        CgroupMode::Split if parent.is_some() => exclusive(["--cgroups=split", "--cgroup-parent"]),
        CgroupMode::Disabled if has_limits(limits) => {
            Err(option("--cgroups", "mode", "disabled", "without a cgroup there are no limits"))
        }
        _ => Ok(Cgroup { mode, namespace, parent, conf }),
    }
}

fn option(option: &'static str, what: &'static str, text: &str, reason: &'static str) -> Error {
    Error::Option { option, source: Invalid::new(what, text, reason) }
}

fn has_limits(limits: &Limits) -> bool {
    *limits != Limits { default_pids: limits.default_pids, ..Limits::default() }
}

/// `--cgroup-parent`: a slice, or the absolute path of a cgroup. A slice's name implies its parents, so leading
/// directories, which podman takes, are dropped.
fn parent(text: &str) -> Result<String, Error> {
    let invalid =
        |reason: String| Err(Error::Option { option: "--cgroup-parent", source: Invalid::new("cgroup", text, reason) });
    if text.chars().any(char::is_control) {
        return invalid("contains a control character".to_owned());
    }
    let Some(path) = text.strip_prefix('/') else {
        let text = text.rsplit('/').next().filter(|last| last.ends_with(".slice")).unwrap_or(text);
        // The characters of systemd.unit(5).
        let is_plain =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b));
        return match text.strip_suffix(".slice") {
            Some(name) if is_plain(name) && text.len() < 256 => Ok(text.to_owned()),
            None if is_plain(text) => invalid(format!("the name of a slice must end in `.slice`: `{text}.slice`")),
            _ => invalid("must be a slice, such as `web.slice`, or the absolute path of a cgroup".to_owned()),
        };
    };
    if path.split('/').any(|part| part == "..") {
        return invalid("must not contain `..`".to_owned());
    }
    Ok(format!("/{}", path.trim_end_matches('/')))
}

/// `--cgroup-conf FILE=VALUE`.
fn conf(text: &str) -> Result<(String, String), Error> {
    match text.split_once('=') {
        Some((file, value)) if !file.is_empty() && !value.is_empty() => Ok((file.to_owned(), value.to_owned())),
        _ => Err(option("--cgroup-conf", "setting", text, "must be FILE=VALUE, such as `memory.high=64m`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: impl FnOnce(&mut Request)) -> Result<Cgroup, String> {
        let mut request = Request::default();
        set(&mut request);
        cgroup(&request, &Limits::default(), CgroupNamespace::Private).map_err(|error| error.to_string())
    }

    #[test]
    fn modes_and_namespaces_are_podman_s_words() {
        assert_eq!(read(|_| ()), Ok(Cgroup::default()));
        for (word, mode) in [
            ("enabled", CgroupMode::Enabled),
            ("disabled", CgroupMode::Disabled),
            ("split", CgroupMode::Split),
            ("no-conmon", CgroupMode::NoConmon),
        ] {
            let mut request = Request { cgroups: Some(word.to_owned()), ..Request::default() };
            assert_eq!(cgroup(&request, &Limits::default(), CgroupNamespace::Private).unwrap().mode, mode);
            assert_eq!(mode.as_str(), word);
            request.cgroups = Some(word.to_uppercase());
            assert!(cgroup(&request, &Limits::default(), CgroupNamespace::Private).is_err());
        }
    }

    #[test]
    fn a_parent_is_a_slice_or_an_absolute_path() {
        for (text, parent) in [
            ("web.slice", Some("web.slice")),
            ("user.slice/user-web.slice", Some("user-web.slice")),
            ("/a/b/", Some("/a/b")),
            ("/a/web.slice", Some("/a/web.slice")),
            ("/", Some("/")),
            ("", None),
        ] {
            let found = read(|r| r.cgroup_parent = Some(text.into())).unwrap().parent;
            assert_eq!(found.as_deref(), parent, "{text}");
        }
        for bad in ["web", "a/b", ".slice", "a/.slice", "/a/../b", "/a\n", "we b.slice", "..", "é.slice"] {
            assert!(read(|r| r.cgroup_parent = Some(bad.into())).is_err(), "{bad}");
        }
        let said = |text: &str| read(|r| r.cgroup_parent = Some(text.into())).unwrap_err();
        assert_eq!(
            said("web"),
            "`--cgroup-parent`: invalid cgroup `web`: the name of a slice must end in `.slice`: `web.slice`"
        );
        assert!(said("a/b").ends_with("or the absolute path of a cgroup"));
    }

    #[test]
    fn what_needs_a_group_excludes_having_none() {
        let disabled = |set: fn(&mut Request)| {
            read(|request| {
                request.cgroups = Some("disabled".into());
                set(request);
            })
        };
        assert!(disabled(|_| ()).is_ok());
        assert!(disabled(|r| r.cgroup_parent = Some("a.slice".into())).is_err());
        assert!(disabled(|r| r.cgroup_conf = vec!["memory.high=1".into()]).is_err());
        let request = Request { cgroups: Some("disabled".into()), ..Request::default() };
        let limits =
            |limits: Limits| cgroup(&request, &limits, CgroupNamespace::Private).map_err(|error| error.to_string());
        assert!(limits(Limits { default_pids: Some(5), ..Limits::default() }).is_ok());
        assert_eq!(
            limits(Limits { memory: Some(1), ..Limits::default() }),
            Err("`--cgroups`: invalid mode `disabled`: without a cgroup there are no limits".to_owned())
        );
        assert!(read(|r| r.cgroup_conf = vec!["memory.high".into()]).is_err());
    }
}
