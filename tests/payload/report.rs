//! Everything that a program can see of its container, as one JSON object.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::text;

type Outcome = Result<Value, Box<dyn std::error::Error>>;

/// All facts at once; a test picks those that it needs.
pub(crate) fn everything() -> Outcome {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    let status = table(&text("/proc/self/status")?);
    let ids = |name: &str| -> Vec<u32> {
        status
            .get(name)
            .map(|line| line.split_whitespace().filter_map(|id| id.parse().ok()).collect())
            .unwrap_or_default()
    };
    let word = |name: &str| status.get(name).cloned().unwrap_or_default();
    Ok(json!({
        "args": std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>(),
        "env": environment,
        "cwd": std::env::current_dir().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
        "hostname": text("/proc/sys/kernel/hostname")?.trim(),
        "pid": std::process::id(),
        "ppid": std::os::unix::process::parent_id(),
        "uids": ids("Uid"),
        "gids": ids("Gid"),
        "groups": ids("Groups"),
        "umask": word("Umask"),
        "caps": {
            "inh": word("CapInh"), "prm": word("CapPrm"), "eff": word("CapEff"), "bnd": word("CapBnd"),
            "amb": word("CapAmb")
        },
        "no_new_privs": word("NoNewPrivs"),
        "seccomp": word("Seccomp"),
        "signals": { "blocked": word("SigBlk"), "ignored": word("SigIgn") },
        "oom_score_adj": text("/proc/self/oom_score_adj")?.trim(),
        "fds": descriptors()?,
        "tty": rustix::termios::isatty(std::io::stdin()),
        "limits": text("/proc/self/limits")?.lines().skip(1).map(|line| line.trim_end().to_owned()).collect::<Vec<_>>(),
        "mounts": mounts()?,
        "namespaces": links("/proc/self/ns")?,
        "cgroup": text("/proc/self/cgroup")?.lines().collect::<Vec<_>>(),
        "uid_map": map("/proc/self/uid_map")?,
        "gid_map": map("/proc/self/gid_map")?,
        "setgroups": text("/proc/self/setgroups")?.trim(),
    }))
}

/// Rows and columns of the terminal on standard input.
pub(crate) fn terminal_size() -> Result<String, Box<dyn std::error::Error>> {
    let size = rustix::termios::tcgetwinsize(std::io::stdin())?;
    Ok(format!("{} {}", size.ws_row, size.ws_col))
}

/// Every visible process: its number, name and state.
pub(crate) fn processes() -> Result<String, Box<dyn std::error::Error>> {
    let mut found = String::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // It may have exited by now.
        let Ok(line) = text(&format!("/proc/{pid}/stat")) else { continue };
        let (Some(start), Some(end)) = (line.find('('), line.rfind(')')) else { continue };
        let state = line[end + 1..].split_whitespace().next().unwrap_or("?");
        found.push_str(&format!("{pid} {} {state}\n", &line[start + 1..end]));
    }
    Ok(found)
}

/// The lines `Name: value` of a file like `/proc/self/status`.
fn table(lines: &str) -> BTreeMap<String, String> {
    lines
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// The open descriptors and what they are, without the one that reads the list.
fn descriptors() -> Outcome {
    let mut found = links("/proc/self/fd")?;
    if let Some(list) = found.as_object_mut() {
        list.retain(|_, target| target.as_str().is_none_or(|path| !path.ends_with("/fd")));
    }
    Ok(found)
}

/// The symbolic links of a directory and where they lead.
fn links(directory: &str) -> Outcome {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if let Ok(target) = std::fs::read_link(entry.path()) {
            found.insert(entry.file_name().to_string_lossy().into_owned(), target.to_string_lossy().into_owned());
        }
    }
    Ok(json!(found))
}

/// Mount points with type, options of the mount and of the file system.
fn mounts() -> Outcome {
    let mut found = Vec::new();
    for line in text("/proc/self/mountinfo")?.lines() {
        let (left, right) = line.split_once(" - ").ok_or("mountinfo without a hyphen")?;
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        found
            .push(json!({ "root": left[3], "path": left[4], "options": left[5], "type": right[0], "super": right[2] }));
    }
    Ok(json!(found))
}

/// The lines of an id map as triples.
fn map(path: &str) -> Result<Vec<Vec<u32>>, Box<dyn std::error::Error>> {
    Ok(text(path)?.lines().map(|line| line.split_whitespace().filter_map(|id| id.parse().ok()).collect()).collect())
}
