//! One test's world: its directories, its environment, its commands.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use super::command::{Command, Supervisor};
use super::{Exit, Output, Signal, leak, skip, wait};

/// The directories of the programs that rc and the tests use.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program under test: `RC_TEST_RC` if the tests were copied from cargo's directory.
static RC: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::var_os("RC_TEST_RC").unwrap_or_else(|| env!("CARGO_BIN_EXE_rc").into()).into());

/// The payload: beside the program under test in `examples/`, or `RC_TEST_PAYLOAD`.
static PAYLOAD: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::var_os("RC_TEST_PAYLOAD").map_or_else(|| RC.with_file_name("examples/payload"), PathBuf::from);
    assert!(path.exists(), "`{}` is missing: `cargo build --example payload` makes it", path.display());
    path
});

/// A directory for all labs of this run: `RC_TEST_DIR`, else `/var/tmp`, which is on a disk more often than `/tmp`.
static BASE: LazyLock<PathBuf> = LazyLock::new(|| {
    // For the whole process: threads share the umask.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let directory = std::env::var_os("RC_TEST_DIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    directory.join(format!("rc-it-{}-{}", rustix::process::getuid().as_raw(), std::process::id()))
});

static NEXT: AtomicU32 = AtomicU32::new(1);

/// One test's world. Its drop fails the test if the test left anything behind.
pub(crate) struct Lab {
    root: PathBuf,
    test: String,
    in_session: bool,
    /// The time that a process may take to exit.
    pub(crate) grace: Duration,
    pub(super) supervisors: Mutex<Vec<Supervisor>>,
}

impl Lab {
    /// Creates the directories: home, data, config, cache, runtime (0700) and work.
    pub(crate) fn new() -> Self {
        let root = BASE.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        for directory in ["home", "data", "config", "cache", "run", "work"] {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(if directory == "run" { 0o700 } else { 0o755 });
            builder.create(root.join(directory)).expect("a lab's directory can be made");
        }
        let supervisors = Mutex::default();
        Self { root, test: skip::test_name(), in_session: false, grace: wait::PATIENCE, supervisors }
    }

    /// As [`Lab::new`], with the image of [`Lab::payload`].
    #[track_caller]
    pub(crate) fn with_payload() -> Self {
        let lab = Self::new();
        lab.payload();
        lab
    }

    /// As [`Lab::new`], but with the variables that a login sets for the user's manager and bus.
    pub(crate) fn in_session() -> Self {
        let mut lab = Self::new();
        lab.in_session = true;
        lab
    }

