use super::*;

fn read(text: &str) -> Result<Settings, String> {
    let mut settings = Settings::default();
    settings.read_text(text, PathBuf::from("/c/rc.toml")).map_err(|error| error.to_string())?;
    Ok(settings)
}

#[test]
fn the_default_network_is_the_helper_that_is_installed() {
    let file = |text: &str| {
        let mut settings = Settings::default();
        settings.read_text(text, PathBuf::from("/c/rc.toml")).expect("a valid file");
        settings
    };
    for (text, installed, expected) in [
        ("", &["slirp4netns", "pasta"][..], "slirp4netns (default)"),
        ("", &["slirp4netns"], "slirp4netns (default)"),
        ("", &["pasta"], "pasta (default, since slirp4netns is not installed)"),
        // The error names the usual one.
        ("", &[], "slirp4netns (default)"),
        ("[network]\ndriver = \"slirp4netns\"", &["pasta"], "slirp4netns (/c/rc.toml)"),
        ("[network]\ndriver = \"none\"", &["pasta"], "none (/c/rc.toml)"),
        ("[helpers]\nslirp4netns = \"/opt/slirp4netns\"", &["pasta"], "slirp4netns (default)"),
    ] {
        let mut settings = file(text);
        settings.choose_network(|program| installed.contains(&program));
        let Setting { value, origin } = &settings.network.driver;
        assert_eq!(format!("{value} ({origin})"), expected, "{text} {installed:?}");
    }
}

#[test]
fn the_shipped_file_lists_every_key_at_its_default() {
    let shipped = read(include_str!("../../config/rc.toml")).unwrap();
    let values = |settings: &Settings| -> Vec<(&str, String)> {
        settings.entries().into_iter().map(|entry| (entry.key, entry.value)).collect()
    };
    assert_eq!(values(&shipped), values(&Settings::default()));
    let missing: Vec<_> = shipped.entries().into_iter().filter(|entry| entry.origin == Origin::Default).collect();
    assert_eq!(missing, []);
}

#[test]
fn a_value_knows_its_file() {
    let settings = read("[container]\nstop_timeout = 3\n[helpers]\npasta = \"/opt/pasta\"\n").unwrap();
    assert_eq!(settings.container.stop_timeout.value, 3);
    assert_eq!(settings.container.stop_timeout.origin, Origin::File(PathBuf::from("/c/rc.toml")));
    assert_eq!(settings.container.pids_limit.origin, Origin::Default);
    let entry = settings.entries().into_iter().find(|entry| entry.key == "helpers.pasta").unwrap();
    assert_eq!(entry.value, "\"/opt/pasta\"");
}

#[test]
fn errors_name_line_and_key() {
    for (text, error) in [
        (
            "[network]\n\ndriverr = \"none\"\n",
            "`/c/rc.toml` line 3: unknown key `driverr`, expected one of `driver`, `publish_address`, `dns`, \
             `dns_searches`, `dns_options`",
        ),
        (
            "[network]\ndriver = \"backend\"\n",
            "`/c/rc.toml` line 2: `driver`: network `backend` must be slirp4netns, pasta, bridge, host or none",
        ),
        ("[log]\nmax_size = 5\n", "`/c/rc.toml` line 2: `max_size`: invalid type: integer `5`, expected a string"),
        ("[helpers]\npasta = \"pasta\"\n", "`/c/rc.toml` line 2: `pasta`: program `pasta` must be an absolute path"),
    ] {
        assert_eq!(read(text).map(|_| ()), Err(error.to_owned()));
    }
    assert!(read("nonsense").is_err());
    assert!(read("[log]\nmax_size = \"0\"").is_err());
    assert!(read("[log]\nmax_files = 0").is_err());
}

