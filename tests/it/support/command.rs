//! Commands beneath a supervisor (`tests/payload/supervise.rs`), with deadlines.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::wait::PATIENCE;
use super::{Exit, Lab, Output, leak};

/// The default deadline of a command.
const DEADLINE: Duration = Duration::from_secs(180);

/// The ends of a command's standard descriptors that the test holds.
type Pipes = (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>);

/// A command that has not been started.
pub(crate) struct Command<'lab> {
    lab: &'lab Lab,
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: PathBuf,
    input: Vec<u8>,
    keep_input_open: bool,
    output: Option<fs::File>,
    deadline: Duration,
}

impl<'lab> Command<'lab> {
    pub(super) fn new<I>(lab: &'lab Lab, program: &OsStr, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        Self {
            lab,
            program: program.to_owned(),
            arguments: arguments.into_iter().map(|word| word.as_ref().to_owned()).collect(),
            environment: lab.environment().into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            directory: lab.work(""),
            input: Vec::new(),
            keep_input_open: false,
            output: None,
            deadline: DEADLINE,
        }
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.arguments.push(word.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub(crate) fn args<I>(mut self, words: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.arguments.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.retain(|(known, _)| known != name.as_ref());
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Removes a variable.
    pub(crate) fn no_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.retain(|(known, _)| known != name.as_ref());
        self
    }

    /// Sets the working directory.
    pub(crate) fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = path.into();
        self
    }

    /// Writes these bytes to its standard input, and closes that.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Leaves standard input open until `Running::send_end` or the end of the command.
    pub(crate) fn open_input(mut self) -> Self {
        self.keep_input_open = true;
        self
    }

    /// Sends standard output to a file instead of collecting it.
    pub(crate) fn output(mut self, file: fs::File) -> Self {
        self.output = Some(file);
        self
    }

    /// Sets the deadline.
    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it until it exits. Processes that it started may live on.
    #[track_caller]
    pub(crate) fn run(self) -> Output {
        self.start().wait()
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn start(mut self) -> Running {
        let output = self.output.take().map_or_else(Stdio::piped, Stdio::from);
        let input = if self.input.is_empty() && !self.keep_input_open { Stdio::null() } else { Stdio::piped() };
        let (mut running, pipes) = self.spawn(&[], input, output, Stdio::piped());
        running.stdout = pipes.1.map(Stream::read).unwrap_or_default();
        running.stderr = pipes.2.map(Stream::read).unwrap_or_default();
        if let Some(mut pipe) = pipes.0 {
            let bytes = std::mem::take(&mut self.input);
            if self.keep_input_open {
                pipe.write_all(&bytes).expect("standard input takes the first bytes");
                running.stdin = Some(pipe);
            } else {
                // A command may exit without reading; its exit code tells.
                std::thread::spawn(move || drop(pipe.write_all(&bytes)));
            }
        }
        running
    }

    /// Starts it with all three descriptors on a terminal of its own, in a session of its own.
    #[track_caller]
    pub(super) fn start_on(self, terminal: OwnedFd) -> Running {
        let copy = |terminal: &OwnedFd| Stdio::from(terminal.try_clone().expect("the terminal can be duplicated"));
        let (input, output, error) = (copy(&terminal), copy(&terminal), copy(&terminal));
        drop(terminal);
        self.spawn(&["setsid", "--ctty"], input, output, error).0
    }

    /// Starts the supervisor, and waits until it names the command's process.
    #[track_caller]
    fn spawn(&self, before: &[&str], input: Stdio, output: Stdio, error: Stdio) -> (Running, Pipes) {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        // Before everything else: on a busy CPU this thread may not run until the command has been at work for long.
        let started = Instant::now();
        let path = self.lab.root().join(format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let listener = UnixListener::bind(&path).expect("the supervisor's socket can be made");
        let mut command = std::process::Command::new(Lab::payload_path());
        command.arg("supervise").arg(&path).args(before).arg(&self.program).args(&self.arguments);
        command.env_clear().envs(self.environment.iter().cloned()).current_dir(&self.directory);
        let mut child = command.stdin(input).stdout(output).stderr(error).spawn().expect("the payload can be started");
        // The command has copies of its descriptors; ours would keep their readers waiting.
        drop(command);
        let (socket, _) = listener.accept().expect("the supervisor connects");
        drop(fs::remove_file(&path));
        let mut reports = BufReader::new(socket.try_clone().expect("a socket can be duplicated"));
        let mut line = String::new();
        reports.read_line(&mut line).expect("the supervisor reports");
        let Some(pid) = line.trim().strip_prefix("pid ").and_then(|pid| pid.parse().ok()) else {
            panic!("the supervisor of `{}` reports: {line}", self.words());
        };
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let supervisor = Supervisor { socket, child, command: self.words() };
        self.lab.supervisors.lock().expect("no test panics with the lock").push(supervisor);
        let running = Running {
            command: self.words(),
            pid,
            started,
            deadline: self.deadline,
            reports,
            stdin: None,
            stdout: Stream::default(),
            stderr: Stream::default(),
        };
        (running, pipes)
    }

    /// The command line, for messages.
    fn words(&self) -> String {
        let program = PathBuf::from(&self.program);
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        std::iter::once(name)
            .chain(self.arguments.iter().map(|word| word.to_string_lossy().into_owned()))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The process above a command, and the socket to it.
pub(crate) struct Supervisor {
    /// Closing it kills every descendant of the supervisor.
    socket: UnixStream,
    /// Ends when the last descendant has ended.
    pub(super) child: Child,
    /// The command line it was started for.
    pub(super) command: String,
}

impl Supervisor {
    /// Kills everything that lives beneath it, and waits until it exits.
    pub(crate) fn end(&mut self) {
        drop(self.socket.shutdown(std::net::Shutdown::Both));
        drop(self.child.wait());
    }
}

/// A command that has been started.
#[must_use = "a command that nobody waits for proves nothing"]
pub(crate) struct Running {
    command: String,
    pid: i32,
    started: Instant,
    deadline: Duration,
    reports: BufReader<UnixStream>,
    stdin: Option<ChildStdin>,
    pub(super) stdout: Stream,
    stderr: Stream,
}

impl Running {
    /// The command's process.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal to the command.
    #[track_caller]
    pub(crate) fn kill(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid).expect("a pid is not 0");
        kill_process(pid, signal).unwrap_or_else(|error| panic!("cannot signal `{}`: {error}", self.command));
    }

    /// Kills the command unless it has ended.
    pub(crate) fn kill_if_alive(&self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            kill_process(pid, Signal::KILL).ok();
        }
    }

    /// Writes to its standard input, which `open_input` kept open.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let pipe = self.stdin.as_mut().expect("`open_input` was asked for");
        pipe.write_all(bytes.as_ref()).expect("standard input can be written");
    }

    /// Ends its standard input.
    pub(crate) fn send_end(&mut self) {
        self.stdin = None;
    }

    /// Waits until standard output contains `text`.
    #[track_caller]
    pub(crate) fn line(&self, text: &str) {
        self.stdout.wait_for(text.as_bytes(), &self.command);
    }

    /// Waits until standard error contains `text`.
    #[track_caller]
    pub(crate) fn error_line(&self, text: &str) {
        self.stderr.wait_for(text.as_bytes(), &self.command);
    }

    /// Standard output so far.
    pub(crate) fn output_text(&self) -> String {
        self.stdout.text()
    }

    /// Standard error so far.
    pub(crate) fn error_text(&self) -> String {
        self.stderr.text()
    }

    /// Waits until it exits and its output ends. At the deadline the test fails, with the state of every process
    /// beneath the supervisor; the lab's drop then kills them.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Output {
        self.stdin = None;
        let end = self.started + self.deadline;
        let exit = self.exit(end);
        let elapsed = self.started.elapsed();
        Output {
            command: self.command,
            exit,
            stdout: self.stdout.finish(end),
            stderr: self.stderr.finish(end),
            elapsed,
        }
    }

