//! The columns of `top`: podman's descriptors, their codes in ps(1), their headings and values.

mod ps;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::container::{Names, Process};
use crate::sys::proc;
use crate::types::{Invalid, capability};
use crate::view::human;

pub(crate) use self::ps::{PsFormat, Terms};

/// One column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    name: &'static str,
    code: &'static str,
    heading: Cow<'static, str>,
    show: fn(&Process, &Context<'_>) -> String,
}

/// What a cell can need beside the process.
#[derive(Debug)]
struct Context<'a> {
    names: &'a Names,
    since_boot: Duration,
}

/// The default descriptors. Source: podman-top(1).
const DEFAULT: [&str; 8] = ["user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args"];

/// A missing value.
const NOTHING: &str = "?";

macro_rules! columns {
    ($($name:literal $code:literal $heading:literal $show:expr;)*) => {
        &[$(Column { name: $name, code: $code, heading: Cow::Borrowed($heading), show: $show }),*]
    };
}

/// All columns. Source: podman-top(1), "FORMAT DESCRIPTORS".
const COLUMNS: &[Column] = columns! {
    "args" "%a" "COMMAND" |p, _| command(p);
    "capamb" "" "AMBIENT CAPS" |p, _| capabilities(p.status.capabilities[4]);
    "capbnd" "" "BOUNDING CAPS" |p, _| capabilities(p.status.capabilities[3]);
    "capeff" "" "EFFECTIVE CAPS" |p, _| capabilities(p.status.capabilities[2]);
    "capinh" "" "INHERITED CAPS" |p, _| capabilities(p.status.capabilities[0]);
    "capprm" "" "PERMITTED CAPS" |p, _| capabilities(p.status.capabilities[1]);
    "comm" "%c" "COMMAND" |p, _| p.stat.name.clone();
    "etime" "%t" "ELAPSED" |p, c| human::go_duration(age(p, c));
    "group" "%G" "GROUP" |p, c| named(inside(&c.names.gid_map, p.status.gids[1]), &c.names.groups);
    "groups" "" "GROUPS" |p, c| groups(p, |id| named(inside(&c.names.gid_map, id), &c.names.groups));
    "hgroup" "" "HGROUP" |p, c| named(Some(p.status.gids[1]), &c.names.host_groups);
    "hgroups" "" "HGROUPS" |p, c| groups(p, |id| named(Some(id), &c.names.host_groups));
    "hpid" "" "HPID" |p, _| p.host_pid.to_string();
    "huid" "" "HUID" |p, _| p.status.uids[1].to_string();
    "huser" "" "HUSER" |p, c| named(Some(p.status.uids[1]), &c.names.host_users);
    "label" "" "LABEL" |p, _| if p.label.is_empty() { NOTHING.to_owned() } else { p.label.clone() };
    "nice" "%n" "NI" |p, _| p.stat.nice.to_string();
    "pcpu" "%C" "%CPU" |p, c| share(p, c);
    "pgid" "%r" "PGID" |p, _| p.process_group.to_string();
    "pid" "%p" "PID" |p, _| p.pid.to_string();
    "ppid" "%P" "PPID" |p, _| p.parent.to_string();
    "rgroup" "%g" "RGROUP" |p, c| named(inside(&c.names.gid_map, p.status.gids[0]), &c.names.groups);
    "rss" "" "RSS" |p, _| (p.stat.resident_pages * page() / 1024).to_string();
    "ruser" "%u" "RUSER" |p, c| named(inside(&c.names.uid_map, p.status.uids[0]), &c.names.users);
    "seccomp" "" "SECCOMP" |p, _| seccomp(p.status.seccomp).to_owned();
    "state" "" "STATE" |p, _| p.stat.state.to_string();
    "stime" "" "STIME" |p, c| start(p, c);
    "time" "%x" "TIME" |p, _| human::go_duration(seconds(p.stat.ticks[0]));
    "tty" "%y" "TTY" |p, _| terminal(p.stat.terminal);
    "uid" "" "UID" |p, c| number(inside(&c.names.uid_map, p.status.uids[1]));
    "user" "%U" "USER" |p, c| named(inside(&c.names.uid_map, p.status.uids[1]), &c.names.users);
    "vsz" "%z" "VSZ" |p, _| (p.stat.virtual_size / 1024).to_string();
};

