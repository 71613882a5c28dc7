use super::*;
use crate::plan::tests::facts;

fn asked(json: serde_json::Value) -> LimitRequest {
    serde_json::from_value(json).expect("a request")
}

/// `/dev/sda` is 8:0, and there is nothing else.
fn block_devices(request: &LimitRequest) -> BlockDevices {
    let numbers =
        |path: &str| if path == "/dev/sda" { Ok((8, 0)) } else { Err("no such file or directory".to_owned()) };
    request.block_devices().into_iter().map(|path| (path.clone(), numbers(&path))).collect()
}

/// The limits of a container that was asked for with `first` and changed by `then`.
fn changed(first: serde_json::Value, then: serde_json::Value) -> Result<Limits, String> {
    let step = |limits: Limits, json| {
        let request = asked(json);
        let changes = LimitChanges::read(&request, &block_devices(&request))?;
        limits.changed_by(&changes)
    };
    step(Limits::default(), first).and_then(|limits| step(limits, then)).map_err(|error: Error| error.to_string())
}

#[test]
fn cpus() {
    for (text, milli) in [
        ("1", 1000),
        ("1.5", 1500),
        ("0.5", 500),
        (".25", 250),
        ("2.", 2000),
        ("0", 0),
        ("0.01", 10),
        ("0.0129", 12),
        ("1e-1", 100),
        ("15E-1", 1500),
        ("1e1", 10_000),
        (".5e1", 5000),
        ("0e9", 0),
    ] {
        assert_eq!(milli_cpus(text), Ok(milli), "{text}");
    }
    for bad in
        ["", ".", "-1", "1e", "e1", "1e9", "1e-3", "1e400", "inf", "nan", "0.001", "1,5", "1.5.5", "a", "99999999"]
    {
        assert!(milli_cpus(bad).is_err(), "{bad}");
    }
}

