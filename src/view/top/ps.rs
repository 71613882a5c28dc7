//! The options of ps(1) that `top` takes, and the columns of ps that podman's descriptors do not have. `docker top`
//! passes its words to the host's ps, and podman to one in the container; rc computes the same from `/proc`, so that no
//! program of an image decides what is shown.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{COLUMNS, Column, Context, NOTHING, age, command, seconds, terminal};
use crate::container::Process;
use crate::types::Invalid;

/// Whose IDs and names are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terms {
    /// The container's, as with podman.
    Container,
    /// The host's, as with docker.
    Host,
}

/// Columns, and whether they have headings.
#[derive(Debug, Clone)]
pub(crate) struct PsFormat {
    /// The columns.
    pub(crate) columns: Vec<Column>,
    /// Whether the headings are shown.
    pub(crate) has_headings: bool,
}

/// The formats of options, in this module's words. Source: ps(1), "OUTPUT FORMAT CONTROL".
const FULL: &str = "user=UID,pid,ppid,c,stime,tty,time,args=CMD";
const USER: &str = "user,pid,%cpu,%mem,vsz,rss,tty,stat,start,bsdtime=TIME,args=COMMAND";
const SIMPLE: &str = "pid,tty,time,comm=CMD";
const LONG: &str = "s,uid,pid,ppid,c,ni,sz,tty,time,comm=CMD";
const BSD: &str = "pid,tty,stat,bsdtime=TIME,args=COMMAND";
const JOBS: &str = "ppid,pid,pgid,tty,stat,uid,bsdtime=TIME,args=COMMAND";

macro_rules! columns {
    ($($name:literal $heading:literal $show:expr;)*) => {
        &[$(Column { name: $name, code: "", heading: std::borrow::Cow::Borrowed($heading), show: $show }),*]
    };
}

/// Columns as ps shows them, where that is not as podman's descriptors do.
const OWN: &[Column] = columns! {
    "bsdtime" "TIME" |p, _| bsd_time(seconds(p.stat.ticks[0]));
    "c" "C" |p, c| format!("{:.0}", share(p, c));
    "etime" "ELAPSED" |p, c| elapsed(age(p, c));
    "etimes" "ELAPSED" |p, c| age(p, c).as_secs().to_string();
    "lstart" "STARTED" |p, c| local(p, c).map_or_else(missing, |at| at.strftime("%a %b %e %H:%M:%S %Y").to_string());
    "nlwp" "NLWP" |p, _| p.stat.threads.to_string();
    "pcpu" "%CPU" |p, c| format!("{:.1}", share(p, c));
    "pmem" "%MEM" |p, _| memory(p);
    "start" "START" |p, c| started(p, c);
    "stat" "STAT" |p, _| state(p);
    "state" "S" |p, _| p.stat.state.to_string();
    "stime" "STIME" |p, c| started(p, c);
    "sz" "SZ" |p, _| (p.stat.virtual_size / super::page()).to_string();
    "time" "TIME" |p, _| clock(seconds(p.stat.ticks[0]));
    "tty" "TTY" |p, _| terminal(p.stat.terminal);
    "args" "COMMAND" |p, _| command(p);
    "hppid" "PPID" |p, _| p.stat.parent.to_string();
};

/// Other names of ps for the same. Source: ps(1), "STANDARD FORMAT SPECIFIERS".
const SAME: [(&str, &str); 24] = [
    ("%cpu", "pcpu"),
    ("%mem", "pmem"),
    ("cmd", "args"),
    ("command", "args"),
    ("cputime", "time"),
    ("egroup", "group"),
    ("euid", "uid"),
    ("euser", "user"),
    ("fname", "comm"),
    ("ni", "nice"),
    ("pgrp", "pgid"),
    ("rssize", "rss"),
    ("rsz", "rss"),
    ("s", "state"),
    ("start_time", "stime"),
    ("bsdstart", "start"),
    ("tgid", "pid"),
    ("thcount", "nlwp"),
    ("tname", "tty"),
    ("tt", "tty"),
    ("ucmd", "comm"),
    ("ucomm", "comm"),
    ("uname", "user"),
    ("vsize", "vsz"),
];

/// The host's columns in place of the container's.
const HOST: [(&str, &str); 5] =
    [("group", "hgroup"), ("pid", "hpid"), ("ppid", "hppid"), ("uid", "huid"), ("user", "huser")];

