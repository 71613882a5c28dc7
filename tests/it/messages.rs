//! Errors in plain words, with a hint that fits.

use crate::support::Lab;

/// The message and the hint of a run that fails to start.
#[track_caller]
fn refused(lab: &Lab, options: &[&str]) -> String {
    lab.rc(["run", "--rm"]).args(options).args(["payload", "/payload", "exit", "0"]).run().exits(125).stderr()
}

#[test]
fn the_hint_for_a_missing_source_fits_it() {
    let lab = Lab::with_payload();
    for (source, hint) in [
        ("~/x", "hint: the shell did not expand `~`: write `\"$HOME\"/x`\n"),
        ("/nowhere/docker.sock", "hint: no daemon listens at `/nowhere/docker.sock`: rc has none, and serves no API\n"),
        ("/nowhere/a b", "hint: create it with `mkdir -p '/nowhere/a b'`, or use a volume: `-v NAME:/v`\n"),
    ] {
        let said = refused(&lab, &["--network", "none", "-v", &format!("{source}:/v")]);
        assert!(said.ends_with(hint), "{source}: {said}");
    }
}

#[test]
fn a_user_whom_slirp4netns_cannot_serve_with_one_id_is_told_so() {
    only!(Full | One);
    let lab = Lab::with_payload();
    let run = |network: &str| {
        let words = ["run", "--rm", "--network", network, "-u", "1000", "payload", "/payload", "exit", "7"];
        lab.rc(words).env("RC_SINGLE_ID", "1").run()
    };
    let said = run("slirp4netns").exits(125).stderr();
    assert!(said.contains("network `slirp4netns`: user 1000 needs subordinate IDs with it\n"), "{said}");
    assert!(said.ends_with("or use `--network pasta`\n"), "{said}");
    // What the hint says is true.
    require!(program "pasta");
    drop(run("pasta").exits(7));
}
