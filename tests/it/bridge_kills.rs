//! `kill -9` of the processes of networks with names, at any moment: the others go on, and nothing is left.

use std::fs;

use crate::support::{Chance, Lab, Signal, wait};

/// The processes of a lab that have a name, which is cut to 15 bytes.
fn processes(lab: &Lab, names: &[&str]) -> Vec<i32> {
    let lab = lab.root().to_string_lossy().into_owned();
    let comm = |pid: i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let is_ours = |pid: i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&lab)
    };
    let pids = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| names.iter().any(|name| comm(*pid).trim_end() == *name) && is_ours(*pid)).collect()
}

/// The way out of a keeper: its child.
fn helper(keeper: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        // It may have ended.
        rustix::process::kill_process(pid, Signal::KILL).ok();
    }
}

/// A number below `end`.
fn below(chance: &mut Chance, end: usize) -> usize {
    let number = chance.below(u64::try_from(end).expect("a short list"));
    usize::try_from(number).expect("a short list")
}

#[test]
fn sixty_kills_of_keepers_helpers_and_monitors_leave_the_truth_and_then_nothing() {
    let lab = Lab::new();
    lab.payload();
    for network in ["one", "two", "six"] {
        lab.rc(["network", "create", network]).run().prints(format!("{network}\n"));
    }
    let networks = [&["one"][..], &["two"], &["six"], &["one", "two"], &["two", "six"], &["one", "two", "six"]];
    let start = |name: &str, networks: &[&str]| {
        lab.rc(["rm", "-f", "-i", name]).run().exits(0).stdout();
        let networks = networks.iter().flat_map(|network| ["--network", network]);
        let run = lab.rc(["run", "-d", "--name", name]).args(networks);
        run.args(["payload", "/payload", "tcp", "7"]).run().succeeds();
    };
    for (number, networks) in networks.iter().enumerate() {
        start(&format!("m{number}"), networks);
    }
    let mut chance = Chance::new();
    for round in 0..60 {
        let keepers = processes(&lab, &["rc: net one", "rc: net two", "rc: net six"]);
        let keeper = keepers.get(below(&mut chance, keepers.len().max(1)));
        match (chance.below(3), keeper) {
            (0, Some(keeper)) => kill(*keeper),
            (1, Some(keeper)) => helper(*keeper).into_iter().for_each(kill),
            _ => {
                let number = below(&mut chance, networks.len());
                let name = format!("m{number}");
                processes(&lab, &[&format!("rc: {name}")]).into_iter().for_each(kill);
                start(&name, networks[number]);
            }
        }
        if round % 10 == 9 {
            lab.rc(["ps", "-a"]).run().exits(0).stdout();
        }
    }
    // Everything is in order again without anybody's help.
    for name in ["rc: net one", "rc: net two", "rc: net six"] {
        wait::until("there is a way out", || processes(&lab, &[name]).into_iter().find_map(helper));
    }
    for (from, to, network) in [("m0", "m3", "one"), ("m5", "m1", "two"), ("m4", "m2", "six")] {
        lab.ready(to);
        let template = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
        let address = lab.rc(["inspect", "--format", &template, to]).run().text();
        let ask = lab.rc(["exec", from, "/payload", "ask", "tcp", &format!("{address}:7"), network]);
        assert_eq!(ask.run().text(), network);
    }
    lab.remove_containers();
    lab.settle();
    for network in ["one", "two", "six"] {
        let directory = lab.store().join("networks").join(network);
        assert_eq!(fs::read_dir(directory.join("leases")).expect("leases").count(), 0, "{network}");
        assert!(!directory.join("ctl").exists(), "{network}");
        lab.rc(["network", "rm", network]).run().prints(format!("{network}\n"));
    }
}