/// Whether these words are options of ps, and not descriptors.
pub(crate) fn is_for_ps(words: &[String]) -> bool {
    let is_bsd = |word: &str| !word.is_empty() && word.chars().all(|letter| "aefjluwx".contains(letter));
    words.first().is_some_and(|word| word.starts_with('-') || is_bsd(word) || word == "o" || word.starts_with("o "))
}

/// The format that the options ask for. All processes of the container are shown, whichever the options select.
/// Fails with the first option that rc does not have.
pub(crate) fn parse(words: &[String], terms: Terms) -> Result<PsFormat, Invalid> {
    let mut words = words.iter().flat_map(|word| word.split(' ')).filter(|word| !word.is_empty());
    let mut formats: Vec<String> = Vec::new();
    let (mut preset, mut has_headings) = (SIMPLE, true);
    while let Some(word) = words.next() {
        let unknown = |what: &str| Invalid::new("option of ps", word, format!("is not supported: {what}"));
        match word {
            "--no-headers" | "--no-heading" | "--noheadings" => has_headings = false,
            "--headers" | "--width" | "--everyone" => {}
            _ if word.starts_with("--format=") => formats.push(word["--format=".len()..].to_owned()),
            "--format" => formats.extend(words.next().map(str::to_owned)),
            _ if word.starts_with("--") => return Err(unknown("rc has -e, -f, -l, -o, aux and the like")),
            _ => {
                let is_unix = word.starts_with('-');
                let letters = word.trim_start_matches('-');
                for (index, letter) in letters.char_indices() {
                    match (letter, is_unix) {
                        ('o' | 'O', _) => {
                            let rest = &letters[index + 1..];
                            let list = if rest.is_empty() { words.next().unwrap_or_default() } else { rest };
                            formats.push(list.to_owned());
                            break;
                        }
                        ('a' | 'e' | 'A' | 'd' | 'x' | 'w', _) | ('y', true) => {}
                        ('f' | 'F', true) => preset = FULL,
                        ('l', true) => preset = LONG,
                        ('j', _) => preset = JOBS,
                        ('u', false) => preset = USER,
                        ('h', false) => has_headings = false,
                        _ => return Err(unknown("rc has -e, -f, -l, -o, aux and the like")),
                    }
                }
                if !is_unix && preset == SIMPLE {
                    preset = BSD;
                }
            }
        }
    }
    let text = if formats.is_empty() { preset.to_owned() } else { formats.join(",") };
    let columns = text.split(',').filter(|name| !name.is_empty()).map(|name| column(name, terms));
    let columns: Vec<Column> = columns.collect::<Result<_, _>>()?;
    // `-o pid=`: without any heading there is no line of headings.
    let has_headings = has_headings && columns.iter().any(|column| !column.heading.is_empty());
    Ok(PsFormat { columns, has_headings })
}

