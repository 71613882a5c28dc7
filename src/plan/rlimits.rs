//! The limits of getrlimit(2).

use super::{Error, Rlimit};
use crate::types::Invalid;

/// The resources of `--ulimit` by their names in docker and podman, which are the kernel's in lower case. Source:
/// getrlimit(2).
const RESOURCES: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `--ulimit NAME=SOFT[:HARD]`; the last of the same name wins. -1 is as much as the user may have, which a start finds
/// out. `host` is the default of rc: a limit that no option sets is the caller's. Source: podman-run(1), `--ulimit`.
pub(super) fn rlimits(texts: &[String]) -> Result<Vec<Rlimit>, Error> {
    let mut rlimits: Vec<Rlimit> = Vec::new();
    for text in texts.iter().filter(|text| *text != "host") {
        let limit = rlimit(text).map_err(Error::option("--ulimit"))?;
        rlimits.retain(|other| other.name != limit.name);
        rlimits.push(limit);
    }
    Ok(rlimits)
}

fn rlimit(text: &str) -> Result<Rlimit, Invalid> {
    let invalid = |reason: &str| Invalid::new("limit", text, reason);
    let (name, values) = text.split_once('=').ok_or_else(|| invalid("must be NAME=SOFT[:HARD]"))?;
    if !RESOURCES.contains(&name) {
        return Err(invalid("no such limit (getrlimit(2))"));
    }
    let value = |value: &str| match value {
        "-1" | "unlimited" => Ok(u64::MAX),
        _ if value.starts_with('+') => Err(invalid("a limit must be a number, or -1 for none")),
        _ => value.parse::<u64>().map_err(|_| invalid("a limit must be a number, or -1 for none")),
    };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard) = (value(soft)?, value(hard)?);
    if soft > hard {
        return Err(invalid("the soft limit is above the hard one"));
    }
    Ok(Rlimit { name: format!("RLIMIT_{}", name.to_ascii_uppercase()), soft, hard })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_limits() {
        let read = |text: &str| rlimit(text).map(|limit| (limit.name, limit.soft, limit.hard));
        assert_eq!(read("nofile=1024:2048"), Ok(("RLIMIT_NOFILE".to_owned(), 1024, 2048)));
        assert_eq!(read("core=0"), Ok(("RLIMIT_CORE".to_owned(), 0, 0)));
        assert_eq!(read("stack=1:-1"), Ok(("RLIMIT_STACK".to_owned(), 1, u64::MAX)));
        for bad in
            ["nofile", "nofile=", "nofile=2:1", "nofile=-1:5", "files=1", "nofile=1:2:3", "nofile=+1", "NOFILE=1"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read("memlock=-1:-1"), Ok(("RLIMIT_MEMLOCK".to_owned(), u64::MAX, u64::MAX)));
        let both = rlimits(&["nofile=1".into(), "core=1".into(), "host".into(), "nofile=2".into()]).unwrap();
        assert_eq!(both.iter().map(|limit| limit.soft).collect::<Vec<_>>(), [1, 2]);
    }
}
