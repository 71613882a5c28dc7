//! rc.toml, its drop-ins, the variables, and podman's containers.conf beneath them.

use std::fs;
use std::path::PathBuf;

use crate::support::Lab;

/// Writes a file below the user's configuration.
fn configure(lab: &Lab, name: &str, text: &str) -> PathBuf {
    let path = lab.root().join("config").join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory can be made");
    fs::write(&path, text).expect("a file can be written");
    path
}

#[test]
fn containers_conf_is_read_beneath_every_rc_toml() {
    let lab = Lab::with_payload();
    let conf = configure(
        &lab,
        "containers/containers.conf",
        "[containers]\nenv = [\"FROM_CONF=1\", \"TWICE=conf\"]\nannotations = [\"a=b\"]\numask = \"0027\"\n\
         default_capabilities = [\"CHOWN\"]\ndefault_ulimits = [\"nofile=123:456\"]\ninit = true\n\
         no_hosts = true\nlabel = false\n\
         dns_servers = [\"192.0.2.1\"]\nvolumes = [\"data:/conf\"]\n[engine]\nstop_timeout = 3\n",
    );
    let create = |words: &[&str]| {
        lab.rc(["create", "--network", "none"]).args(words).args(["payload", "/payload", "exit", "0"]).run().text()
    };
    let show = |id: &str, format: &str| lab.rc(["inspect", "--format", format, id]).run().text();
    let id = create(&["-e", "TWICE=option"]);
    let env = show(&id, "{{range .Config.Env}}{{.}} {{end}}");
    assert!(env.contains("FROM_CONF=1 ") && env.contains("TWICE=option ") && !env.contains("TWICE=conf"), "{env}");
    let more = "{{.Config.Umask}} {{.Config.StopTimeout}} {{.HostConfig.Init}} {{index .Config.Annotations \"a\"}}";
    assert_eq!(show(&id, more), "0027 3 true b");
    assert_eq!(show(&id, "{{range .EffectiveCaps}}{{.}} {{end}}"), "CAP_CHOWN ");
    assert_eq!(show(&id, "{{range .HostConfig.Ulimits}}{{.Name}}={{.Soft}}:{{.Hard}}{{end}}"), "RLIMIT_NOFILE=123:456");
    assert_eq!(show(&id, "{{range .Mounts}}{{.Name}}:{{.Destination}}{{end}}"), "data:/conf");
    // An option goes before them.
    let id = create(&["--init=false", "--ulimit", "nofile=5:6", "--tmpfs", "/conf", "--umask", "0077"]);
    assert_eq!(show(&id, "{{.HostConfig.Init}} {{.Config.Umask}}"), "false 0077");
    assert_eq!(show(&id, "{{range .HostConfig.Ulimits}}{{.Soft}}{{end}}{{range .Mounts}}{{.Name}}{{end}}"), "5");
    // So does every rc.toml, and then a variable.
    let setting = |key: &str| {
        let info = lab.rc(["info", "--format", "json"]).run().json();
        format!("{} {}", info["settings"][key]["value"], info["settings"][key]["origin"])
    };
    let from = |path: &PathBuf| format!("\"{}\"", path.display());
    assert_eq!(setting("container.stop_timeout"), format!("\"3\" {}", from(&conf)));
    let own = configure(&lab, "rc/rc.toml", "[container]\nstop_timeout = 4\npids_limit = 9\n");
    assert_eq!(setting("container.stop_timeout"), format!("\"4\" {}", from(&own)));
    let dropped = configure(&lab, "rc/rc.toml.d/10-more.toml", "[container]\nstop_timeout = 5\n");
    configure(&lab, "rc/rc.toml.d/README", "no settings");
    assert_eq!(setting("container.stop_timeout"), format!("\"5\" {}", from(&dropped)));
    assert_eq!(setting("container.pids_limit"), format!("\"9\" {}", from(&own)));
    let info = lab.rc(["info", "--format", "json"]).env("RC_CONTAINER_STOP_TIMEOUT", "6").run().json();
    assert_eq!(info["settings"]["container.stop_timeout"]["origin"], "RC_CONTAINER_STOP_TIMEOUT");
    // doctor says that it is read.
    let found = lab.rc(["doctor"]).run().stdout();
    assert!(found.contains(&format!("{} is read, too", conf.display())), "{found}");
    lab.rc(["rm", "-fav"]).run().succeeds();
    lab.rc(["volume", "rm", "-f", "data"]).run().succeeds();
}

#[test]
fn without_hosts_a_container_has_the_image_s_file_or_none() {
    let lab = Lab::with_payload();
    let hosts = |words: &[&str]| {
        let run = lab.rc(["run", "--rm", "--network", "none"]).args(words);
        run.args(["payload", "/payload", "read", "/etc/hosts"]).run()
    };
    assert!(hosts(&[]).text().contains("localhost"));
    // The mount point for the file is in every root filesystem.
    hosts(&["--no-hosts"]).prints("");
    configure(&lab, "rc/rc.toml", "[container]\nno_hosts = true\n");
    hosts(&[]).prints("");
    assert!(hosts(&["--add-host", "db:192.0.2.7"]).text().contains("192.0.2.7"));
    let output = hosts(&["--no-hosts", "--add-host", "db:192.0.2.7"]).exits(125);
    assert!(output.stderr().contains("cannot be used together"), "{output}");
}

#[test]
fn a_mistake_in_a_file_or_a_variable_is_named() {
    let lab = Lab::new();
    let ps = || lab.rc(["ps", "-q"]).run().exits(125).stderr();
    let conf = configure(&lab, "containers/containers.conf", "[containers]\ninit = 3\n");
    assert!(ps().starts_with(&format!("rc: `{}` line 2: `init`: invalid type: ", conf.display())), "{}", ps());
    configure(&lab, "containers/containers.conf", "[containers]\nnothing_of_ours = 3\n[ghost]\n");
    lab.rc(["ps", "-q"]).run().says_nothing();
    let dropped = configure(&lab, "rc/rc.toml.d/a.toml", "[container]\n\nstop_time = 5\n");
    let said = ps();
    assert!(said.starts_with(&format!("rc: `{}` line 3: unknown key `stop_time`", dropped.display())), "{said}");
    fs::remove_file(&dropped).expect("a file can be removed");
    let said = lab.rc(["ps"]).env("RC_LOG_MAX_FILES", "0").run().exits(125).stderr();
    assert!(said.starts_with("rc: `RC_LOG_MAX_FILES`: "), "{said}");
}
