//! A thread plays the manager at the other end of a socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;

use super::message::manager;
use super::*;

const SCOPE: Scope<'static> = Scope {
    unit: "rc-a.scope",
    description: "rc: web",
    slice: "user.slice",
    pids: &[7],
    is_delegated: true,
    stop_signal: None,
    weights: Weights { cpu: None, io: None },
};

struct Manager {
    directory: tempfile::TempDir,
    thread: JoinHandle<Vec<u8>>,
}

impl Manager {
    /// A manager that sends `words` after a complete call has arrived; its thread returns what it has received.
    fn that_says(words: Vec<Vec<u8>>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("private")).expect("a socket");
        let thread = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a caller");
            // The answer to the login comes before the call.
            let mut words = words.into_iter();
            let begun = log_in(&mut socket);
            if let Some(welcome) = words.next() {
                socket.write_all(&welcome).expect("the caller listens");
            }
            let heard = hear(&mut socket, begun);
            for word in words {
                socket.write_all(&word).expect("the caller listens");
            }
            heard
        });
        Self { directory, thread }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("private")
    }

    fn heard(self) -> Vec<u8> {
        self.thread.join().expect("the manager has ended")
    }
}

/// Reads the login, and returns the bytes after it.
fn log_in(socket: &mut UnixStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let mut bytes = [0; 256];
    loop {
        let length = socket.read(&mut bytes).expect("the caller speaks");
        heard.extend(&bytes[..length]);
        if let Some(begin) = heard.windows(7).position(|window| window == b"BEGIN\r\n") {
            return heard[begin + 7..].to_vec();
        }
    }
}

/// Reads the rest of the call; nothing, if the caller closes the connection.
fn hear(socket: &mut UnixStream, mut call: Vec<u8>) -> Vec<u8> {
    let mut bytes = [0; 1024];
    while message::size(&call).is_ok_and(|size| size != Some(call.len())) {
        match socket.read(&mut bytes) {
            Ok(length) if length > 0 => call.extend(&bytes[..length]),
            _ => break,
        }
    }
    call
}

fn welcome() -> Vec<u8> {
    b"OK 0123456789abcdef\r\n".to_vec()
}

fn job() -> Vec<u8> {
    let mut body = Body::default();
    body.string("/org/freedesktop/systemd1/job/21");
    manager::answer(message::SERIAL, "o", &body)
}

#[test]
fn a_scope_is_there_when_its_job_is_done() {
    // Its parts arrive in any order, and other units have jobs too.
    let mut words = vec![welcome(), job(), manager::job_removed("other.scope", "failed")];
    words.extend(manager::job_removed(SCOPE.unit, "done").chunks(5).map(<[u8]>::to_vec));
    let manager = Manager::that_says(words);
    Pending::ask(&manager.socket(), &SCOPE).expect("asked").wait().expect("a scope");
    let call = Message::parse(&manager.heard()).expect("a call");
    assert_eq!(call.member, "StartTransientUnit");
    let mut body = call.body();
    assert_eq!((body.string().as_deref(), body.string().as_deref()), (Some("rc-a.scope"), Some("fail")));
}

#[test]
fn a_unit_has_restarted_when_its_own_job_is_done() {
    // An older job of the unit is cancelled by this one.
    let cancelled = || manager::removed(20, "web.service", "canceled");
    for (result, expected) in [("done", None), ("failed", Some("its job ended with `failed`"))] {
        let words = vec![welcome(), cancelled(), job(), cancelled(), manager::removed(21, "web.service", result)];
        let manager = Manager::that_says(words);
        let restarted = restart(&manager.socket(), "web.service").map_err(|error| error.to_string());
        let expected = expected.map(|reason| format!("the service manager refuses to restart `web.service`: {reason}"));
        assert_eq!(restarted.err(), expected);
        let call = Message::parse(&manager.heard()).expect("a call");
        assert_eq!(call.member, "RestartUnit");
        let mut body = call.body();
        assert_eq!((body.string().as_deref(), body.string().as_deref()), (Some("web.service"), Some("replace")));
    }
    let unknown = manager::error(message::SERIAL, "org.freedesktop.systemd1.NoSuchUnit", "Unit x not found.");
    let manager = Manager::that_says(vec![welcome(), unknown]);
    let refused = restart(&manager.socket(), "x.service").expect_err("there is none").to_string();
    assert!(refused.contains("Unit x not found."), "{refused}");
    drop(manager.heard());
}

/// The text of a property's name in a call.
fn has(call: &[u8], name: &str) -> bool {
    call.windows(name.len() + 1).any(|window| window == [name.as_bytes(), &[0]].concat())
}