    /// The supervisors of the commands so far.
    pub(crate) fn supervisors(&self) -> MutexGuard<'_, Vec<Supervisor>> {
        self.supervisors.lock().expect("no test panics with the lock")
    }

    /// The program under test.
    pub(crate) fn rc_path() -> &'static Path {
        &RC
    }

    /// The payload program on the host.
    pub(crate) fn payload_path() -> &'static Path {
        &PAYLOAD
    }

    /// The source tree that the tests were built from, or `RC_TEST_SOURCE`, a copy of it.
    pub(crate) fn source_path() -> PathBuf {
        std::env::var_os("RC_TEST_SOURCE").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
    }

    /// A command of rc.
    pub(crate) fn rc<I>(&self, arguments: I) -> Command<'_>
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.program(&*RC, arguments)
    }

    /// A command of rc, called by another name: `docker` or `podman`.
    pub(crate) fn called<I>(&self, name: &str, arguments: I) -> Command<'_>
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let link = self.work(name);
        if !link.is_symlink() {
            std::os::unix::fs::symlink(&*RC, &link).expect("a link can be made");
        }
        self.program(link, arguments)
    }

    /// A command of another program, in the same environment.
    pub(crate) fn program<I>(&self, program: impl AsRef<OsStr>, arguments: I) -> Command<'_>
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        Command::new(self, program.as_ref(), arguments)
    }

    /// Imports the payload and returns the image's name. The image has the program `/payload`, `/etc/passwd` and
    /// `/etc/group` with root, `user` (1000) and nobody, `/tmp` (1777) and `/work`.
    #[track_caller]
    pub(crate) fn payload(&self) -> String {
        let archive = self.work("payload.tar");
        fs::write(&archive, super::image::payload_layer()).expect("the payload's archive can be written");
        self.rc(["import", "-q"]).arg(&archive).arg("payload").run().succeeds();
        "payload".to_owned()
    }

    /// `rc run --rm --network none payload /payload WORDS`, after `payload()`.
    pub(crate) fn play<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Output {
        self.rc(["run", "--rm", "--network", "none", "payload", "/payload"]).args(words).run()
    }

    /// Waits until the container has printed `ready`: from then on it handles signals, which process 1 otherwise
    /// ignores.
    #[track_caller]
    pub(crate) fn ready(&self, name: &str) {
        let follower = self.rc(["logs", "-f", name]).start();
        follower.line("ready\n");
        follower.kill(Signal::KILL);
        assert_eq!(follower.wait().exit, Exit::Signal(9));
    }

    /// Removes every container, running or not.
    #[track_caller]
    pub(crate) fn remove_containers(&self) {
        self.rc(["rm", "-f", "-a"]).run().succeeds();
    }

    /// Waits until all processes of the commands so far have exited, including background processes.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let left = leak::processes(self);
        assert!(left.is_empty(), "does not end:\n{}", left.join("\n"));
    }

    /// Kills all processes of the commands so far, including monitors and programs, as a CI does at its time limit.
    pub(crate) fn kill_everything(&self) {
        for mut supervisor in self.supervisors().drain(..) {
            supervisor.end();
        }
    }

    /// The processes of the commands so far.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let supervisors: Vec<u32> = self.supervisors().iter().map(|supervisor| supervisor.child.id()).collect();
        let below = supervisors.into_iter().filter_map(|pid| Some(leak::below(i32::try_from(pid).ok()?)));
        below.flatten().filter(|(_, depth)| *depth > 0).map(|(pid, _)| pid).collect()
    }

    /// The store.
    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("data/rc")
    }

    /// The directory of the container `id`.
    pub(crate) fn container(&self, id: &str) -> PathBuf {
        self.store().join("containers").join(id)
    }

    /// The directory of a container's cgroup; `None` if it has none of its own.
    pub(crate) fn group(&self, id: &str) -> Option<PathBuf> {
        let state = fs::read(self.container(id).join("state.json")).ok()?;
        let state: serde_json::Value = serde_json::from_slice(&state).ok()?;
        let path = state["cgroup"].as_str()?.trim_start_matches('/').to_owned();
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        mounts.into_iter().map(|mount| mount.join(&path)).find(|group| group.join("cgroup.procs").exists())
    }

    /// A path in the commands' working directory.
    pub(crate) fn work(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join("work").join(name)
    }

    /// The top of the test's directories.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A word that no other test uses and that begins with `stem`, for names on the host.
    pub(crate) fn unique(&self, stem: &str) -> String {
        format!("{stem}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Writes an executable file to the test's directory and returns its path.
    ///
    /// A process of its own writes it: a child that another test is starting could have a copy of this process'
    /// descriptor, and then the file could not be executed (ETXTBSY).
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.work(name);
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", "printf %s \"$2\" >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(&path).arg(text);
        assert!(shell.status().expect("a shell").success(), "a script can be written");
        path
    }

    /// The environment of every command; it has nothing of the caller's.
    pub(crate) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let user =
            if rustix::process::getuid().is_root() { "root".into() } else { std::env::var("USER").unwrap_or_default() };
        let mut variables = vec![
            ("PATH", PATH.into()),
            ("HOME", self.root.join("home")),
            ("USER", user.into()),
            ("XDG_DATA_HOME", self.root.join("data")),
            ("XDG_CONFIG_HOME", self.root.join("config")),
            ("XDG_CACHE_HOME", self.root.join("cache")),
            ("XDG_RUNTIME_DIR", self.root.join("run")),
            ("LANG", "C.UTF-8".into()),
            ("TZ", "UTC".into()),
        ];
        if self.in_session {
            variables.retain(|(name, _)| *name != "XDG_RUNTIME_DIR");
            for name in ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"] {
                variables.extend(std::env::var_os(name).map(|value| (name, value.into())));
            }
        }
        variables
    }
}

/// `rc run --rm --network none OPTIONS payload /payload WORDS`, after `payload()`.
pub(crate) fn run(lab: &Lab, options: &[&str], words: &[&str]) -> Output {
    lab.rc(["run", "--rm", "--network", "none"]).args(options).args(["payload", "/payload"]).args(words).run()
}

/// The container's address in a network.
#[track_caller]
pub(crate) fn address(lab: &Lab, name: &str, network: &str) -> String {
    let template = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
    lab.rc(["inspect", "--format", &template, name]).run().text().trim().to_owned()
}

impl Drop for Lab {
    fn drop(&mut self) {
        let left = leak::look(self);
        leak::sweep(self);
        drop(fs::remove_dir(&*BASE));
        if !std::thread::panicking() {
            assert!(left.is_empty(), "{} left behind:\n{}", self.test, left.join("\n"));
        }
    }
}
