//! Networks with names: `rc network …`, and how a container asks for one.

use serde_json::json;

use crate::support::{Exit, Lab};

#[test]
fn a_network_is_created_shown_and_removed() {
    let lab = Lab::new();
    lab.rc(["network", "create", "--label", "app=shop", "--subnet", "10.211.7.0/24", "app"]).run().prints("app\n");
    lab.rc(["network", "exists", "app"]).run().says_nothing();
    let object = lab.rc(["network", "inspect", "app"]).run().json()[0].clone();
    let id = object["id"].as_str().expect("an ID").to_owned();
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert!(object["created"].as_str().is_some_and(|at| at.ends_with('Z')), "{object}");
    let expected = json!({
        "name": "app", "id": id, "driver": "bridge", "network_interface": "podman1", "created": object["created"],
        "subnets": [{ "subnet": "10.211.7.0/24", "gateway": "10.211.7.1" }], "ipv6_enabled": false, "internal": false,
        "dns_enabled": true, "labels": { "app": "shop" }, "ipam_options": { "driver": "host-local" }, "containers": {},
    });
    assert_eq!(object, expected);
    // The beginning of an ID is enough, as for podman.
    let short = &id[..12];
    let format =
        "{{.Name}} {{range .Subnets}}{{.Subnet}} {{.Gateway}}{{end}} {{.Labels.app}} {{.DNSEnabled}} {{.Routes}}";
    lab.rc(["network", "inspect", "-f", format, short]).run().prints("app 10.211.7.0/24 10.211.7.1 shop true []\n");
    lab.rc(["inspect", "--type", "network", "--format", "{{json .name}}", "app"]).run().prints("\"app\"\n");
    assert_eq!(lab.rc(["inspect", "app"]).run().json()[0]["id"], json!(id));
    let rows = format!("NETWORK ID    NAME    DRIVER\n{short}  app     bridge\n2f259bab93aa  podman  bridge\n");
    assert_eq!(columns(&lab.rc(["network", "ls"]).run().text()), columns(&rows));
    assert_eq!(lab.rc(["network", "ls", "--format", "json"]).run().json()[0]["id"], json!(id));
    lab.rc(["network", "ls", "-q", "--filter", "label=app"]).run().prints("app\n");
    lab.rc(["network", "ls", "--no-trunc", "--format", "{{.ID}}", "--filter", "name=^app"])
        .run()
        .prints(format!("{id}\n"));
    lab.rc(["network", "rm", "app"]).run().prints("app\n");
    assert!(!lab.store().join("networks/app").exists());
    assert_eq!(lab.rc(["network", "exists", "app"]).run().exit, Exit::Code(1));
    let events = lab.rc(["events", "--stream=false", "--filter", "type=network", "--format", "{{.Status}} {{.Name}}"]);
    events.run().prints("create app\nremove app\n");
}

