//! A mix of commands on few names, by several workers at the same time: whatever they do to each other, each ends with
//! a documented code and says what has happened to the container, the network or the volume; and one `rm -f -a` leaves
//! nothing, which the lab's drop checks.
//!
//! The words are those of a fixed seed, which `RC_TEST_SEED` replaces; what happens depends on the moments as well.
//! `RC_TEST_MIX` sets how many rounds are played, and `RC_TEST_MIX_KILLS=1` kills one of the lab's processes now and
//! then.

use std::fs;

use crate::support::{Chance, Exit, Lab, Output, chance, wait};

/// How many workers there are, and how many commands each runs in a round.
const WORKERS: u64 = 4;
const COMMANDS: u32 = 14;

/// What the words of the table below may be replaced by.
const SLOTS: [(&str, &[&str]); 6] = [
    ("BOX", &["one", "two", "three"]),
    ("NET", &["near", "far"]),
    ("POD", &["pair", "trio"]),
    ("VOL", &["data", "more"]),
    ("IMG", &["payload", "payload", "payload", "made"]),
    ("PROGRAM", &["sleep", "sleep", "exit 0", "exit 3", "echo hello"]),
];

/// The commands; those that stand here more than once are run more often.
const ALL: [&str; 79] = [
    "run -d --name BOX --network none IMG /payload PROGRAM",
    "run -d --name BOX --network NET IMG /payload PROGRAM",
    "run -d --name BOX --network near --network far IMG /payload PROGRAM",
    "run -d --name BOX --network NET -v VOL:/data IMG /payload PROGRAM",
    "run -d --name BOX --network NET -v VOL:/data --restart on-failure:2 IMG /payload PROGRAM",
    "run -d --name BOX --network none -v /lost --replace IMG /payload PROGRAM",
    "run -d --rm --name BOX --network NET -v /lost IMG /payload PROGRAM",
    "run --rm --name BOX --network none IMG /payload exit 7",
    "run --rm --network NET -v VOL:/data IMG /payload exit 7",
    "run -d --name BOX --pod POD IMG /payload PROGRAM",
    "create --name BOX --network NET -v VOL:/data IMG /payload PROGRAM",
    "create --name BOX --network none --replace IMG /payload PROGRAM",
    "init BOX",
    "start BOX",
    "start BOX",
    "start BOX BOX",
    "stop -t 0 BOX",
    "stop -t 1 BOX",
    "kill BOX",
    "kill -a",
    "kill -s USR1 BOX",
    "restart -t 0 BOX",
    "restart -t 0 BOX",
    "rm -f -t 0 BOX",
    "rm -f -t 0 BOX",
    "rm -f -t 0 BOX",
    "rm -f -v BOX",
    "rm -f BOX BOX",
    "rm BOX",
    "rename BOX BOX",
    "rename BOX BOX",
    "exec BOX /payload exit 3",
    "exec BOX /payload exit 3",
    "exec -d BOX /payload exit 0",
    "cp file BOX:/tmp/file",
    "cp BOX:/etc/passwd -",
    "cp BOX:/etc/passwd BOX:/tmp/copy",
    "commit -q BOX made",
    "commit -q --squash BOX made",
    "pause BOX",
    "unpause BOX",
    "unpause BOX",
    "update --restart no BOX",
    "logs BOX",
    "top BOX",
    "diff BOX",
    "export -o /dev/null BOX",
    "inspect BOX",
    "why BOX",
    "ps -a",
    "ps -a -s",
    "container prune -f",
    "network create NET",
    "network create NET",
    "network rm NET",
    "network rm -f NET",
    "network prune -f",
    "network inspect NET",
    "network connect NET BOX",
    "network connect NET BOX",
    "network disconnect NET BOX",
    "network disconnect -f NET BOX",
    "pod create --name POD --network none",
    "pod create --name POD --network NET",
    "pod start POD",
    "pod stop -t 0 POD",
    "pod kill POD",
    "pod rm -f POD",
    "pod ps",
    "volume create VOL",
    "volume rm VOL",
    "volume rm -f VOL",
    "volume prune -f",
    "build -q --network none -t made context",
    "rmi made",
    "tag payload made",
    "save -q -o /dev/null IMG",
    "image prune -f",
    "system prune -f",
];

