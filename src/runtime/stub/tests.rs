//! These tests really run the stub: a test starts this test program again, and [`child`] executes the stub there.

use std::io::{BufRead as _, BufReader, IoSlice, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// Reports go to standard error, so that the test can read them from a pipe.
const ROLE: &str = "RC_TEST_STUB_ROLE";
const PROGRAM: &str = "RC_TEST_STUB_PROGRAM";
const SCRIPT: &str = "RC_TEST_STUB_SCRIPT";
const PARENT: &str = "RC_TEST_STUB_PARENT";

/// Not a test: the other tests run it in a process of its own.
#[test]
#[ignore = "executes another program; started by the tests of this module"]
fn child() {
    let text = |name| CString::new(std::env::var(name).unwrap_or_default()).unwrap();
    let arguments = [c"sh".to_owned(), c"-c".to_owned(), text(SCRIPT), c"first".to_owned(), c"second word".to_owned()];
    let (executable, report) = (executable().unwrap(), io::stderr());
    let stub = Stub {
        program: &text(PROGRAM),
        arguments: &arguments,
        environment: &[c"PATH=/usr/bin:/bin".to_owned(), c"GREETING=hello".to_owned()],
        report: Some(report.as_fd()),
        dies_with_parent: std::env::var_os(PARENT).is_some(),
        role: match &*std::env::var(ROLE).unwrap() {
            "init" => Role::Init,
            "rest" => Role::Rest,
            _ => Role::Program,
        },
    };
    panic!("{}", exec(executable.as_fd(), &stub).unwrap_err());
}

/// This program, told to run [`child`] alone, as pid 1 of a pid namespace if it is to be init.
fn command(role: Role, program: &str, script: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut command = match role {
        Role::Program | Role::Rest => Command::new(this),
        Role::Init => {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]).arg(this);
            unshare
        }
    };
    command
        .args(["--ignored", "--exact", "runtime::stub::tests::child", "--nocapture", "--test-threads=1"])
        .env(
            ROLE,
            match role {
                Role::Program => "program",
                Role::Init => "init",
                Role::Rest => "rest",
            },
        )
        .env(PROGRAM, program)
        .env(SCRIPT, script)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a shell script through the stub; removes what libtest prints before.
fn run(role: Role, script: &str) -> (Option<i32>, String, Vec<u8>) {
    let marked = format!("echo @@; {script}");
    finish(&mut command(role, "/bin/sh", &marked))
}

fn finish(command: &mut Command) -> (Option<i32>, String, Vec<u8>) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    let text = text.split_once("@@\n").map(|(_, after)| after.to_owned()).unwrap_or_default();
    (status.code().or_else(|| status.signal().map(|signal| -signal)), text, stderr)
}

#[test]
fn image_is_small_and_static() {
    assert!(IMAGE.len() <= 2048, "{} bytes", IMAGE.len());
    assert!(IMAGE.starts_with(b"\x7fELF"));
    assert!(!IMAGE.windows(4).any(|bytes| bytes == b"/lib"), "it names an interpreter");
}

#[test]
fn memfd_cannot_be_changed() {
    let memfd = memfd().unwrap();
    assert_eq!(rustix::io::pwritev(&memfd, &[IoSlice::new(b"x")], 0), Err(Errno::PERM));
    assert_eq!(rustix::fs::ftruncate(&memfd, 0), Err(Errno::PERM));
    assert_eq!(rustix::fs::ftruncate(&memfd, 1 << 20), Err(Errno::PERM));
    let seals = rustix::fs::fcntl_get_seals(&memfd).unwrap();
    assert_eq!(rustix::fs::fcntl_add_seals(&memfd, SealFlags::FUTURE_WRITE), Err(Errno::PERM), "{seals:?}");
}

#[test]
fn program_gets_its_arguments_and_environment_and_nothing_more() {
    let (code, text, report) = run(
        Role::Program,
        "echo \"$0|$1|$#|$GREETING\"; tr '\\0' '\\n' </proc/$$/environ; readlink /proc/$$/fd/*; exit 7",
    );
    let expected = "first|second word|1|hello\nPATH=/usr/bin:/bin\nGREETING=hello\n";
    let descriptors = text.strip_prefix(expected).unwrap_or_else(|| panic!("{text}"));
    assert!(!descriptors.contains("memfd"), "{descriptors}");
    assert_eq!((code, report), (Some(7), vec![]));
}

#[test]
fn executable_of_the_process_is_never_ours() {
    let (code, text, _) = run(Role::Program, "readlink /proc/$$/exe");
    assert_eq!(code, Some(0));
    assert!(["/usr/bin/dash\n", "/bin/dash\n", "/usr/bin/bash\n", "/bin/bash\n"].contains(&&*text), "{text}");
    let (code, text, _) = run(Role::Init, "readlink /proc/1/exe");
    assert_eq!((code, &*text), (Some(0), "/memfd:rc-stub (deleted)\n"));
}

