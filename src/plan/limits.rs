//! Memory, processors, processes, and the limits of getrlimit(2).

use super::{Defaults, Error, Limits, Request, Rlimit};
use crate::types::{Invalid, parse_size};

/// The resources of `--ulimit` by their names in docker and podman, which are the kernel's in lower case. Source: getrlimit(2).
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

/// The limits by cgroup: those asked for, and the settings' limit of processes when none was.
pub(super) fn limits(request: &Request, defaults: &Defaults) -> Result<Limits, Error> {
    let memory = request.memory.as_deref().map(parse_size).transpose().map_err(Error::option("--memory"))?;
    let milli_cpus = request.cpus.as_deref().map(milli_cpus).transpose().map_err(Error::option("--cpus"))?;
    let pids = request.pids_limit.map(processes).transpose().map_err(Error::option("--pids-limit"))?;
    Ok(Limits {
        memory: memory.filter(|bytes| *bytes > 0),
        milli_cpus: milli_cpus.filter(|cpus| *cpus > 0),
        pids: pids.flatten(),
        default_pids: if pids.is_none() { defaults.pids_limit } else { None },
    })
}

/// `--cpus`: a decimal number of processors, in thousandths; 0 is no limit.
fn milli_cpus(text: &str) -> Result<u64, Invalid> {
    let invalid = |reason: &str| Invalid::new("number of processors", text, reason);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) || whole.len() > 6 {
        return Err(invalid("it is a decimal number, as 1.5"));
    }
    let number = |digits: &str| digits.parse::<u64>().unwrap_or(0);
    let thousandths: String = part.chars().chain("000".chars()).take(3).collect();
    let milli = number(whole) * 1000 + number(&thousandths);
    // The least quota the kernel takes is 1 ms of a period of 100 ms.
    if milli < 10 && text.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
        return Err(invalid("the least is 0.01"));
    }
    Ok(milli)
}

/// `--pids-limit`: 0 and -1 are no limit.
fn processes(limit: i64) -> Result<Option<u64>, Invalid> {
    match limit {
        -1 | 0 => Ok(None),
        _ => u64::try_from(limit)
            .map(Some)
            .map_err(|_| Invalid::new("number of processes", limit.to_string(), "it is positive, or -1 for no limit")),
    }
}

/// `--ulimit NAME=SOFT[:HARD]`; -1 is no limit; of the same name the last counts.
pub(super) fn rlimits(texts: &[String]) -> Result<Vec<Rlimit>, Error> {
    let mut rlimits: Vec<Rlimit> = Vec::new();
    for text in texts {
        let limit = rlimit(text).map_err(Error::option("--ulimit"))?;
        rlimits.retain(|other| other.name != limit.name);
        rlimits.push(limit);
    }
    Ok(rlimits)
}

fn rlimit(text: &str) -> Result<Rlimit, Invalid> {
    let invalid = |reason: &str| Invalid::new("limit", text, reason);
    let (name, values) = text.split_once('=').ok_or_else(|| invalid("it is written NAME=SOFT[:HARD]"))?;
    if !RESOURCES.contains(&name) {
        return Err(invalid("there is no resource of that name (getrlimit(2))"));
    }
    let value = |value: &str| match value {
        "-1" | "unlimited" => Ok(u64::MAX),
        _ if value.starts_with('+') => Err(invalid("a limit is a number, or -1 for none")),
        _ => value.parse::<u64>().map_err(|_| invalid("a limit is a number, or -1 for none")),
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
    fn processors() {
        for (text, milli) in [
            ("1", 1000),
            ("1.5", 1500),
            ("0.5", 500),
            (".25", 250),
            ("2.", 2000),
            ("0", 0),
            ("0.01", 10),
            ("0.0129", 12),
        ] {
            assert_eq!(milli_cpus(text), Ok(milli), "{text}");
        }
        for bad in ["", ".", "-1", "1e3", "0.001", "1,5", "1.5.5", "a", "99999999"] {
            assert!(milli_cpus(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn absent_zero_and_asked() {
        let defaults = Defaults { pids_limit: Some(2048), ..Defaults::default() };
        let asked = |memory: Option<&str>, pids: Option<i64>| {
            let request = Request { memory: memory.map(str::to_owned), pids_limit: pids, ..Request::default() };
            limits(&request, &defaults).map(|l| (l.memory, l.pids, l.default_pids)).map_err(|e| e.to_string())
        };
        assert_eq!(asked(None, None), Ok((None, None, Some(2048))));
        assert_eq!(asked(Some("64m"), Some(10)), Ok((Some(67_108_864), Some(10), None)));
        assert_eq!(asked(Some("0"), Some(-1)), Ok((None, None, None)));
        assert_eq!(asked(None, Some(0)), Ok((None, None, None)));
        assert_eq!(
            asked(None, Some(-2)),
            Err("`--pids-limit`: invalid number of processes `-2`: it is positive, or -1 for no limit".to_owned())
        );
    }

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
        let both = rlimits(&["nofile=1".into(), "core=1".into(), "nofile=2".into()]).unwrap();
        assert_eq!(both.iter().map(|limit| limit.soft).collect::<Vec<_>>(), [1, 2]);
    }
}