    /// The next report of the supervisor: how the command ended.
    #[track_caller]
    fn exit(&mut self, end: Instant) -> Exit {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.reports.get_ref().set_read_timeout(Some(left)).expect("a socket takes a timeout");
        let mut line = String::new();
        match self.reports.read_line(&mut line) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!(
                "`{}` did not end within {:?}\n--- stdout\n{}\n--- stderr\n{}\n--- processes\n{}",
                self.command,
                self.deadline,
                self.stdout.text(),
                self.stderr.text(),
                leak::describe_below(self.pid).join("\n"),
            ),
            Err(error) => panic!("`{}`: the supervisor's socket: {error}", self.command),
        }
        match line.trim().split_once(' ').map(|(word, number)| (word, number.parse())) {
            Some(("exit", Ok(code))) => Exit::Code(code),
            Some(("signal", Ok(number))) => Exit::Signal(number),
            _ => panic!("`{}`: the supervisor reports: {line}", self.command),
        }
    }
}

/// The output of a command, as it comes.
#[derive(Default)]
pub(super) struct Stream {
    state: Arc<(Mutex<Received>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Received {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    /// Reads `source` to its end, on a thread.
    pub(super) fn read(mut source: impl Read + Send + 'static) -> Self {
        let state = Arc::<(Mutex<Received>, Condvar)>::default();
        let shared = Arc::clone(&state);
        let reader = std::thread::spawn(move || {
            let mut block = vec![0; 1 << 16];
            loop {
                // A terminal whose other side is closed returns EIO: this is its end.
                let length = source.read(&mut block).unwrap_or(0);
                let mut received = shared.0.lock().expect("no reader panics with the lock");
                received.bytes.extend_from_slice(&block[..length]);
                received.ended = length == 0;
                shared.1.notify_all();
                if length == 0 {
                    return;
                }
            }
        });
        Self { state, reader: Some(reader) }
    }

    /// Waits until `text` has come.
    #[track_caller]
    pub(super) fn wait_for(&self, text: &[u8], command: &str) {
        let holds = |received: &Received| received.bytes.windows(text.len()).any(|window| window == text);
        let guard = self.state.0.lock().expect("no reader panics with the lock");
        let (guard, _) = self
            .state
            .1
            .wait_timeout_while(guard, PATIENCE, |received| !received.ended && !holds(received))
            .expect("no reader panics with the lock");
        assert!(
            holds(&guard),
            "`{command}` {} without `{}`, but with:\n{}",
            if guard.ended { "ended its output" } else { "went on" },
            String::from_utf8_lossy(text),
            String::from_utf8_lossy(&guard.bytes),
        );
    }

    /// The output so far.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.state.0.lock().expect("no reader panics with the lock").bytes).into_owned()
    }

    /// Waits for the end, and returns everything. A descriptor that a container keeps open is a bug of rc.
    #[track_caller]
    fn finish(self, end: Instant) -> Vec<u8> {
        if self.reader.is_none() {
            return Vec::new();
        }
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        let guard = self.state.0.lock().expect("no reader panics with the lock");
        let (mut guard, timeout) = self
            .state
            .1
            .wait_timeout_while(guard, left, |received| !received.ended)
            .expect("no reader panics with the lock");
        assert!(!timeout.timed_out(), "the command has ended, but something it left keeps its output open");
        std::mem::take(&mut guard.bytes)
    }
}
