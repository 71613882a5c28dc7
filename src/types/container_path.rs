//! Paths inside a container, by their text alone: the runtime resolves symlinks, every path beneath the root.

/// Files of `/proc` that a mount may hide, because they only inform (lxcfs). Other files of the caller there would
/// pass for the kernel's. Source: runc `checkProcMount`.
const PROC_FILES: [&str; 9] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/dev",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
];

/// An absolute path without empty, `.` and `..` components; `None` if it is not absolute or holds a NUL.
pub(crate) fn clean(path: &str) -> Option<String> {
    if !path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// Whether `path` is `parent` or beneath it; both must be clean.
pub(crate) fn is_within(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The clean path of a mount: absolute, not the root, and not over the kernel's own files. The error is the reason.
pub(crate) fn mount_destination(text: &str) -> Result<String, &'static str> {
    let path = clean(text).ok_or("the destination must be an absolute path")?;
    if path == "/" {
        return Err("nothing can be mounted over the root");
    }
    if is_within(&path, "/proc") && !PROC_FILES.contains(&path.as_str()) {
        return Err("nothing can be mounted over /proc");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning() {
        for (path, cleaned) in [
            ("/", Some("/")),
            ("/a//b/", Some("/a/b")),
            ("/a/./b", Some("/a/b")),
            ("/a/../b", Some("/b")),
            ("/../../x", Some("/x")),
            ("a", None),
            ("", None),
            ("/a\0", None),
        ] {
            assert_eq!(clean(path).as_deref(), cleaned, "{path:?}");
        }
        assert!(is_within("/proc/x", "/proc") && is_within("/proc", "/proc") && !is_within("/process", "/proc"));
    }

    #[test]
    fn what_is_the_kernel_s_stays_visible() {
        assert_eq!(mount_destination("/a/../b/").as_deref(), Ok("/b"));
        assert_eq!(mount_destination("/proc/./uptime").as_deref(), Ok("/proc/uptime"));
        for path in ["/", "/..", "/proc", "/proc/sys", "/x/../proc/1", "a", "/a\0"] {
            assert!(mount_destination(path).is_err(), "{path:?}");
        }
    }
}