impl Column {
    /// The columns of these names or codes, separated by commas or spaces, or of these options of ps(1); without any,
    /// podman's, or those of `ps -ef` in the host's terms. Fails with the first unknown word.
    pub(crate) fn parse(words: &[String], terms: Terms) -> Result<PsFormat, Invalid> {
        let is_docker_s_default = terms == Terms::Host && words.is_empty();
        if is_docker_s_default {
            return ps::parse(&["-ef".to_owned()], terms);
        }
        if ps::is_for_ps(words) {
            return ps::parse(words, terms);
        }
        let asked: Vec<&str> =
            words.iter().flat_map(|word| word.split([',', ' '])).filter(|word| !word.is_empty()).collect();
        let asked = if asked.is_empty() { DEFAULT.to_vec() } else { asked };
        let find = |word: &str| COLUMNS.iter().find(|column| column.name == word || column.code == word);
        let known = || COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let unknown = |word: &str| Invalid::new("descriptor", word, format!("must be one of {}", known()));
        let columns = asked.into_iter().map(|word| find(word).cloned().ok_or_else(|| unknown(word)));
        Ok(PsFormat { columns: columns.collect::<Result<_, _>>()?, has_headings: true })
    }

    /// The heading.
    pub(crate) fn heading(&self) -> &str {
        &self.heading
    }

    /// The cell of a process; `since_boot` is now. Not escaped.
    pub(crate) fn cell(&self, process: &Process, names: &Names, since_boot: Duration) -> String {
        (self.show)(process, &Context { names, since_boot })
    }
}

/// The arguments; without any, the name in brackets, as in ps(1).
fn command(process: &Process) -> String {
    if process.arguments.is_empty() { format!("[{}]", process.stat.name) } else { process.arguments.join(" ") }
}

/// The ID in the container of an ID on the host, if it is mapped.
fn inside(map: &[[u32; 3]], id: u32) -> Option<u32> {
    map.iter().find_map(|[inside, outside, count]| {
        let offset = id.checked_sub(*outside).filter(|offset| offset < count)?;
        inside.checked_add(offset)
    })
}

fn named(id: Option<u32>, names: &BTreeMap<u32, String>) -> String {
    id.map_or_else(|| NOTHING.to_owned(), |id| names.get(&id).cloned().unwrap_or_else(|| id.to_string()))
}

fn number(id: Option<u32>) -> String {
    id.map_or_else(|| NOTHING.to_owned(), |id| id.to_string())
}

fn groups(process: &Process, name: impl Fn(u32) -> String) -> String {
    process.status.groups.iter().map(|id| name(*id)).collect::<Vec<_>>().join(",")
}

fn capabilities(set: u64) -> String {
    let all = (1_u64 << capability::ALL.len()) - 1;
    match set & all {
        0 => "none".to_owned(),
        some if some == all => "full".to_owned(),
        some => {
            let held = capability::ALL.iter().enumerate().filter(|(number, _)| some >> number & 1 == 1);
            held.map(|(_, name)| name.strip_prefix("CAP_").unwrap_or(name)).collect::<Vec<_>>().join(",")
        }
    }
}

fn seccomp(mode: u8) -> &'static str {
    match mode {
        0 => "disabled",
        1 => "strict",
        2 => "filter",
        _ => NOTHING,
    }
}

fn seconds(ticks: u64) -> Duration {
    // Whole microseconds: a tick is a hundredth of a second.
    Duration::from_micros(ticks.saturating_mul(1_000_000) / proc::ticks_a_second())
}

fn age(process: &Process, context: &Context<'_>) -> Duration {
    context.since_boot.saturating_sub(seconds(process.stat.started))
}

fn share(process: &Process, context: &Context<'_>) -> String {
    let (used, age) = (seconds(process.stat.ticks[0]).as_secs_f64(), age(process, context).as_secs_f64());
    format!("{:.3}", if age > 0.0 { 100.0 * used / age } else { 0.0 })
}

fn start(process: &Process, context: &Context<'_>) -> String {
    let start = Timestamp::now().checked_sub(age(process, context)).ok();
    start.map_or_else(|| NOTHING.to_owned(), |start| start.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string())
}

