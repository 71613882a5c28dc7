use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::types::{ContainerId, IdRange, Network, NetworkDriver, Signal, json};

/// An image with one command and nothing else.
pub(super) fn image() -> ImageDefaults {
    let digest = format!("sha256:{}", "a".repeat(64)).parse::<crate::types::Digest>().unwrap();
    ImageDefaults {
        source: ImageSource {
            id: Some(digest.clone()),
            manifest: Some(digest),
            reference: "localhost/test:latest".to_owned(),
            layers: Vec::new(),
            exposed_ports: Vec::new(),
        },
        entrypoint: Vec::new(),
        command: vec!["sh".to_owned()],
        env: Vec::new(),
        user: String::new(),
        working_dir: String::new(),
        volumes: Vec::new(),
        labels: BTreeMap::new(),
        stop_signal: None,
        healthcheck: None,
    }
}

/// A host without free ports, and a caller in `/srv/dir` without environment.
pub(super) fn facts() -> Facts {
    Facts {
        defaults: Defaults::default(),
        environment: Vec::new(),
        working_dir: PathBuf::from("/srv/dir"),
        host_name: "host-name".to_owned(),
        kernel: (6, 1),
        ids: ids(),
        found: Found { volume_names: vec!["f".repeat(64).parse().unwrap()], ..Found::default() },
    }
}

/// User 1000 with 65536 subordinate IDs.
fn ids() -> HostIds {
    let all =
        vec![IdRange { inside: 0, outside: 1000, count: 1 }, IdRange { inside: 1, outside: 100_000, count: 65536 }];
    HostIds { uid: 1000, gid: 1000, users: all.clone(), groups: all, single: None }
}

pub(super) fn identity() -> Identity {
    Identity {
        id: ContainerId::from_bytes([0xab; 32]),
        name: "box".parse().unwrap(),
        created: "2026-01-01T00:00:00.000000000Z".to_owned(),
    }
}

fn resolved(request: &Request) -> Result<ContainerConfig, String> {
    resolve(request, &image(), &facts(), identity()).map_err(|error| error.to_string())
}

fn volume(text: &str) -> MountRequest {
    MountRequest::from_volume(text).unwrap()
}

fn port(text: &str) -> PortRequest {
    PortRequest::from_publish(text).unwrap()
}

#[test]
fn an_empty_request_gives_a_complete_container() {
    let config = resolved(&Request::default()).unwrap();
    assert_eq!(config.argv, ["sh"]);
    assert_eq!(config.hostname, "abababababab");
    assert_eq!(config.working_dir, "/");
    assert_eq!(config.user, "");
    assert_eq!(config.network, NetworkDriver::Slirp4netns.into());
    assert_eq!((config.stop_signal, config.stop_timeout), (Signal::TERM, 10));
    assert_eq!(config.shm_size, 67_108_864);
    assert_eq!(config.capabilities.len(), 11);
    assert!(config.mounts.is_empty() && config.ports.is_empty() && !config.no_new_privileges);
}

#[test]
fn a_saved_container_reads_back_the_same() {
    let request = Request {
        mounts: vec![volume("/srv:/data"), volume("db:/db"), MountRequest::from_tmpfs("/tmp")],
        descriptors: vec![DescriptorRequest { number: 3, from: Some(7) }],
        ulimits: vec!["nofile=10".into()],
        publish: vec![port("8080:80")],
        add_hosts: vec!["db:10.0.0.1".into()],
        ..Request::default()
    };
    let config = resolved(&request).unwrap();
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(json::from_str::<ContainerConfig>(&json).unwrap(), config);
    let json = serde_json::to_string(&request).unwrap();
    assert_eq!(json::from_str::<Request>(&json).unwrap(), request);
}