/// The words of each line.
fn columns(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn names_and_subnets_are_found_and_none_is_given_twice() {
    let lab = Lab::new();
    for name in ["podman1", "podman2", "podman3"] {
        lab.rc(["network", "create"]).run().prints(format!("{name}\n"));
    }
    lab.rc(["network", "create", "--ipv6", "six"]).run().prints("six\n");
    let rows = lab.rc(["network", "ls", "--format", "json"]).run().json();
    let rows = rows.as_array().expect("rows");
    let mut subnets: Vec<&str> = rows
        .iter()
        .flat_map(|row| row["subnets"].as_array().expect("subnets"))
        .filter_map(|subnet| subnet["subnet"].as_str())
        .collect();
    assert_eq!(subnets.len(), 6, "{subnets:?}");
    assert!(subnets.iter().any(|subnet| subnet.starts_with("fd") && subnet.ends_with("/64")), "{subnets:?}");
    subnets.sort_unstable();
    subnets.dedup();
    assert_eq!(subnets.len(), 6, "one was given twice");
    lab.rc(["network", "prune", "-f"]).run().prints("podman1\npodman2\npodman3\nsix\n");
    lab.rc(["network", "ls", "-q"]).run().prints("podman\n");
}

#[test]
fn system_prune_and_reset_know_networks() {
    let lab = Lab::with_payload();
    for name in ["used", "unused"] {
        lab.rc(["network", "create", name]).run().succeeds();
    }
    lab.rc(["run", "-d", "--name", "web", "--network", "used", "payload", "/payload", "hang"]).run().succeeds();
    let pruned = lab.rc(["system", "prune", "-f"]).run().text();
    assert!(pruned.starts_with("Deleted Networks\nunused\n"), "{pruned}");
    lab.rc(["network", "ls", "-q"]).run().prints("podman\nused\n");
    lab.rc(["system", "reset", "-f"]).run().succeeds();
    assert!(!lab.store().exists(), "nothing of the store is left");
}

#[test]
fn force_removes_containers_and_pods_unless_another_container_needs_one() {
    let lab = Lab::with_payload();
    let create = |words: &[&str]| {
        lab.rc(["create"]).args(words).args(["payload", "/payload", "hang"]).run().succeeds();
    };
    lab.rc(["network", "create", "app"]).run().succeeds();
    lab.rc(["pod", "create", "--name", "shop", "--network", "app"]).run().succeeds();
    create(&["--pod", "shop", "--name", "worker"]);
    create(&["--network", "app", "--name", "web"]);
    create(&["--network", "container:web", "--name", "side"]);
    lab.rc(["network", "rm", "-f", "app"]).run().fails(
        2,
        "rc: cannot remove `web`: other containers need it: side\n\
         hint: remove them as well with `rc rm --depend web`\n",
    );
    let mut left: Vec<String> =
        lab.rc(["ps", "-a", "--format", "{{.Names}}"]).run().text().lines().map(str::to_owned).collect();
    left.sort();
    assert_eq!(left, ["side", "web", "worker"], "nothing is removed");
    lab.rc(["rm", "side"]).run().succeeds();
    lab.rc(["network", "rm", "-f", "app"]).run().prints("app\n");
    lab.rc(["ps", "-aq"]).run().prints("");
    lab.rc(["pod", "ps", "-q"]).run().prints("");
}

#[test]
fn several_that_create_at_once_get_different_names_and_subnets() {
    let lab = Lab::new();
    let made: Vec<_> = (0..8).map(|_| lab.rc(["network", "create"]).start()).collect();
    let mut names: Vec<String> = made.into_iter().map(|command| command.wait().text()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 8, "{names:?}");
    let rows = lab.rc(["network", "ls", "--format", "{{range .Subnets}}{{.Subnet}}{{end}}"]).run().text();
    let mut subnets: Vec<&str> = rows.lines().collect();
    subnets.sort_unstable();
    subnets.dedup();
    assert_eq!(subnets.len(), 9, "{rows}");
}

#[test]
fn what_is_missing_in_use_or_wrong_has_the_code_and_the_words_of_podman() {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "--subnet", "10.211.8.0/24", "used"]).run().succeeds();
    lab.rc(["create", "--name", "web", "--network", "used:ip=10.211.8.9,alias=db", "payload", "/payload", "hang"])
        .run()
        .succeeds();
    for (line, code, words) in [
        ("network rm ghost", 1, "no such network: ghost"),
        ("network rm used", 2, "the network `used` is in use by `web`"),
        ("network rm ghost used", 2, "in use"),
        ("network rm podman", 125, "the default network `podman` cannot be removed"),
        ("network rm bridge", 125, "the default network `podman` cannot be removed"),
        ("network rm", 125, "`rc network rm` needs NETWORK"),
        ("network rm -t 1 used", 125, "--time needs --force"),
        ("network rm -f ghost", 0, ""),
        ("network exists ghost", 1, ""),
        ("network exists default", 0, ""),
        ("network inspect ghost", 125, "no such network: ghost"),
        ("network create used", 125, "the network `used` already exists"),
        ("network create --ignore used", 0, ""),
        ("network create --subnet 10.211.8.128/25 x", 125, "the network `used` has 10.211.8.0/24"),
        ("network create --subnet 127.0.0.0/8 x", 125, "no container can have such addresses"),
        ("network create -d macvlan x", 125, "only root can lend"),
        ("network create --aux-address a=1.1.1.1 x", 125, "it is in no subnet of the network"),
        ("network create --ingress x", 125, "has no option `--ingress`"),
        ("network create ../x", 125, "must match"),
        ("network ls --filter ghost=1", 125, "unknown filter"),
        ("network ls --format {{.Ghost}}", 125, "no such field"),
        ("network prune --filter until=soon", 125, "until"),
        ("network update used", 125, "there is nothing to change"),
        ("network update --dns-add x used", 125, "must be an IP address"),
        ("network update --dns-add 1.1.1.1 podman", 125, "the network `podman` has no DNS"),
        ("network update --dns-add 1.1.1.1 ghost", 125, "no such network"),
        ("create --network ghost payload", 125, "there is no network `ghost`"),
        ("create --network used --network host payload", 125, "it is a mode, and excludes other networks"),
        ("create --network used --network used payload", 125, "it is named twice"),
        ("create --network used --ip 10.211.9.1 payload", 125, "must be in a subnet of the network `used`"),
        ("create --network used --ip 10.211.8.1 payload", 125, "it is the gateway"),
        ("create --ip 10.211.8.2 payload", 125, "needs exactly one network with a name"),
        ("create --network used --mac-address 1:2 payload", 125, "six pairs of hex digits"),
        ("create --network pasta --network-alias db payload", 125, "needs a network with a name"),
        ("create --network podman --network-alias db payload", 125, "has no DNS"),
    ] {
        let output = lab.rc(line.split(' ')).input("").run().exits(code);
        assert!(output.stderr().contains(words), "{line}: {output}");
    }
    let output = lab.rc(["network", "create", "a\u{1b}[2Jb"]).run().exits(125);
    assert!(output.stderr().contains("a\\u{1b}[2Jb"), "{output}");
    // Nothing half-made is left.
    lab.rc(["network", "ls", "-q"]).run().prints("podman\nused\n");
    let web = lab.rc(["inspect", "web"]).run().json()[0].clone();
    let aliases = &web["NetworkSettings"]["Networks"]["used"]["Aliases"];
    assert_eq!(*aliases, json!(["db", &web["Id"].as_str().expect("an ID")[..12]]));
    assert_eq!(web["HostConfig"]["NetworkMode"], "bridge");
    for (filter, names) in [("used", "web\n"), ("podman", ""), ("ghost", "")] {
        let filter = format!("network={filter}");
        lab.rc(["ps", "-a", "--format", "{{.Names}}", "--filter", &filter]).run().prints(names);
    }
    let id = lab.rc(["network", "inspect", "-f", "{{.ID}}", "used"]).run().text();
    let filter = format!("network={}", &id[..12]);
    lab.rc(["ps", "-a", "--format", "{{.Networks}}", "--filter", &filter]).run().prints("used\n");
    // By force the containers are removed first.
    lab.rc(["network", "rm", "-f", "used"]).run().prints("used\n");
    lab.rc(["ps", "-aq"]).run().prints("");
}