/// Source: the kernel's devices.txt: 4 is a console, 5:1 `/dev/console`, 136 to 143 are the pseudo terminals.
fn terminal(device: u32) -> String {
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    match (major, minor) {
        (4, number) => format!("tty{number}"),
        (5, 1) => "console".to_owned(),
        (136..=143, number) => format!("pts/{}", (major - 136) * 256 + number),
        _ => NOTHING.to_owned(),
    }
}

fn page() -> u64 {
    u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process() -> Process {
        Process {
            host_pid: 4242,
            pid: 7,
            parent: 1,
            process_group: 7,
            arguments: vec!["sleep".to_owned(), "1 0".to_owned()],
            label: String::new(),
            stat: proc::Stat {
                name: "sleep".to_owned(),
                state: 'S',
                terminal: 136 << 8 | 3,
                ticks: [150, 900],
                nice: -5,
                started: 1000,
                virtual_size: 8192,
                ..proc::Stat::default()
            },
            status: proc::Status {
                uids: [1000, 100_032],
                gids: [1000, 7],
                groups: vec![100_001, 1000],
                capabilities: [0, 0x3, (1 << 41) - 1, 0, 0],
                seccomp: 2,
                ..proc::Status::default()
            },
        }
    }

    fn names() -> Names {
        let of = |id, name: &str| BTreeMap::from([(id, name.to_owned())]);
        Names {
            uid_map: vec![[0, 1000, 1], [1, 100_000, 65536]],
            gid_map: vec![[0, 1000, 1], [1, 100_000, 65536]],
            users: of(33, "www"),
            groups: of(2, "bin"),
            host_users: of(1000, "alice"),
            host_groups: of(1000, "alice"),
        }
    }

    fn row(words: &str) -> Result<String, String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let columns = Column::parse(&words, Terms::Container).map_err(|error| error.to_string())?.columns;
        let cells = columns.iter().map(|column| column.cell(&process(), &names(), Duration::from_millis(25_000)));
        Ok(cells.collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn ids_and_pids_are_the_container_s_or_with_an_h_the_host_s() {
        assert_eq!(row("user ruser uid pid ppid pgid").as_deref(), Ok("www|0|33|7|1|7"));
        assert_eq!(row("huser,huid,hpid hgroup").as_deref(), Ok("100032|100032|4242|7"));
        assert_eq!(row("group rgroup groups hgroups").as_deref(), Ok("?|0|bin,0|100001,alice"));
    }

    #[test]
    fn what_the_default_columns_show() {
        assert_eq!(row("").as_deref(), Ok("www|7|1|10.000|15s|pts/3|1.5s|sleep 1 0"));
        let format = Column::parse(&[], Terms::Container).expect("the default");
        let headings: Vec<_> = format.columns.iter().map(Column::heading).collect();
        assert_eq!(headings, ["USER", "PID", "PPID", "%CPU", "ELAPSED", "TTY", "TIME", "COMMAND"]);
    }

    #[test]
    fn codes_of_ps_and_the_rest() {
        assert_eq!(row("%p,%a,%c %n %y %x").as_deref(), Ok("7|sleep 1 0|sleep|-5|pts/3|1.5s"));
        assert_eq!(row("capinh capprm capeff seccomp state label vsz").as_deref(), {
            Ok("none|CHOWN,DAC_OVERRIDE|full|filter|S|?|8")
        });
        let mut bare = process();
        bare.arguments.clear();
        assert_eq!(command(&bare), "[sleep]");
    }

    #[test]
    fn unknown_words_are_refused() {
        for word in ["PID", "%"] {
            let error = row(word).expect_err("no descriptor");
            assert!(error.starts_with(&format!("descriptor `{word}` must be one of args, capamb, ")), "{error}");
        }
    }

    #[test]
    fn terminals_by_their_numbers() {
        for (device, name) in [
            (0, "?"),
            (4 << 8 | 1, "tty1"),
            (5 << 8 | 1, "console"),
            (136 << 8, "pts/0"),
            (136 << 8 | 0x2c | 1 << 20, "pts/300"),
        ] {
            assert_eq!(terminal(device), name);
        }
    }
}