#[test]
fn without_a_program_it_reports_that_it_runs_and_ends_when_it_is_told() {
    use std::io::Read as _;
    let mut child = command(Role::Rest, "pod", "").spawn().unwrap();
    let mut report = Vec::new();
    // Its end of the pipe is closed when nothing can fail any more.
    child.stderr.take().unwrap().read_to_end(&mut report).unwrap();
    assert_eq!(report, b"");
    let pid = rustix::process::Pid::from_child(&child);
    for signal in [rustix::process::Signal::USR1, rustix::process::Signal::CHILD] {
        rustix::process::kill_process(pid, signal).unwrap();
    }
    assert!(child.try_wait().unwrap().is_none(), "other signals do not end it");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn failed_execve_reports_its_errno() {
    let script = tempfile::NamedTempFile::new().unwrap();
    let path = script.path().to_str().unwrap();
    for role in [Role::Program, Role::Init] {
        for (program, code, errno) in
            [("/nowhere/at/all", 127, Errno::NOENT), (path, 126, Errno::ACCESS), ("/etc", 126, Errno::ACCESS)]
        {
            let (ended, _, report) = finish(&mut command(role, program, ""));
            assert_eq!(
                (ended, report),
                (Some(code), errno.raw_os_error().to_ne_bytes().to_vec()),
                "{role:?} {program}"
            );
        }
    }
}

/// An entrypoint `#!/proc/self/exe` makes the kernel execute the stub with `/proc/self/exe` as its argv[0].
#[test]
fn without_the_mark_it_ends_with_127_in_silence() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("entrypoint");
    let mut file = tempfile::Builder::new().tempfile_in(&directory).unwrap();
    file.write_all(b"#!/proc/self/exe\nanything\n").unwrap();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    file.as_file().set_permissions(permissions).unwrap();
    file.into_temp_path().persist(&script).unwrap();
    let (code, text, report) = finish(&mut command(Role::Program, script.to_str().unwrap(), ""));
    assert_eq!((code, &*text, report), (Some(127), "", vec![]));

    let memfd = memfd().unwrap();
    let path = format!("/proc/self/fd/{}", memfd.as_raw_fd());
    for (name, arguments) in
        [("\nrc-stub", &["p", "/bin/true"][..]), ("\nrc-stu", &["p", "/bin/true", "true"]), ("", &[])]
    {
        let (code, ..) = finish(Command::new(&path).arg0(name).args(arguments));
        assert_eq!(code, Some(127), "{name:?} {arguments:?}");
    }
}

/// `vm.memfd_noexec` belongs to a pid namespace, which the test has to itself.
#[test]
fn where_memory_files_may_not_be_executed_a_read_only_file_is() {
    let inner = command(Role::Program, "/bin/sh", "");
    let mut outer = Command::new("unshare");
    outer.args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "/bin/sh", "-c"]);
    outer.arg("echo 2 >/proc/sys/vm/memfd_noexec || exit 0; \"$@\"").arg("sh");
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // The kernel before 6.3 does not have this switch, so the file to write to does not exist.
    outer.env(ROLE, "init").env(SCRIPT, "echo @@; readlink /proc/$PPID/exe; exit 6").stdout(Stdio::piped());
    let (code, text, _) = finish(&mut outer);
    if code != Some(0) {
        assert_eq!((code, &*text), (Some(6), "/stub\n"));
    }
}

#[test]
fn init_keeps_the_exit_code_of_its_child() {
    assert_eq!(run(Role::Init, "exit 0").0, Some(0));
    assert_eq!(run(Role::Init, "exit 125").0, Some(125));
    assert_eq!(run(Role::Init, "kill -9 $$").0, Some(128 + 9));
    assert_eq!(run(Role::Init, "kill -TERM $$").0, Some(128 + 15));
}

#[test]
fn init_is_pid_1_and_its_child_leads_a_group() {
    let script = "echo $PPID $(($$ - $(cut -d' ' -f5 /proc/$$/stat))); [ -e /proc/1/fd/2 ]";
    let (code, text, _) = run(Role::Init, script);
    assert_eq!(text, "1 0\n");
    assert_eq!(code, Some(1), "init has kept the descriptor for reports");
}

/// Rust's runtime ignores SIGPIPE, which the program must not notice.
#[test]
fn program_starts_with_no_signal_blocked_or_ignored() {
    for role in [Role::Program, Role::Init] {
        // The shell blocks signals for a moment when it forks, so it is replaced.
        let (_, text, _) = run(role, "exec grep -E 'SigBlk|SigIgn' /proc/self/status");
        assert_eq!(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    }
}

#[test]
fn init_reaps_a_thousand_orphans() {
    let orphans = "i=0; while [ $i -lt 1000 ]; do (true &); i=$((i+1)); done
        while grep -qs '^State:.Z' /proc/[0-9]*/status; do :; done
        ls -d /proc/[0-9]* | wc -l; exit 5";
    let (code, text, _) = run(Role::Init, orphans);
    // What remains: init, the shell, ls and wc (some shells fork once more for the pipe).
    assert_eq!(code, Some(5));
    assert!(text.trim().parse::<u32>().unwrap() <= 5, "{text}");
}

#[test]
fn init_passes_on_every_signal() {
    for signal in ["HUP", "INT", "QUIT", "USR1", "USR2", "PIPE", "ALRM", "TERM", "CONT", "TSTP", "URG", "WINCH", "PWR"]
    {
        let script = format!("trap 'exit 43' {signal}; sleep 20 & kill -{signal} 1; wait; exit 1");
        assert_eq!(run(Role::Init, &script).0, Some(43), "{signal}");
    }
}

#[test]
fn dies_with_its_parent_when_asked_for() {
    let inner = command(Role::Program, "/bin/sh", "");
    let mut parent = Command::new("/bin/sh");
    parent.args(["-c", "\"$@\" & wait", "sh"]).arg(inner.get_program()).args(inner.get_args());
    parent.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    parent.env(PARENT, "1").env(SCRIPT, "echo @@; exec sleep 30").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut parent = parent.spawn().unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("@@")));
    let killed = Instant::now();
    parent.kill().unwrap();
    parent.wait().unwrap();
    // The pipe ends when the last writer has exited.
    assert_eq!(lines.next(), None);
    assert!(killed.elapsed() < Duration::from_secs(20));
}
