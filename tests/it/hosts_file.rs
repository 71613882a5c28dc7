//! `--hosts-file`: what the `/etc/hosts` of a container begins with.

use std::fs;

use crate::support::{Lab, Output};

const READ: [&str; 4] = ["payload", "/payload", "read", "/etc/hosts"];
const LOCAL: &str = "127.0.0.1\tlocalhost localhost.localdomain\n::1\tlocalhost ip6-localhost ip6-loopback\n";

fn hosts(lab: &Lab, options: &[&str], image: &str) -> Output {
    let run = ["run", "--rm", "--name", "n", "--hostname", "h"];
    let network: &[&str] = if options.contains(&"--network") { &[] } else { &["--network", "none"] };
    lab.rc(run).args(network).args(options).arg(image).args(&READ[1..]).run()
}

#[test]
fn etc_hosts_begins_with_a_file_of_the_host_or_the_image_or_with_nothing() {
    let lab = Lab::with_payload();
    let file = lab.work("base");
    let path = file.to_str().expect("a path");
    fs::write(&file, "192.0.2.9 db h").expect("a file can be written");
    let own = "127.0.0.1\th n\n";
    hosts(&lab, &["--hosts-file", path], "payload").prints(format!("192.0.2.9 db h\n{LOCAL}127.0.0.1\tn\n"));
    let output = hosts(&lab, &["--hosts-file", "none", "--network", "host"], "payload").text();
    assert!(output.starts_with(&format!("{LOCAL}{own}")), "{output}");
    let asked = ["--hosts-file", path, "--add-host", "db:192.0.2.1"];
    assert!(hosts(&lab, &asked, "payload").text().starts_with("192.0.2.1\tdb\n192.0.2.9 db h\n"));
    // The image's: it has none, until it has one, which a layer above may hide.
    hosts(&lab, &["--hosts-file", "image"], "payload").prints(format!("{LOCAL}{own}"));
    let change = |from: &str, to: &str, words: &[&str]| {
        let run = ["run", "--name", "c", "--network", "none", "--no-hosts", from, "/payload"];
        lab.rc(run).args(words).run().exits(0).stdout();
        lab.rc(["commit", "-q", "c", to]).run().succeeds();
        lab.rc(["rm", "c"]).run().succeeds();
    };
    change("payload", "with:1", &["write", "/etc/hosts", "192.0.2.7 localhost"]);
    hosts(&lab, &["--hosts-file", "image"], "with:1").prints(format!("192.0.2.7 localhost\n{own}"));
    hosts(&lab, &[], "with:1").prints(format!("{LOCAL}{own}"));
    let setting = |value: &str, options: &[&str]| {
        let run = lab.rc(["run", "--rm", "--network", "none", "--name", "n", "--hostname", "h"]).args(options);
        run.args(["with:1", "/payload", "read", "/etc/hosts"]).env("RC_CONTAINER_BASE_HOSTS_FILE", value).run()
    };
    setting("image", &[]).prints(format!("192.0.2.7 localhost\n{own}"));
    setting("image", &["--hosts-file", "none"]).prints(format!("{LOCAL}{own}"));
    // A file is read at each start, and when a network changes it is as it was then.
    let create = ["create", "--name", "c", "--network", "none", "--hosts-file", "base", "--hostname", "h"];
    lab.rc(create).args(READ).run().succeeds();
    lab.rc(["inspect", "-f", "{{.HostConfig.HostsFile}}", "c"]).run().prints(format!("{path}\n"));
    fs::write(&file, "192.0.2.5 localhost\n").expect("a file can be written");
    lab.rc(["start", "-a", "c"]).run().prints("192.0.2.5 localhost\n127.0.0.1\th c\n");
    fs::remove_file(&file).expect("a file can be removed");
    let said = lab.rc(["start", "c"]).run().exits(125).stderr();
    assert!(said.contains("base`: no such file or directory"), "{said}");
    let said = hosts(&lab, &["--hosts-file", path], "payload").exits(125).stderr();
    assert!(said.contains("base`: no such file or directory"), "{said}");
    for (options, reason) in [
        (&["--no-hosts", "--hosts-file", "none"][..], "`--no-hosts` and `--hosts-file` cannot be used together"),
        (&["--network", "container:c", "--hosts-file", "none"], "whose network this one has"),
    ] {
        let said = hosts(&lab, options, "payload").exits(125).stderr();
        assert!(said.contains(reason), "{said}");
    }
    lab.rc(["rm", "c"]).run().succeeds();
    lab.rc(["ps", "-aq"]).run().prints("");
}

#[test]
fn members_of_a_network_and_of_a_pod_have_the_file_before_their_own_lines() {
    let lab = Lab::with_payload();
    let file = lab.work("base");
    let path = file.to_str().expect("a path");
    fs::write(&file, "192.0.2.9 db\n").expect("a file can be written");
    lab.rc(["network", "create", "--internal", "app"]).run().succeeds();
    lab.rc(["network", "create", "--internal", "web"]).run().succeeds();
    let start = ["run", "-d", "--network", "app", "--name", "m", "--hosts-file", path, "payload", "/payload", "sleep"];
    lab.rc(start).run().succeeds();
    let text = || lab.rc(["exec", "m", "/payload", "read", "/etc/hosts"]).run().text();
    let begin = format!("192.0.2.9 db\n{LOCAL}10.");
    assert!(text().starts_with(&begin), "{}", text());
    fs::write(&file, "192.0.2.8 other\n").expect("a file can be written");
    lab.rc(["network", "connect", "web", "m"]).run().succeeds();
    assert!(text().starts_with(&begin) && text().lines().count() == 5, "{}", text());
    lab.rc(["rm", "-f", "-t", "0", "m"]).run().succeeds();
    lab.rc(["network", "rm", "app", "web"]).run().exits(0).stdout();
    // Of a pod it is the pod's.
    let pod = |words: &[&str]| lab.rc(["pod", "create", "--name", "p"]).args(words).run();
    for (options, reason) in [
        (&["--hosts-file", "image"][..], "a pod has no image"),
        (&["--hosts-file", "none", "--infra=false"], "`--hosts-file`"),
        (&["--hosts-file", "none", "--no-hosts"], "`--no-hosts`"),
    ] {
        let said = pod(options).exits(125).stderr();
        assert!(said.contains(reason), "{said}");
    }
    pod(&["--network", "none", "--hosts-file", path]).exits(0).stdout();
    lab.rc(["pod", "inspect", "-f", "{{.InfraConfig.HostsFile}}", "p"]).run().prints(format!("{path}\n"));
    let read = |options: &[&str]| lab.rc(["run", "--rm", "--name", "m"]).args(options).args(READ).run();
    let expected = format!("192.0.2.8 other\n{LOCAL}127.0.0.1\tp\n127.0.0.1\tm\n");
    read(&["--pod", "p"]).prints(&expected);
    let said = read(&["--pod", "p", "--hosts-file", "none"]).exits(125).stderr();
    assert!(said.contains("the hosts file must be specified on the pod"), "{said}");
    let new = ["--pod", "new:q", "--network", "none", "--hosts-file", "base"];
    read(&new).prints(expected.replace("\tp", "\tq"));
    lab.rc(["pod", "rm", "-fa", "-t", "0"]).run().exits(0).stdout();
}
