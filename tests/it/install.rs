//! `scripts/install`.

use std::fs;

use crate::support::Lab;

#[test]
fn the_program_its_manual_and_its_completions_are_where_they_are_looked_for() {
    let lab = Lab::new();
    let prefix = lab.work("prefix");
    let script = Lab::source_path().join("scripts/install");
    let output = lab.program(&script, [&prefix]).env("RC_PROGRAM", Lab::rc_path()).run().exits(0);
    assert!(output.stdout().contains("is not in your PATH") || output.stdout().contains("in your shell"), "{output}");
    lab.program(prefix.join("bin/rc"), ["version", "--format", "{{.Client.Version}}"]).run().succeeds();
    for (file, start) in [
        ("share/man/man1/rc.1", ".TH RC 1 "),
        ("share/man/man1/rc-run.1", ".TH RC-RUN 1 "),
        ("share/man/man5/rc.toml.5", ".TH RC.TOML 5 "),
        ("share/man/man7/rc-storage.7", ".TH RC\\-STORAGE 7 "),
        ("share/bash-completion/completions/rc", "# bash completion for rc\n"),
        ("share/zsh/site-functions/_rc", "#compdef rc"),
        ("share/fish/vendor_completions.d/rc.fish", "# fish completion for rc\n"),
    ] {
        let text = fs::read_to_string(prefix.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.starts_with(start) && !text.is_empty(), "{file}: {text:.60}");
    }
    for (file, line) in [
        ("rc-restart.service", format!("ExecStart=-{}/bin/rc start --all ", prefix.display())),
        ("rc-auto-update.service", format!("ExecStart={}/bin/rc auto-update\n", prefix.display())),
        ("rc-auto-update.timer", "OnCalendar=daily\n".to_owned()),
    ] {
        let unit = fs::read_to_string(prefix.join("share/systemd/user").join(file)).expect("a unit");
        assert!(unit.contains(&format!("\n{line}")), "{unit}");
    }
    // With a program of the same name before it in PATH, such as Debian's shell, it says which one is found.
    let other = lab.work("other");
    fs::create_dir(&other).expect("a directory can be made");
    fs::copy("/bin/true", other.join("rc")).expect("a program can be copied");
    let path = format!("{}:{}/bin:/usr/bin:/bin", other.display(), prefix.display());
    let install = || lab.program(&script, [&prefix]).env("RC_PROGRAM", Lab::rc_path());
    let output = install().env("PATH", path).run().exits(0);
    assert!(output.stdout().contains(&format!("`rc` is {}/rc in your shell", other.display())), "{output}");
    let path = format!("{}/bin:/usr/bin:/bin", prefix.display());
    assert!(!install().env("PATH", path).run().exits(0).stdout().contains("PATH"));
}