#[test]
fn a_scope_can_be_waited_for_beside_other_things() {
    let manager = Manager::that_says(vec![welcome(), job(), manager::job_removed("rc-net.scope", "done")]);
    let scope =
        Scope { unit: "rc-net.scope", pids: &[7, 8, 9], is_delegated: false, stop_signal: Some(libc::SIGURG), ..SCOPE };
    let mut pending = Pending::ask(&manager.socket(), &scope).expect("asked");
    let socket = manager.socket();
    let deadline = Instant::now() + DEADLINE;
    while !pending.proceed().expect("nothing is refused") {
        let mut set = [rustix::event::PollFd::from_borrowed_fd(pending.awaited(), rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut set, None).expect("it can be waited for");
        assert!(Instant::now() < deadline, "{}", socket.display());
    }
    let call = manager.heard();
    assert_eq!(["Delegate", "KillSignal"].map(|name| has(&call, name)), [false, true]);
    let pids = [7_u32, 8, 9].map(u32::to_ne_bytes).concat();
    assert!(call.windows(pids.len()).any(|window| window == pids));
}

#[test]
fn a_refusal_ends_what_is_waited_for_beside_other_things() {
    let refusal = manager::error(message::SERIAL, "org.freedesktop.systemd1.NoSuchProcess", "");
    let manager = Manager::that_says(vec![welcome(), refusal]);
    let mut pending = Pending::ask(&manager.socket(), &SCOPE).expect("asked");
    manager.heard();
    assert!(matches!(pending.proceed(), Err(Error::Refused { .. })));
}

#[test]
fn what_the_manager_refuses_is_told_in_its_words() {
    let exists = "Unit rc-a.scope was already loaded or has a fragment file.";
    let refusal = manager::error(message::SERIAL, "org.freedesktop.systemd1.UnitExists", exists);
    for (words, reason) in [
        (vec![welcome(), refusal], exists),
        (vec![welcome(), job(), manager::job_removed(SCOPE.unit, "failed")], "its job ended with `failed`"),
    ] {
        let manager = Manager::that_says(words);
        let error = Pending::ask(&manager.socket(), &SCOPE).expect("asked").wait().expect_err("refused");
        let expected = format!("the service manager refuses to create the scope `rc-a.scope`: {reason}");
        assert_eq!(error.to_string(), expected);
        manager.heard();
    }
}

#[test]
fn who_is_not_let_in_or_hears_nonsense_says_so() {
    for words in
        [vec![b"REJECTED EXTERNAL\r\n".to_vec()], vec![welcome(), b"?".repeat(64)], vec![b"x".repeat(2000)], vec![]]
    {
        let manager = Manager::that_says(words);
        let error = Pending::ask(&manager.socket(), &SCOPE).expect("asked").wait().expect_err("nonsense");
        let expected =
            format!("cannot understand the answer of the service manager at `{}`", manager.socket().display());
        assert_eq!(error.to_string(), expected);
        manager.heard();
    }
}

#[test]
fn a_manager_that_is_silent_is_not_waited_for_longer_than_the_deadline() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("private");
    let listener = UnixListener::bind(&path).expect("a socket");
    let open = || Connection::open(&path, Instant::now() + Duration::from_millis(50)).expect("it listens");
    let short = message::call(message::MANAGER, "a.b", "C", "", &Body::default());
    let error = open().send(&short).expect_err("nobody speaks");
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    let long = message::call(&"/a".repeat(200), "a.b", "C", "", &Body::default());
    let mut connection = open();
    connection.send(&long).expect("it can be written to");
    let error = connection.receive().expect_err("nobody speaks");
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    drop(listener);
    let error = Connection::open(&path, Instant::now() + Duration::from_millis(50)).expect_err("nobody listens");
    let expected = format!("no service manager answers at `{}`: connection refused", path.display());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn properties_are_read() {
    let answer = |body: &Body| vec![welcome(), manager::answer(message::SERIAL, "v", body)];
    let manager = Manager::that_says(answer(&manager::text("257.13-1")));
    assert_eq!(version(&manager.socket()).expect("a version"), "257.13-1");
    manager.heard();
    for value in [true, false] {
        let manager = Manager::that_says(answer(&manager::truth(value)));
        assert_eq!(is_delegated(&manager.socket(), "a.service").expect("an answer"), value);
        manager.heard();
    }
}

#[test]
fn a_unit_gets_another_description() {
    let manager = Manager::that_says(vec![welcome(), manager::answer(message::SERIAL, "", &Body::default())]);
    describe(&manager.socket(), "rc-a.scope", "rc: newer").expect("described");
    let heard = manager.heard();
    let call = Message::parse(&heard).expect("a call");
    assert_eq!((call.member.as_str(), call.body().string().as_deref()), ("SetUnitProperties", Some("rc-a.scope")));
    assert!(has(&heard, "Description") && has(&heard, "rc: newer"));
}