#[test]
fn lists_of_numbers() {
    for good in ["0", "0-3", "0,2-3,7"] {
        assert_eq!(numbers(good).as_deref(), Ok(good));
    }
    for bad in ["all", "3-1", "0,", ",", "-1", "0-", "+1", "1.5", " 0", "70000"] {
        assert!(numbers(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_settings_limit_of_processes_is_for_who_asked_for_none() {
    let facts = Facts { defaults: Defaults { pids_limit: Some(2048), ..Defaults::default() }, ..facts() };
    let pids = |pids: Option<i64>| {
        let request = LimitRequest { pids_limit: pids, ..LimitRequest::default() };
        limits(&request, &facts).map(|limits| (limits.pids, limits.default_pids)).map_err(|error| error.to_string())
    };
    assert_eq!(pids(None), Ok((None, Some(2048))));
    assert_eq!(pids(Some(10)), Ok((Some(10), None)));
    assert_eq!(pids(Some(-1)), Ok((None, None)));
    assert_eq!(pids(Some(0)), Ok((None, None)));
    assert_eq!(pids(Some(-2)), Ok((None, None)));
}

#[test]
fn what_was_typed_is_read() {
    let limits = changed(
        serde_json::json!({
            "memory": "64m", "memorySwap": "1g", "memoryReservation": "32m",
            "cpuShares": 512, "cpuQuota": 50_000, "cpuPeriod": 10_000, "cpusetCpus": "0-1", "cpusetMems": "0",
            "blkioWeight": 500, "blkioWeightDevices": ["/dev/sda:20"], "deviceReadBps": ["/dev/sda:1mb"],
            "deviceWriteBps": ["/dev/sda:5"], "deviceReadIops": ["/dev/sda:7"], "deviceWriteIops": ["/dev/sda:8"],
        }),
        serde_json::json!({}),
    );
    let value = |what, value| DeviceValue { what, path: "/dev/sda".to_owned(), major: 8, minor: 0, value };
    let expected = Limits {
        memory: Some(64 << 20),
        memory_swap: Some(1 << 30),
        memory_reservation: Some(32 << 20),
        cpu_shares: Some(512),
        cpu_quota: Some(50_000),
        cpu_period: Some(10_000),
        cpuset_cpus: Some("0-1".to_owned()),
        cpuset_mems: Some("0".to_owned()),
        blkio_weight: Some(500),
        devices: vec![
            value(Throttle::Weight, 20),
            value(Throttle::ReadBps, 1 << 20),
            value(Throttle::WriteBps, 5),
            value(Throttle::ReadIops, 7),
            value(Throttle::WriteIops, 8),
        ],
        ..Limits::default()
    };
    assert_eq!(limits, Ok(expected));
}

#[test]
fn a_change_leaves_what_it_does_not_name() {
    for (first, then, expected) in [
        (
            serde_json::json!({ "memory": "64m", "cpus": "1" }),
            serde_json::json!({ "memory": "128m" }),
            Limits { memory: Some(128 << 20), milli_cpus: Some(1000), ..Limits::default() },
        ),
        (
            serde_json::json!({ "memory": "64m", "memorySwap": "-1" }),
            serde_json::json!({ "memory": "0" }),
            Limits { memory_swap: Some(-1), ..Limits::default() },
        ),
        (
            serde_json::json!({ "memory": "64m", "memorySwap": "80m" }),
            serde_json::json!({ "memorySwap": "0" }),
            Limits { memory: Some(64 << 20), ..Limits::default() },
        ),
        // `--cpus` and quota with period are two ways to say one thing: the last counts.
        (
            serde_json::json!({ "cpus": "2" }),
            serde_json::json!({ "cpuQuota": 2000 }),
            Limits { cpu_quota: Some(2000), ..Limits::default() },
        ),
        (
            serde_json::json!({ "cpuQuota": 2000, "cpuPeriod": 5000 }),
            serde_json::json!({ "cpus": "2" }),
            Limits { milli_cpus: Some(2000), ..Limits::default() },
        ),
        (serde_json::json!({ "cpuQuota": 2000 }), serde_json::json!({ "cpuQuota": -1 }), Limits::default()),
        (
            serde_json::json!({ "deviceReadBps": ["/dev/sda:9"], "deviceReadIops": ["/dev/sda:9"] }),
            serde_json::json!({ "deviceReadBps": ["/dev/sda:0"] }),
            Limits {
                devices: vec![DeviceValue {
                    what: Throttle::ReadIops,
                    path: "/dev/sda".to_owned(),
                    major: 8,
                    minor: 0,
                    value: 9,
                }],
                ..Limits::default()
            },
        ),
    ] {
        assert_eq!(changed(first.clone(), then.clone()), Ok(expected), "{first} {then}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (first, then, expected) in [
        (
            serde_json::json!({ "memorySwap": "1m" }),
            serde_json::json!({}),
            "`--memory-swap`: size `1048576` needs `--memory`: the value is memory and swap together",
        ),
        (
            serde_json::json!({ "memory": "2k", "memorySwap": "1k" }),
            serde_json::json!({}),
            "`--memory-swap`: invalid size `1024`: memory and swap together must be at least the 2048 of `--memory`",
        ),
        (
            serde_json::json!({ "memory": "1k", "memorySwap": "2k" }),
            serde_json::json!({ "memory": "3k" }),
            "`--memory-swap`: invalid size `2048`: memory and swap together must be at least the 3072 of `--memory`",
        ),
        (
            serde_json::json!({ "memory": "1k" }),
            serde_json::json!({ "memoryReservation": "2k" }),
            "`--memory-reservation`: invalid size `2048`: it is above the 1024 of `--memory`",
        ),
        (
            serde_json::json!({ "cpus": "1", "cpuQuota": 5000 }),
            serde_json::json!({}),
            "`--cpu-quota` and `--cpus` cannot be used together",
        ),
        (
            serde_json::json!({ "cpus": "1", "cpuPeriod": 5000 }),
            serde_json::json!({}),
            "`--cpu-period` and `--cpus` cannot be used together",
        ),
    ] {
        assert_eq!(changed(first.clone(), then.clone()), Err(expected.to_owned()), "{first} {then}");
    }
}

#[test]
fn values_that_mean_nothing_name_their_option() {
    let device = "invalid limit of a device";
    for (json, expected) in [
        (serde_json::json!({ "memorySwap": "-2" }), "`--memory-swap`: invalid size `-2`: ".to_owned()),
        (serde_json::json!({ "cpuQuota": 5 }), "`--cpu-quota`: quota `5` must ".to_owned()),
        (serde_json::json!({ "cpuPeriod": 2_000_000 }), "`--cpu-period`: period `2000000` must ".to_owned()),
        (serde_json::json!({ "cpusetCpus": "a" }), "`--cpuset-cpus`: list `a` must ".to_owned()),
        (serde_json::json!({ "cpusetMems": "1-0" }), "`--cpuset-mems`: list `1-0` must ".to_owned()),
        (serde_json::json!({ "blkioWeight": 9 }), "`--blkio-weight`: weight `9` must be from 10".to_owned()),
        (
            serde_json::json!({ "blkioWeightDevices": ["/dev/sda:5"] }),
            format!("`--blkio-weight-device`: {device} `/dev/sda:5`: the weight must be from 10 to 1000"),
        ),
        (
            serde_json::json!({ "deviceReadBps": ["sda:5"] }),
            format!("`--device-read-bps`: {device} `sda:5`: the device must be a path below `/dev`"),
        ),
        (
            serde_json::json!({ "deviceWriteBps": ["/dev/sdb:5"] }),
            format!("`--device-write-bps`: {device} `/dev/sdb:5`: no such file or directory"),
        ),
        (
            serde_json::json!({ "deviceWriteIops": ["/dev/sda:5m"] }),
            format!(
                "`--device-write-iops`: {device} `/dev/sda:5m`: the rate must be a number of operations per second"
            ),
        ),
        (
            serde_json::json!({ "deviceReadIops": ["/dev/sda"] }),
            "`--device-read-iops`: limit of a device `/dev/sda` must be DEVICE:VALUE".to_owned(),
        ),
    ] {
        let error = changed(json.clone(), serde_json::json!({})).expect_err("it means nothing");
        assert!(error.starts_with(&expected), "{json}: {error}");
    }
}