/// `NAME` or `NAME=HEADING`.
fn column(text: &str, terms: Terms) -> Result<Column, Invalid> {
    let (name, heading) = text.split_once('=').map_or((text, None), |(name, heading)| (name, Some(heading)));
    let same =
        |names: &[(&str, &'static str)], name| names.iter().find(|(other, _)| *other == name).map(|(_, own)| *own);
    let name = same(&SAME, name).unwrap_or(name);
    let shown = if terms == Terms::Host { same(&HOST, name).unwrap_or(name) } else { name };
    let find = |name: &str| OWN.iter().chain(COLUMNS).find(|column| column.name == name).cloned();
    let mut found = find(shown).ok_or_else(|| Invalid::new("column of ps", text, "is not supported".to_owned()))?;
    // The host's columns have the headings of those that they replace.
    let usual = find(name).map(|column| column.heading);
    found.heading = heading.map_or(usual.unwrap_or(found.heading), |heading| heading.to_owned().into());
    Ok(found)
}

fn missing() -> String {
    NOTHING.to_owned()
}

/// Percent of one CPU over the life of the process.
fn share(process: &Process, context: &Context<'_>) -> f64 {
    let (used, age) = (seconds(process.stat.ticks[0]).as_secs_f64(), age(process, context).as_secs_f64());
    if age > 0.0 { 100.0 * used / age } else { 0.0 }
}

/// `[[DD-]HH:]MM:SS`.
fn elapsed(length: Duration) -> String {
    let seconds = length.as_secs();
    let (days, hours, rest) =
        (seconds / 86400, seconds / 3600 % 24, format!("{:02}:{:02}", seconds / 60 % 60, seconds % 60));
    match (days, hours) {
        (0, 0) => rest,
        (0, hours) => format!("{hours:02}:{rest}"),
        (days, hours) => format!("{days}-{hours:02}:{rest}"),
    }
}

/// `[DD-]HH:MM:SS`.
fn clock(length: Duration) -> String {
    let seconds = length.as_secs();
    let text = format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    if seconds >= 86400 { format!("{}-{text}", seconds / 86400) } else { text }
}

/// `MMM:SS`.
fn bsd_time(length: Duration) -> String {
    let seconds = length.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn local(process: &Process, context: &Context<'_>) -> Option<jiff::Zoned> {
    let at = Timestamp::now().checked_sub(age(process, context)).ok()?;
    Some(at.to_zoned(TimeZone::system()))
}

/// The time of the start, or its day if that is another one.
fn started(process: &Process, context: &Context<'_>) -> String {
    let Some(at) = local(process, context) else { return missing() };
    let is_today = at.date() == jiff::Zoned::now().date();
    at.strftime(if is_today { "%H:%M" } else { "%b%d" }).to_string()
}

/// Percent of the host's memory.
fn memory(process: &Process) -> String {
    let host = rustix::system::sysinfo();
    let total = u64::from(host.mem_unit).saturating_mul(host.totalram).max(1);
    let used = process.stat.resident_pages.saturating_mul(super::page());
    // Tenths of a percent.
    let tenths = u128::from(used) * 1000 / u128::from(total);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The state with what is known of the process. Source: ps(1), "PROCESS STATE CODES".
fn state(process: &Process) -> String {
    let mut text = process.stat.state.to_string();
    match process.stat.nice {
        nice if nice < 0 => text.push('<'),
        nice if nice > 0 => text.push('N'),
        _ => {}
    }
    if process.pid == process.process_group {
        text.push('s');
    }
    if process.stat.threads > 1 {
        text.push('l');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings(words: &str, terms: Terms) -> Result<String, String> {
        let words: Vec<String> = words.split('|').map(str::to_owned).collect();
        assert!(is_for_ps(&words), "{words:?}");
        let format = parse(&words, terms).map_err(|error| error.to_string())?;
        let headings: Vec<&str> = format.columns.iter().map(Column::heading).collect();
        Ok(if format.has_headings { headings.join(" ") } else { format!("none: {}", format.columns.len()) })
    }

    #[test]
    fn the_options_that_tools_use() {
        for (words, expected) in [
            ("aux", "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"),
            ("-ef", "UID PID PPID C STIME TTY TIME CMD"),
            ("-eo|pid,comm", "PID COMMAND"),
            ("-eo pid,comm", "PID COMMAND"),
            ("-e|-o|pid,ppid,etime,args", "PID PPID ELAPSED COMMAND"),
            ("-o|pid=ID", "ID"),
            ("-o|pid=|-o|cmd=", "none: 2"),
            ("-eo|pid|--no-headers", "none: 1"),
            ("ax", "PID TTY STAT TIME COMMAND"),
            ("-e", "PID TTY TIME CMD"),
        ] {
            for terms in [Terms::Container, Terms::Host] {
                assert_eq!(headings(words, terms).as_deref(), Ok(expected), "{words}");
            }
        }
        for words in ["-eo|pid,wchan", "-C|cat", "--forest", "-eL", "auxZ"] {
            let words: Vec<String> = words.split('|').map(str::to_owned).collect();
            assert!(parse(&words, Terms::Container).is_err(), "{words:?}");
        }
    }

    #[test]
    fn descriptors_are_not_options() {
        for words in ["pid", "user", "args", "%p", "hpid"] {
            assert!(!is_for_ps(&[words.to_owned()]), "{words}");
        }
    }

    #[test]
    fn times_are_those_of_ps() {
        let length = |seconds| Duration::from_secs(seconds);
        assert_eq!((elapsed(length(75)).as_str(), elapsed(length(3675)).as_str()), ("01:15", "01:01:15"));
        assert_eq!(elapsed(length(90061)), "1-01:01:01");
        assert_eq!((clock(length(75)).as_str(), clock(length(90061)).as_str()), ("00:01:15", "1-01:01:01"));
        assert_eq!(bsd_time(length(3675)), "61:15");
    }
}