/// The words of one command.
fn words(chance: &mut Chance) -> Vec<String> {
    let mut pick = |all: &[&'static str]| all[usize::try_from(chance.below(all.len() as u64)).unwrap_or(0)];
    let command = pick(&ALL);
    let replaced = command.split(' ').flat_map(|word| {
        let (slot, rest) = word.split_once(':').map_or((word, None), |(slot, rest)| (slot, Some(rest)));
        let text = SLOTS.iter().find(|(name, _)| *name == slot).map_or(slot, |(_, all)| pick(all));
        match rest {
            Some(rest) => vec![format!("{text}:{rest}")],
            None => text.split(' ').map(str::to_owned).collect(),
        }
    });
    let mut words: Vec<String> = replaced.collect();
    if matches!(words[0].as_str(), "run" | "create") {
        words.insert(1, "--pull=never".to_owned());
    }
    words
}

/// What no message may have: a step of rc's own in place of what has happened, or a path of its store.
const INTERNAL: [&str; 12] = [
    "os error",
    "ad file descriptor",
    "no such process",
    "no such file",
    "broken pipe",
    "connection re",
    "monitor",
    "damaged",
    "panicked",
    "internal",
    "/data/rc/",
    "too little",
];

/// Asserts that a command did its work, or was refused for a reason that a user understands.
#[track_caller]
fn is_honest(words: &[String], output: &Output, with_kills: bool) {
    let codes: &[i32] = match words[0].as_str() {
        // Another command may have killed the program.
        "run" | "exec" | "start" => &[0, 3, 7, 125, 137],
        "rm" | "rmi" => &[0, 1, 2, 125],
        "network" | "volume" | "pod" if words[1] == "rm" => &[0, 1, 2, 125],
        _ => &[0, 125],
    };
    let killed = [Exit::Code(137), Exit::Signal(9)];
    let Exit::Code(code) = output.exit else { return assert!(with_kills, "{words:?}: {output}") };
    let stderr = output.stderr();
    assert!(codes.contains(&code) || with_kills && killed.contains(&output.exit), "{words:?}: {output}");
    assert!(code != 125 || !stderr.is_empty(), "{words:?} says nothing: {output}");
    if !with_kills {
        assert!(INTERNAL.iter().all(|text| !stderr.contains(text)), "{words:?}: {output}");
    }
}

/// Kills one of the lab's own processes, of whatever kind: a command, a monitor, a keeper, a helper.
fn kill_one(lab: &Lab, chance: &mut Chance) {
    let all = lab.processes();
    if let Some(pid) = usize::try_from(chance.below(all.len().max(1) as u64)).ok().and_then(|at| all.get(at)) {
        let pid = rustix::process::Pid::from_raw(*pid).expect("a PID");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
    }
}

#[test]
fn commands_on_the_same_names_at_the_same_time_leave_nothing_and_tell_what_happened() {
    require!(program "slirp4netns");
    let with_kills = std::env::var_os("RC_TEST_MIX_KILLS").is_some();
    let lab = Lab::with_payload();
    fs::write(lab.work("file"), "content").expect("written");
    fs::create_dir(lab.work("context")).expect("made");
    let text = "FROM payload\nRUN [\"/payload\", \"write\", \"/tmp/w\", \"x\"]\nLABEL made=1\n";
    fs::write(lab.work("context/Dockerfile"), text).expect("written");
    let mut seeds = Chance::usually(7);
    for _ in 0..chance::count("RC_TEST_MIX", 1) {
        std::thread::scope(|scope| {
            let (lab, chances) = (&lab, (0..WORKERS).map(|_| Chance::of(seeds.below(u64::MAX >> 34))));
            for mut chance in chances.collect::<Vec<_>>() {
                scope.spawn(move || {
                    for _ in 0..COMMANDS {
                        if with_kills && chance.below(12) == 0 {
                            kill_one(lab, &mut chance);
                        }
                        let words = words(&mut chance);
                        is_honest(&words, &lab.rc(&words).run(), with_kills);
                    }
                });
            }
        });
        agrees(&lab, with_kills);
        for clean in [&["rm", "-f", "-a", "-t", "0"][..], &["pod", "rm", "-f", "-a"], &["network", "prune", "-f"]] {
            lab.rc(clean).run().succeeds();
        }
        lab.rc(["volume", "prune", "-f"]).run().succeeds();
        lab.settle();
        for (directory, kept) in
            [("networks", &[".lock", "podman"][..]), ("networks/podman/leases", &[]), ("volumes", &[])]
        {
            let names = fs::read_dir(lab.store().join(directory)).into_iter().flatten().flatten();
            let mut left = names.map(|name| name.file_name().to_string_lossy().into_owned());
            let found = left.find(|name| !kept.contains(&name.as_str()));
            let within = found.iter().map(|name| lab.store().join(directory).join(name));
            let within: Vec<_> = within.flat_map(fs::read_dir).flatten().flatten().map(|entry| entry.path()).collect();
            assert_eq!(found, None, "in {directory}, with {within:?}");
        }
    }
}

/// What `ps` and `inspect` say of each container is what the kernel says.
#[track_caller]
fn agrees(lab: &Lab, with_kills: bool) {
    let all = lab.rc(["ps", "-a", "-q", "--no-trunc"]).run().text();
    for id in all.split_whitespace() {
        // A restart may be under way, and the end of a program that has ended by itself.
        wait::until("a record that is true", || {
            let state = lab.rc(["inspect", "--format", "{{.State.Status}} {{.State.Pid}}", id]).run();
            let text = String::from_utf8_lossy(&state.stdout).into_owned();
            let (status, pid) = text.trim().split_once(' ')?;
            let lives = pid != "0" && fs::exists(format!("/proc/{pid}")).unwrap_or(false);
            let is_watched = crate::kill_storm::monitor(lab, id).is_some();
            let runs = matches!(status, "initialized" | "running" | "paused" | "orphaned");
            (runs == lives && (runs == is_watched || with_kills)).then_some(())
        });
    }
}