#[test]
fn containers_conf_is_read_for_what_has_a_meaning_here() {
    let mut settings = Settings::default();
    let text = r#"
        [containers]
        annotations = ["a=b"]
        default_capabilities = ["CHOWN", "KILL"]
        default_sysctls = ["net.ipv4.ping_group_range=0 0"]
        default_ulimits = ["nofile=10:20", {append = true}]
        dns_servers = ["1.1.1.1"]
        env = ["A=1"]
        init = true
        log_size_max = 1000
        netns = "host"
        pids_limit = -1
        shm_size = "1m"
        umask = "0027"
        label = false
        tz = "local"
        [engine]
        detach_keys = "ctrl-q"
        events_logger = "file"
        pull_policy = "newer"
        [machine]
        cpus = 2
    "#;
    settings.read_containers_conf(text, PathBuf::from("/c/containers.conf")).expect("a valid file");
    let shown = |key: &str| {
        let entry = settings.entries().into_iter().find(|entry| entry.key == key).expect("a key");
        format!("{} ({})", entry.value, entry.origin)
    };
    for (key, value) in [
        ("container.annotations", "[\"a=b\"]"),
        ("container.capabilities", "[\"CHOWN\", \"KILL\"]"),
        ("container.sysctls", "[\"net.ipv4.ping_group_range=0 0\"]"),
        ("container.ulimits", "[\"nofile=10:20\"]"),
        ("container.env", "[\"A=1\"]"),
        ("container.init", "true"),
        ("container.pids_limit", "0"),
        ("container.shm_size", "\"1m\""),
        ("container.umask", "\"0027\""),
        ("container.pull", "\"newer\""),
        ("container.detach_keys", "\"ctrl-q\""),
        ("network.dns", "[\"1.1.1.1\"]"),
        ("network.driver", "\"host\""),
        ("log.max_size", "\"1000\""),
    ] {
        assert_eq!(shown(key), format!("{value} (/c/containers.conf)"));
    }
    for (bad, error) in [
        ("[containers]\ninit = 3\n", "`/c/containers.conf` line 2: `init`: invalid type"),
        (
            "[containers]\nshm_size = \"much\"\n",
            "`/c/containers.conf` line 1: `containers.shm_size`: invalid size `much`",
        ),
    ] {
        let read = Settings::default().read_containers_conf(bad, PathBuf::from("/c/containers.conf"));
        let said = read.expect_err("a mistake").to_string();
        assert!(said.starts_with(error), "{said}");
    }
}

#[test]
fn a_variable_replaces_what_files_say() {
    let mut settings = read("[log]\nmax_files = 7\n").unwrap();
    let variables = [
        ("RC_NETWORK_DRIVER", "pasta"),
        ("RC_NETWORK_DNS", "1.1.1.1, 8.8.8.8"),
        ("RC_LOG_MAX_FILES", "2"),
        ("RC_LOG_MAX_SIZE", "5m"),
        ("RC_CONTAINER_INIT", "true"),
        ("RC_CONTAINER_UMASK", ""),
        ("RC_CONTAINER_ENV", "[\"A=1,2\"]"),
    ];
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
    let variable = |name: &str| find(name).map(|(_, value)| (*value).to_owned());
    settings.read_variables(variable).unwrap();
    assert_eq!(settings.network.driver.value.to_string(), "pasta");
    assert_eq!(settings.network.dns.value.len(), 2);
    assert_eq!((settings.log.max_files.value.get(), settings.log.max_size.value.0), (2, 5 << 20));
    assert!(settings.container.init.value);
    assert_eq!(settings.container.env.value.0, ["A=1,2"]);
    assert_eq!(settings.container.umask.origin, Origin::Default);
    assert_eq!(settings.log.max_files.origin.to_string(), "RC_LOG_MAX_FILES");
    let bad = |name: &str| (name == "RC_CONTAINER_PIDS_LIMIT").then(|| "many".to_owned());
    let error = settings.read_variables(bad).expect_err("no number").to_string();
    assert!(error.starts_with("`RC_CONTAINER_PIDS_LIMIT`: invalid type"), "{error}");
}

#[test]
fn every_key_of_containers_conf_sets_a_key_of_rc() {
    let known: Vec<&str> = Settings::default().entries().iter().map(|entry| entry.key).collect();
    for (from, to) in containers_conf::KEYS {
        assert!(known.contains(to), "{from}: {to}");
        let entry = format!("\n.TP\n\\fB{from}\\fR\n{to}\n");
        assert!(include_str!("../../man/rc.toml.5").contains(&entry), "{from} is not in the manual");
    }
}