#[test]
fn a_request_with_a_word_we_do_not_know_is_refused() {
    assert!(json::from_str::<Request>(r#"{"image":"x","privilegedd":true}"#).is_err());
    assert!(json::from_str::<Request>(r#"{"image":"x"}"#).is_ok());
}

#[test]
fn the_host_network_has_the_hosts_name_and_no_ports() {
    let request = Request { network: Some(Network::Host), publish: vec![port("80:80")], ..Request::default() };
    let config = resolved(&request).unwrap();
    assert_eq!(config.hostname, "host-name");
    assert!(config.ports.is_empty());
    assert_eq!(warnings(&request, &config), ["published ports are dropped: the network is `host`"]);
}

#[test]
fn output_is_not_kept_only_when_somebody_waits_and_the_container_is_removed() {
    let driver = |auto_remove, detach, tty| {
        resolved(&Request { auto_remove, detach, tty, ..Request::default() }).unwrap().log_driver
    };
    assert_eq!(driver(true, false, false), LogDriver::None);
    for (auto_remove, detach, tty) in [(false, false, false), (true, true, false), (true, false, true)] {
        assert_eq!(driver(auto_remove, detach, tty), LogDriver::K8sFile);
    }
}

#[test]
fn wrong_values_name_their_option() {
    let request = Request::default;
    for (request, error) in [
        (
            Request { working_dir: Some("a".into()), ..request() },
            "`--workdir`: working directory `a` must be an absolute path",
        ),
        (Request { user: Some("-1".into()), ..request() }, "`--user`: invalid user `-1`: neither a name nor a number"),
        (
            Request { stop_signal: Some("X".into()), ..request() },
            "`--stop-signal`: signal `X` must be the name or the number of a signal",
        ),
        (
            Request { hostname: Some("a\nb".into()), ..request() },
            "`--hostname`: host name `a\\nb` must consist of letters, digits, `-`, `_` and dots",
        ),
        (Request { dns: vec!["x".into()], ..request() }, "`--dns`: name server `x` must be an IP address, or none"),
        (
            Request { shm_size: Some("x".into()), ..request() },
            "`--shm-size`: invalid size `x`: the unit must be one of b, k, m, g, t, p",
        ),
        (Request { publish: vec![port("80")], ..request() }, "`--publish`: the host has no free port for 80"),
    ] {
        assert_eq!(resolved(&request).map(|_| ()), Err(error.to_owned()));
    }
}

#[test]
fn the_images_configuration_is_checked_as_well() {
    let of =
        |image: ImageDefaults| resolve(&Request::default(), &image, &facts(), identity()).map_err(|e| e.to_string());
    let config = of(ImageDefaults {
        working_dir: "srv/../app".into(),
        user: "app:staff".into(),
        stop_signal: Some("SIGQUIT".into()),
        ..image()
    })
    .unwrap();
    assert_eq!(
        (config.working_dir.as_str(), config.user.as_str(), config.stop_signal.number()),
        ("/app", "app:staff", 3)
    );
    assert_eq!(
        of(ImageDefaults { user: "4294967296".into(), ..image() }).map(|_| ()),
        Err("the image's configuration: invalid user `4294967296`: an id is at most 4294967294".to_owned())
    );
    assert!(of(ImageDefaults { stop_signal: Some("SIGNONE".into()), ..image() }).is_err());
    assert!(of(ImageDefaults { command: vec![], ..image() }).is_err());
}

#[test]
fn no_text_makes_a_parser_panic_or_slips_a_line_through() {
    let nasty = [
        "",
        " ",
        ":",
        "::",
        ":::",
        "=",
        "/",
        "//",
        "-",
        "-1",
        ",",
        ";",
        "[",
        "]",
        "[]:",
        "[::",
        "é",
        "é:é",
        "ü=ü",
        "\0",
        "a\0b",
        "a\nb",
        "\u{1b}[2J",
        "\u{202e}x",
        "99999999999999999999999999",
        "-99999999999999999999",
        "0x10",
        "1e9",
        "+1",
        "..",
        "../..",
        "./",
        "/a:/b:ro:rw",
        "ctrl-é",
        "%s%n",
        "mode=é",
        "/x:size=é",
        "/x:size=%",
        "/x:mode=",
        "1.é",
        "é/tcp",
        "80/é",
    ];
    for text in nasty {
        let one = || Some(text.to_owned());
        let many = || vec![text.to_owned()];
        let base = || Request { command: vec!["x".into()], ..Request::default() };
        for request in [
            Request { entrypoint: one(), ..base() },
            Request { env: many(), ..base() },
            Request { env_files: vec![TextFile { path: text.into(), text: text.into() }], ..base() },
            Request { label_files: vec![TextFile { path: text.into(), text: text.into() }], ..base() },
            Request { labels: many(), ..base() },
            Request { user: one(), ..base() },
            Request { groups: many(), ..base() },
            Request { working_dir: one(), ..base() },
            Request { hostname: one(), ..base() },
            Request { add_hosts: many(), ..base() },
            Request { dns: many(), dns_search: many(), ..base() },
            Request { dns_search: many(), ..base() },
            Request { dns_options: many(), ..base() },
            Request { network: text.parse().ok(), ..base() },
            Request { publish: PortRequest::from_publish(text).into_iter().collect(), ..base() },
            Request { mounts: MountRequest::from_volume(text).into_iter().collect(), ..base() },
            Request { mounts: vec![MountRequest::from_tmpfs(text)], ..base() },
            Request { shm_size: one(), ..base() },
            Request { cap_add: many(), ..base() },
            Request { security_opts: many(), ..base() },
            Request { limits: LimitRequest { memory: one(), ..LimitRequest::default() }, ..base() },
            Request { limits: LimitRequest { cpus: one(), ..LimitRequest::default() }, ..base() },
            Request { ulimits: many(), ..base() },
            Request { stop_signal: one(), ..base() },
            Request { detach_keys: one(), ..base() },
        ] {
            match resolved(&request) {
                Ok(config) => {
                    let names = config.extra_hosts.iter().map(|(name, _)| name).chain([&config.hostname]);
                    let words = names.chain(&config.dns_search).chain(&config.dns_options);
                    for word in words {
                        assert!(!word.contains(char::is_whitespace) && !word.contains(char::is_control), "{request:?}");
                    }
                }
                Err(error) => assert!(!error.contains(char::is_control) && !error.contains('\u{202e}'), "{error:?}"),
            }
        }
    }
}
