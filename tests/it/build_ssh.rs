//! `RUN --mount=type=ssh`: an agent for a step, and what of it.

use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, mpsc};

use crate::build::{build, lab, write};
use crate::support::processes::{limit_descriptors, processes, rests};
use crate::support::wait::until;
use crate::support::{Lab, Set};

/// An agent that answers each message by its own bytes, and keeps what it gets.
fn agent(lab: &Lab) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let path = lab.work("agent");
    let listener = UnixListener::bind(&path).expect("a socket");
    let got = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&got);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                kept.lock().expect("messages").push(buffer[..count].to_vec());
                stream.write_all(&buffer[..count]).ok();
            }
        }
    });
    (path.display().to_string(), got)
}

/// A lab whose base image has the payload, too.
fn scene(dockerfile: &str) -> Lab {
    let lab = lab(&[("Dockerfile", dockerfile)]);
    lab.payload();
    lab
}

#[test]
fn a_step_can_ask_an_agent_to_list_and_to_sign_and_for_nothing_else() {
    // list; sign; add a key; remove all; lock; an extension
    let messages = "000000010b 000000030d0102 000000021100 0000000113 000000021600 000000021b00";
    let dockerfile = format!(
        "FROM payload\nRUN --mount=type=ssh [\"/payload\", \"dial\", \"/run/buildkit/ssh_agent.0\", {}]\n\
        RUN --mount=type=ssh,id=other,target=/tmp/sock,mode=0640,required [\"/payload\", \"tree\", \"/tmp\"]\n\
        RUN --mount=type=ssh [\"/payload\", \"report\"]\n\
        RUN --mount=type=ssh,id=none [\"/payload\", \"exit\", \"0\"]\n",
        messages.split(' ').map(|message| format!("\"{message}\"")).collect::<Vec<_>>().join(", ")
    );
    let lab = scene(&dockerfile);
    let (socket, got) = agent(&lab);
    let built = lab.rc(["build", "-t", "localhost/made", "--progress", "plain", "--ssh", "default"]);
    let built =
        built.args(["--ssh", &format!("other={socket}")]).arg(lab.work("context")).env("SSH_AUTH_SOCK", &socket);
    let said = built.run().exits(0).stderr();
    for answer in ["000000010b", "000000030d0102"] {
        assert!(said.contains(answer), "{said}");
    }
    assert_eq!(said.matches("0000000105").count(), 4, "{said}");
    assert_eq!(*got.lock().expect("messages"), [b"\0\0\0\x01\x0b".to_vec(), b"\0\0\0\x03\x0d\x01\x02".to_vec()]);
    assert!(said.contains("\"SSH_AUTH_SOCK\":\"/run/buildkit/ssh_agent.0\""), "{said}");
    assert!(said.contains("0640"), "{said}");
    // Neither the socket nor where it was is in a layer.
    let seen = lab.rc(["run", "--rm", "--network", "none", "localhost/made", "/payload", "tree", "/", "proc", "sys"]);
    let seen = seen.run().exits(0).stdout();
    assert!(!seen.contains("ssh_agent") && !seen.contains("/tmp/sock"), "{seen}");
    // The agent is in no key: without it the steps are in the cache.
    let again = build(
        &lab,
        &["--progress", "plain", "--ssh", &format!("default={socket}"), "--ssh", &format!("other={socket}")],
    );
    assert_eq!(again.exits(0).stderr().matches(" CACHED").count(), 4);
}

#[test]
fn the_socket_belongs_to_whom_the_mount_says() {
    if Set::current() == Set::One {
        return;
    }
    let lab = scene(
        "FROM payload\nUSER 1000\n\
        RUN --mount=type=ssh,uid=1000,gid=1000,target=/tmp/s [\"/payload\", \"dial\", \"/tmp/s\", \"000000010b\"]\n",
    );
    let (socket, got) = agent(&lab);
    let agent = format!("default={socket}");
    build(&lab, &["--ssh", &agent]).succeeds();
    assert_eq!(got.lock().expect("messages").len(), 1);
    // Root's alone, unless it says otherwise.
    write(
        &lab,
        "Dockerfile",
        "FROM payload\nUSER 1000\n\
        RUN --mount=type=ssh [\"/payload\", \"dial\", \"/run/buildkit/ssh_agent.0\", \"000000010b\"]\n",
    );
    let refused = build(&lab, &["--ssh", &agent]).exits(99).stderr();
    assert!(refused.contains("Permission denied"), "{refused}");
}