#[test]
fn a_damaged_record_is_named_and_can_be_removed() {
    let lab = Lab::new();
    for name in ["bad", "good"] {
        lab.rc(["network", "create", name]).run().succeeds();
    }
    std::fs::write(lab.store().join("networks/bad/network.json"), "{").expect("written");
    let output = lab.rc(["network", "ls", "-q"]).run().exits(0);
    assert_eq!(output.stdout(), "good\npodman\n");
    assert!(output.stderr().contains("the record of the network `bad` is damaged"), "{output}");
    let output = lab.rc(["network", "inspect", "bad"]).run().exits(125);
    assert!(output.stderr().contains("rc network rm bad"), "{output}");
    lab.rc(["network", "rm", "bad"]).run().prints("bad\n");
    lab.rc(["network", "ls"]).run().succeeds();
}

#[test]
fn name_servers_of_a_network_are_changed() {
    let lab = Lab::new();
    lab.rc(["network", "create", "--dns", "10.0.0.1,10.0.0.2", "app"]).run().succeeds();
    let servers = || lab.rc(["network", "inspect", "-f", "{{json .network_dns_servers}}", "app"]).run().text();
    lab.rc(["network", "update", "--dns-add", "10.0.0.3", "--dns-drop", "10.0.0.1", "app"]).run().prints("app\n");
    assert_eq!(servers(), "[\"10.0.0.2\",\"10.0.0.3\"]");
    lab.rc(["network", "update", "--dns-add", "10.0.0.3", "--dns-drop", "10.9.9.9", "app"]).run().prints("app\n");
    assert_eq!(servers(), "[\"10.0.0.2\",\"10.0.0.3\"]");
}

#[test]
fn docker_s_words_and_shapes_are_there_under_its_name() {
    let lab = Lab::new();
    let docker = |words: &[&str]| lab.called("docker", words).run();
    docker(&[
        "network",
        "create",
        "--driver",
        "bridge",
        "--subnet",
        "10.211.9.0/24",
        "--ip-range",
        "10.211.9.128/25",
        "--aux-address",
        "nas=10.211.9.9",
        "app",
    ])
    .succeeds();
    let object = docker(&["network", "inspect", "app"]).json()[0].clone();
    assert_eq!(
        object["IPAM"]["Config"],
        json!([{
            "Subnet": "10.211.9.0/24", "IPRange": "10.211.9.128/25", "Gateway": "10.211.9.1",
            "AuxiliaryAddresses": { "nas": "10.211.9.9" },
        }])
    );
    assert_eq!((&object["Scope"], &object["Containers"]), (&json!("local"), &json!({})));
    let id = object["Id"].as_str().expect("an ID");
    assert_eq!(docker(&["network", "ls", "-q", "--filter", "name=app"]).text(), id[..12]);
    let heading = docker(&["network", "ls"]).text();
    assert!(heading.starts_with("NETWORK ID"), "{heading}");
    assert!(heading.lines().next().is_some_and(|line| line.trim_end().ends_with("SCOPE")), "{heading}");
    docker(&["network", "ls", "--filter", "name=app", "--format", "{{.Name}}\t{{.Driver}}\t{{.Scope}}"])
        .prints("app\tbridge\tlocal\n");
}

#[test]
fn completions_know_networks() {
    let lab = Lab::new();
    lab.rc(["network", "create", "backend"]).run().succeeds();
    for line in [&["network", "rm", ""][..], &["run", "--network", ""], &["run", "--net", "b"]] {
        let words = lab.rc(["__complete", "--"]).args(line.iter().copied()).run().text();
        assert!(words.lines().any(|word| word.split('\t').next() == Some("backend")), "{line:?}: {words}");
    }
    let words = lab.rc(["__complete", "--", "run", "--network", ""]).run().text();
    assert!(words.lines().any(|word| word == "pasta") && words.lines().any(|word| word == "podman"), "{words}");
}
