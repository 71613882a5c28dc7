use oci_spec::runtime::LinuxResources;

use super::*;
use crate::types::json;

/// What a spec's `resources`, as JSON, become: `file = value` lines, or the error.
fn lines(json: &str) -> String {
    let resources: LinuxResources = json::from_str(json).expect("the test's JSON is a spec's");
    match settings(&resources, 4096) {
        Ok(settings) => settings.iter().map(line).collect::<Vec<_>>().join("; "),
        Err(error) => error.to_string(),
    }
}

fn line(setting: &Setting) -> String {
    let instead = setting.instead.as_ref().map(|other| format!(" | {}", line(other)));
    format!("{} = {}{}", setting.file, setting.value, instead.unwrap_or_default())
}

#[test]
fn limits_are_written_in_the_kernel_s_units() {
    for (json, expected) in [
        ("{}", ""),
        (r#"{"memory": {"limit": 67108864}}"#, "memory.max = 67108864"),
        (r#"{"memory": {"limit": 100, "swap": 300}}"#, "memory.swap.max = 200; memory.max = 100"),
        (r#"{"memory": {"limit": 100, "swap": 100}}"#, "memory.swap.max = 0; memory.max = 100"),
        (r#"{"memory": {"limit": 100, "swap": -1}}"#, "memory.swap.max = max; memory.max = 100"),
        (r#"{"memory": {"limit": -1}}"#, "memory.swap.max = max; memory.max = max"),
        (r#"{"memory": {"limit": 0, "swap": 0}}"#, ""),
        (r#"{"memory": {"reservation": 50, "useHierarchy": true}}"#, "memory.low = 50"),
        (r#"{"cpu": {"quota": 150000, "period": 100000}}"#, "cpu.max = 150000 100000"),
        (r#"{"cpu": {"quota": 5000}}"#, "cpu.max = 5000 100000"),
        (r#"{"cpu": {"quota": -1}}"#, "cpu.max = max 100000"),
        (r#"{"cpu": {"period": 50000}}"#, "cpu.max = max 50000"),
        (r#"{"cpu": {"quota": 5000, "burst": 100}}"#, "cpu.max = 5000 100000; cpu.max.burst = 100"),
        (r#"{"cpu": {"shares": 1024, "idle": 1}}"#, "cpu.weight = 100; cpu.idle = 1"),
        (r#"{"cpu": {"cpus": "0-1", "mems": "0"}}"#, "cpuset.cpus = 0-1; cpuset.mems = 0"),
        (r#"{"cpu": {"cpus": ""}}"#, ""),
        (r#"{"blockIO": {"weight": 500}}"#, "io.bfq.weight = default 500 | io.weight = default 4950"),
        (r#"{"blockIO": {"weight": 10}}"#, "io.bfq.weight = default 10 | io.weight = default 1"),
        (r#"{"blockIO": {"weight": 1000}}"#, "io.bfq.weight = default 1000 | io.weight = default 10000"),
        (
            r#"{"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 20}]}}"#,
            "io.bfq.weight = 8:0 20 | io.weight = 8:0 102",
        ),
        (
            r#"{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 7}],
                "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 8}],
                "throttleReadIOPSDevice": [{"major": 8, "minor": 16, "rate": 9}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 0}]}}"#,
            "io.max = 8:0 rbps=7; io.max = 8:0 wbps=8; io.max = 8:16 riops=9; io.max = 8:16 wiops=max",
        ),
        (r#"{"memory": {"reservation": -1}}"#, "memory.low = 0"),
        (r#"{"pids": {"limit": 100}}"#, "pids.max = 100"),
        (r#"{"pids": {"limit": 0}}"#, "pids.max = max"),
        (r#"{"pids": {"limit": -1}}"#, "pids.max = max"),
        (r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}"#, "hugetlb.2MB.max = 4194304"),
        (r#"{"unified": {"memory.high": "5", "cpu.weight": "7"}}"#, "cpu.weight = 7; memory.high = 5"),
    ] {
        assert_eq!(lines(json), expected, "{json}");
    }
}

#[test]
fn what_cannot_be_set_is_refused_by_name() {
    let swap = "invalid memory and swap together (at least the memory) `50`";
    for (json, expected) in [
        (r#"{"memory": {"limit": 100, "swap": 50}}"#, swap),
        (r#"{"memory": {"swap": 50}}"#, swap),
        (r#"{"memory": {"limit": -1, "swap": 50}}"#, swap),
        (r#"{"memory": {"swappiness": 60}}"#, "the limit `memory.swappiness` is not supported"),
        (r#"{"memory": {"kernel": 60}}"#, "the limit `memory.kernel` is not supported"),
        (r#"{"memory": {"disableOOMKiller": true}}"#, "the limit `memory.disableOOMKiller` is not supported"),
        (r#"{"cpu": {"realtimePeriod": 60}}"#, "the limit `cpu.realtimePeriod` is not supported"),
        (r#"{"cpu": {"cpus": "all"}}"#, "invalid list of numbers `all`"),
        (r#"{"cpu": {"cpus": "3-1"}}"#, "invalid list of numbers `3-1`"),
        (r#"{"blockIO": {"leafWeight": 10}}"#, "the limit `blockIO.leafWeight` is not supported"),
        (
            r#"{"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 10}]}}"#,
            "the limit `blockIO.leafWeight` is not supported",
        ),
        (r#"{"blockIO": {"weight": 5}}"#, "invalid weight from 10 to 1000 `5`"),
        (r#"{"devices": [{"allow": false}]}"#, "the limit `devices` is not supported"),
        (r#"{"hugepageLimits": [{"pageSize": "../x", "limit": 1}]}"#, "invalid page size `../x`"),
        (r#"{"hugepageLimits": [{"pageSize": "+2MB", "limit": 1}]}"#, "invalid page size `+2MB`"),
        (r#"{"unified": {"../x.y": "1"}}"#, "invalid name of a control file `../x.y`"),
        (r#"{"unified": {"cgroup.procs": "1"}}"#, "invalid name of a control file `cgroup.procs`"),
        (r#"{"unified": {"memory": "1"}}"#, "invalid name of a control file `memory`"),
    ] {
        assert_eq!(lines(json), expected, "{json}");
    }
}

#[test]
fn shares_become_weights_by_runc_s_curve() {
    for (shares, expected) in
        [(1, 1), (2, 1), (1023, 100), (1024, 100), (1025, 101), (16384, 942), (262_143, 10_000), (u64::MAX, 10_000)]
    {
        assert_eq!(weight(shares), expected, "{shares}");
    }
}

#[test]
fn a_limit_holds_if_the_kernel_has_it_or_has_rounded_it_to_pages() {
    let pages = |value: &str| Setting::new("memory.max", value, Expect::Pages(4096));
    for (asked, text, holds) in [
        ("8192", "8192\n", true),
        ("8193", "8192\n", true),
        ("8193", "4096\n", false),
        ("8192", "max\n", false),
        ("max", "max\n", true),
        ("max", "8192\n", false),
        ("9223372036854775807", "max\n", true),
    ] {
        assert_eq!(pages(asked).holds(text), holds, "{asked} {text}");
    }
    let cpus = |value: &str| Setting::new("cpuset.cpus", value, Expect::Effective);
    assert_eq!(cpus("0").read_back(), "cpuset.cpus.effective");
    for (asked, text, holds) in
        [("0,1", "0-1\n", true), ("0-3,2", "0-3\n", true), ("0-3", "0-1\n", false), ("0", "\n", false)]
    {
        assert_eq!(cpus(asked).holds(text), holds, "{asked} {text}");
    }
    let exact = Setting::new("cpu.max", "5000 100000", Expect::Same);
    assert!(exact.holds("5000 100000\n"));
    assert!(!exact.holds("max 100000\n"));
    assert_eq!((exact.controller(), exact.read_back()), ("cpu", "cpu.max".to_owned()));
}

#[test]
fn a_limit_of_a_device_is_found_among_those_of_others() {
    let text = "8:0 rbps=7 wbps=max riops=max wiops=max\n8:16 rbps=9 wbps=max riops=max wiops=max\n";
    for (value, holds) in [
        ("8:0 rbps=7", true),
        ("8:16 rbps=7", false),
        ("8:0 wbps=max", true),
        ("8:32 rbps=max", true),
        ("8:32 rbps=7", false),
    ] {
        assert_eq!(Setting::new("io.max", value, Expect::Word).holds(text), holds, "{value}");
    }
    let text = "default 100\n8:0 50\n";
    for (value, holds) in [("default 100", true), ("8:0 50", true), ("8:0 5", false), ("8:16 50", false)] {
        assert_eq!(Setting::new("io.weight", value, Expect::Line).holds(text), holds, "{value}");
    }
}

#[test]
fn what_was_there_before_can_be_written_again() {
    for (file, value, expect, before, undo) in [
        ("memory.max", "8192", Expect::Pages(4096), "max\n", "max"),
        ("cpu.max", "5000 100000", Expect::Same, "max 100000\n", "max 100000"),
        ("cpuset.cpus", "0", Expect::Effective, "\n", "\n"),
        ("cpuset.cpus", "0", Expect::Effective, "0-1\n", "0-1"),
        ("io.weight", "default 7", Expect::Line, "default 100\n8:0 50\n", "default 100"),
        ("io.weight", "8:0 7", Expect::Line, "default 100\n8:0 50\n", "8:0 50"),
        ("io.weight", "8:0 7", Expect::Line, "default 100\n", "8:0 default"),
        ("io.max", "8:0 rbps=7", Expect::Word, "8:0 rbps=9 wbps=max riops=max wiops=max\n", "8:0 rbps=9"),
        ("io.max", "8:0 rbps=7", Expect::Word, "8:16 rbps=9 wbps=max riops=max wiops=max\n", "8:0 rbps=max"),
    ] {
        assert_eq!(Setting::new(file, value, expect).undo(before), undo, "{file} {before:?}");
    }
}