#[test]
fn an_agent_that_is_not_there_is_named() {
    let lab = scene("FROM payload\nRUN --mount=type=ssh,required [\"/payload\", \"exit\", \"0\"]\n");
    let refused = build(&lab, &[]).exits(125).stderr();
    assert!(refused.contains("needs the agent `default`") && refused.contains("--ssh default"), "{refused}");
    let refused = build(&lab, &["--ssh", "default"]).exits(125).stderr();
    assert!(refused.contains("SSH_AUTH_SOCK is not set"), "{refused}");
    write(&lab, "../key", "x");
    for (typed, message) in [
        ("default=key", "cannot use the key"),
        ("default=nowhere", "nowhere"),
        ("default=.", "neither the socket of an agent nor a file with a key"),
        ("=x", "must be ID, ID=SOCKET or ID=KEYFILE"),
    ] {
        let refused = build(&lab, &["--ssh", typed]).exits(125).stderr();
        assert!(refused.contains(message), "{typed}: {refused}");
    }
    // Nor is it what git says without an agent.
    write(&lab, "Dockerfile", "FROM payload\nADD git@host.invalid:a/b.git /r\n");
    let refused = build(&lab, &["--ssh", "default=nowhere"]).exits(125).stderr();
    assert!(refused.contains("nowhere"), "{refused}");
}

#[test]
fn key_files_get_an_agent_of_their_own_that_ends_with_the_build() {
    require!(program "ssh-keygen");
    require!(program "ssh-agent");
    let lab = scene(
        "FROM payload\nRUN --mount=type=ssh,id=k [\"/payload\", \"dial\", \
        \"/run/buildkit/ssh_agent.0\", \"000000010b\"]\n",
    );
    let make = |name: &str, passphrase: &str| {
        let words = ["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f"];
        lab.program("ssh-keygen", words).arg(lab.work(name)).run().succeeds();
    };
    make("first", "");
    make("second", "");
    make("closed", "secret words");
    let said = build(&lab, &["--progress", "plain", "--ssh", "k=first,second"]).exits(0).stderr();
    // SSH2_AGENT_IDENTITIES_ANSWER with two keys, whose comments are their names.
    let (_, answer) = said.split_once("0c00000002").expect(&said);
    for name in ["first", "second"] {
        let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(answer.contains(&digits), "{said}");
    }
    let refused = build(&lab, &["--no-cache", "--ssh", "k=closed"]).exits(125).stderr();
    assert!(refused.contains("cannot use the key") && refused.contains("ssh-add"), "{refused}");
    // No process is left, which the lab finds; not by a build that is killed, either.
    write(&lab, "Dockerfile", "FROM payload\nRUN --mount=type=ssh,id=k [\"/payload\", \"sleep\"]\n");
    let running = lab.rc(["build", "--progress", "plain", "--ssh", "k=first"]).arg(lab.work("context")).start();
    running.error_line("not cached");
    running.kill_if_alive();
    drop(running.wait());
    // The agent has a copy of the lock of the build's files until it ends, too.
    until("the build's files are removed", || {
        lab.rc(["builder", "prune", "-f"]).run().exits(0).stdout();
        let left = std::fs::read_dir(lab.store().join("tmp")).map_or(0, Iterator::count);
        (left == 0).then_some(())
    });
}

#[test]
fn without_free_descriptors_an_agent_rests_and_serves_when_it_has_some() {
    let list = [0, 0, 0, 1, 11];
    let lab = scene(
        "FROM payload\nRUN --mount=type=ssh [\"/payload\", \"dial\", \"/run/buildkit/ssh_agent.0\", \"000000010b\"]\n",
    );
    let listener = UnixListener::bind(lab.work("agent")).expect("a socket");
    let (asked, is_asked) = mpsc::channel();
    let (answer, may_answer) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let serve = || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut buffer = [0; 5];
            stream.read_exact(&mut buffer).expect("a request");
            asked.send(()).ok();
            (stream, buffer)
        };
        // The step's waits until the test has had an answer.
        let (mut step, first) = serve();
        let (mut test, second) = serve();
        test.write_all(&second).ok();
        may_answer.recv().ok();
        step.write_all(&first).ok();
    });
    let socket = format!("default={}", lab.work("agent").display());
    let building = lab.rc(["build", "-q", "--ssh", &socket]).arg(lab.work("context")).start();
    is_asked.recv().expect("the step asks");
    let agent = until("there is an agent", || processes(&lab, "rc: agent").first().copied());
    let scratch = std::fs::read_dir(lab.store().join("tmp")).expect("builds").flatten();
    let directory = scratch.map(|entry| entry.path()).flat_map(|path| std::fs::read_dir(path).into_iter().flatten());
    let directory = directory.flatten().map(|entry| entry.path()).find(|path| path.join("socket").exists());
    let directory = std::fs::File::open(directory.expect("a socket for the step")).expect("opens");
    let before = limit_descriptors(agent, 3);
    let path = format!("/proc/self/fd/{}/socket", directory.as_raw_fd());
    let mut client = UnixStream::connect(path).expect("it listens");
    rests(agent);
    limit_descriptors(agent, before);
    client.write_all(&list).expect("sent");
    let mut heard = [0; 5];
    client.read_exact(&mut heard).expect("an answer");
    assert_eq!(heard, list);
    drop(answer);
    building.wait().exits(0).stdout();
}
