//! What shells complete.

use std::fs;
use std::time::Duration;

use crate::support::Lab;

/// The words for the end of a line, without what they are, and what else there may be.
#[track_caller]
fn completed(lab: &Lab, line: &str) -> (Vec<String>, String) {
    let text = lab.rc(["__complete", "--"]).args(line.split(' ')).run().text();
    let mut words: Vec<String> = text.lines().map(|line| line.split('\t').next().unwrap_or(line).to_owned()).collect();
    let files = words.pop().expect("a last line");
    (words, files)
}

/// A lab with an image, a container and a volume.
fn furnished() -> Lab {
    let lab = Lab::with_payload();
    lab.rc(["tag", "payload", "h.example:5000/team/app:1"]).run().succeeds();
    lab.rc(["create", "--name", "web", "--network", "none", "payload", "/payload"]).run().succeeds();
    lab.rc(["volume", "create", "data"]).run().succeeds();
    lab
}

fn clear(lab: &Lab) {
    lab.rc(["rm", "-fa"]).run().succeeds();
    lab.rc(["volume", "rm", "data"]).run().succeeds();
}

#[test]
fn commands_options_names_and_values_are_completed() {
    let lab = furnished();
    for (line, words, files) in [
        ("rmi pay", &["payload:latest"][..], ":none"),
        ("rmi h.", &["h.example:5000/team/app:1"], ":none"),
        ("rm ", &["web"], ":none"),
        ("rm web w", &["web"], ":none"),
        ("logs -f w", &["web"], ":none"),
        ("volume rm ", &["data"], ":none"),
        ("run --rm -it pay", &["payload:latest"], ":none"),
        ("run payload ", &[], ":files"),
        ("run --pull n", &["never", "newer"], ":none"),
        ("run --pull=n", &["--pull=never", "--pull=newer"], ":none"),
        ("run --name ", &[], ":none"),
        ("run --env-file ", &[], ":files"),
        ("run --cap-add NET_R", &["NET_RAW"], ":none"),
        ("kill -s US", &["USR1", "USR2"], ":none"),
        ("container sta", &["start", "stats"], ":none"),
        ("--log-level error vol", &["volume"], ":none"),
        ("inspect dat", &["data"], ":none"),
        ("cp w", &["web:"], ":files"),
        ("ps --no-t", &["--no-trunc"], ":none"),
        ("ghost ", &[], ":none"),
    ] {
        let expected = (words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), files.to_owned());
        assert_eq!(completed(&lab, line), expected, "{line}");
    }
    let text = lab.rc(["__complete", "--", "pus"]).run().text();
    assert_eq!(text, "push\tPush an image to a registry, an archive or a directory\n:none");
    let first = completed(&lab, "").0;
    assert!(first.contains(&"run".to_owned()) && !first.iter().any(|word| word == "request" || word == "__complete"));
    // Without a store, and quickly.
    let output = lab.rc(["--root", "/nowhere", "__complete", "--", "rm", ""]).run().within(Duration::from_secs(2));
    output.prints(":none\n");
    clear(&lab);
}

#[test]
fn bash_completes_with_the_script() {
    let lab = furnished();
    let script = lab.rc(["completion", "bash"]).run().text();
    let file = lab.work("completion.bash");
    fs::write(&file, script).expect("a file can be written");
    let bash = |line: &str| {
        let ask = "source \"$1\"; COMP_LINE=$2; COMP_POINT=${#2}; _rc_complete; printf '%s\\n' \"${COMPREPLY[@]}\"";
        let words = ["--norc", "-c", ask, "bash"];
        lab.program("bash", words).arg(&file).arg(format!("{} {line}", Lab::rc_path().display())).run().text()
    };
    assert_eq!(bash("rm w"), "web");
    // Only what follows the colon is replaced.
    assert_eq!(bash("rmi h.example:5"), "5000/team/app:1");
    assert_eq!(bash("run --pull=ne"), "never\nnewer");
    assert_eq!(bash("ghost x"), "");
    fs::write(lab.work("listed.env"), "").expect("a file can be written");
    assert_eq!(bash("run --env-file list"), "listed.env");
    for (shell, registration) in [
        ("zsh", "#compdef rc\n"),
        ("fish", "complete -c rc -f -a '(__rc_complete)'"),
        ("elvish", "set edit:completion:arg-completer[rc] = "),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName 'rc' "),
    ] {
        let script = lab.rc(["completion", shell]).run().text();
        assert!(script.contains(registration), "{shell}: {script}");
    }
    clear(&lab);
}

/// The script of a shell in a file, and a line that begins with rc.
fn script(lab: &Lab, shell: &str) -> std::path::PathBuf {
    let script = lab.work(format!("completion.{shell}"));
    fs::write(&script, lab.rc(["completion", shell]).run().text() + "\n").expect("a file can be written");
    script
}

#[test]
fn fish_completes_with_the_script() {
    require!(program "fish");
    let lab = furnished();
    let script = script(&lab, "fish");
    lab.program("fish", ["-n"]).arg(&script).run().says_nothing();
    let fish = |line: &str| {
        let ask = "source $argv[1]; complete -C $argv[2]";
        let line = format!("{} {line}", Lab::rc_path().display());
        let text = lab.program("fish", ["--no-config", "-c", ask]).arg(&script).arg(line).run().text();
        text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(fish("rm w"), ["web"]);
    assert_eq!(fish("rmi h.example:5"), ["h.example:5000/team/app:1"]);
    assert_eq!(fish("run --pull=ne"), ["--pull=never", "--pull=newer"]);
    assert_eq!(fish("ghost x"), [""; 0]);
    fs::write(lab.work("listed.env"), "").expect("a file can be written");
    assert_eq!(fish(&format!("run --env-file {}", lab.work("list").display())).len(), 1);
    clear(&lab);
}

#[test]
fn zsh_completes_with_the_script() {
    require!(program "zsh");
    let lab = furnished();
    let script = script(&lab, "zsh");
    lab.program("zsh", ["-n"]).arg(&script).run().says_nothing();
    let zsh = |words: &[&str]| {
        // What zsh's own functions for completion would get.
        let ask = "compdef() { :; }; _describe() { print -rl -- \"${(@P)4}\"; }; _files() { print -r -- files $@; }; \
                   source $1; shift; words=(\"$@\"); CURRENT=$#words; _rc";
        lab.program("zsh", ["-f", "-c", ask, "zsh"]).arg(&script).arg(Lab::rc_path()).args(words).run().text()
    };
    assert_eq!(zsh(&["rm", "w"]), "web");
    // A colon is part of the word, and the next one begins what the word is.
    assert_eq!(zsh(&["rmi", "h.example:5"]), "h.example\\:5000/team/app\\:1");
    assert_eq!(zsh(&["pus"]), "push:Push an image to a registry, an archive or a directory");
    assert_eq!(zsh(&["run", "--pull=ne"]), "--pull=never\n--pull=newer");
    assert_eq!(zsh(&["ghost", "x"]), "");
    assert_eq!(zsh(&["run", "--env-file", "x"]), "files");
    clear(&lab);
}
