//! Hosts that lack a helper program.

use crate::support::Lab;
use crate::support::command::Command;

/// rc on a host without this program, as root of a user namespace.
fn without<'l>(lab: &'l Lab, program: &str, words: &[&str]) -> Command<'l> {
    let script = format!("mount --bind /dev/null /usr/bin/{program} && exec \"$@\"");
    let command = lab.program("unshare", ["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
    command.arg(Lab::rc_path()).args(words).env("RC_SINGLE_ID", "1")
}

#[test]
fn without_slirp4netns_the_default_network_is_pasta_and_info_says_so() {
    require!(program "pasta");
    require!(program "slirp4netns");
    let lab = Lab::new();
    let info = without(&lab, "slirp4netns", &["info"]).run().exits(0).stdout();
    let driver = r#"network.driver: "\"pasta\" (default, since slirp4netns is not installed)""#;
    assert!(info.contains(driver), "{info}");
    lab.payload();
    let run = ["run", "--rm", "payload", "/payload", "exit", "7"];
    drop(without(&lab, "slirp4netns", &run).run().exits(7));
    let named = ["run", "--rm", "--network", "slirp4netns", "payload", "/payload", "exit", "7"];
    let said = without(&lab, "slirp4netns", &named).run().exits(125).stderr();
    assert!(said.contains("network `slirp4netns`: `slirp4netns` not found"), "{said}");
}
