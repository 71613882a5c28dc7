use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::time::Duration;

use super::sink::STALL;
use super::*;

/// A client, and the other end of its pipe.
struct Reader {
    id: u64,
    output: PipeReader,
}

/// A relay of one output, and what writes to it.
fn relay() -> (Relay, PipeWriter) {
    let (outlet, program) = pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&program, true).expect("it does not wait");
    let mut relay = Relay::new(None);
    relay.add_pipe(outlet.into(), Stream::Stdout).expect("the pipe is relayed");
    (relay, program)
}

fn is_blocked(relay: &Relay) -> bool {
    relay.output.is_blocked(Stream::Stdout, &relay.clients)
}

fn pump(relay: &mut Relay) {
    relay.ready(Token::Output(Stream::Stdout), PollFlags::IN);
}

fn join(relay: &mut Relay, id: u64, is_starter: bool) -> Reader {
    let (output, sink) = pipe().expect("a pipe");
    let streams = Streams { stdout: Some(sink.into()), ..Streams::default() };
    relay.attach(id, streams, is_starter).expect("the client is attached");
    Reader { id, output }
}

/// Writes until everything is full, and returns how many bytes the program could write.
fn write_all_that_fits(relay: &mut Relay, program: &mut PipeWriter) -> usize {
    let mut written = 0;
    loop {
        match program.write(&[b'x'; 4096]) {
            Ok(length) => written += length,
            Err(_) if is_blocked(relay) => return written,
            Err(_) => pump(relay),
        }
    }
}

/// Reads what the pipe has, and tells the relay that there is room.
fn read(relay: &mut Relay, client: &mut Reader) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let there = rustix::io::ioctl_fionread(&client.output).expect("a number");
        if there == 0 {
            return bytes;
        }
        let mut piece = vec![0; usize::try_from(there).expect("it is small")];
        client.output.read_exact(&mut piece).expect("it is there");
        bytes.extend(piece);
        relay.ready(Token::Sink(client.id, Stream::Stdout), PollFlags::OUT);
    }
}

/// Lets time pass.
fn pass(relay: &mut Relay, time: Duration) {
    for sink in relay.clients.sinks_mut() {
        sink.expire(Instant::now() + time);
    }
}

#[test]
fn output_ends_with_the_program_although_another_process_holds_its_other_end() {
    let (mut relay, mut program) = relay();
    let mut client = join(&mut relay, 1, true);
    program.write_all(b"last words").expect("a pipe takes them");
    assert!(!relay.is_drained());
    relay.finish();
    assert!(relay.is_drained());
    assert_eq!(relay.hang_up(), [(1, 0)]);
    let mut text = String::new();
    client.output.read_to_string(&mut text).expect("the client's pipe ends");
    assert_eq!(text, "last words");
    drop(program);
}

#[test]
fn last_words_are_put_where_a_client_finds_them_that_does_not_read_now() {
    for is_starter in [true, false] {
        let (mut relay, mut program) = relay();
        let mut client = join(&mut relay, 1, is_starter);
        // Both pipes are full then.
        let written = write_all_that_fits(&mut relay, &mut program);
        drop(program);
        relay.finish();
        assert!(relay.is_drained());
        assert_eq!(relay.hang_up(), [(1, 0)]);
        let mut bytes = Vec::new();
        client.output.read_to_end(&mut bytes).expect("the client's pipe ends");
        assert_eq!(bytes.len(), written);
    }
}

#[test]
fn the_only_reader_sets_the_pace_and_another_is_left_behind_and_told() {
    let (mut relay, mut program) = relay();
    let mut starter = join(&mut relay, 1, true);
    let written = write_all_that_fits(&mut relay, &mut program);
    pass(&mut relay, STALL * 1000);
    assert!(is_blocked(&relay), "its output goes nowhere else");
    let mut got = read(&mut relay, &mut starter).len();
    pump(&mut relay);
    got += read(&mut relay, &mut starter).len();
    assert_eq!(got, written);

    let mut second = join(&mut relay, 2, false);
    let mut written = 0;
    let mut got = 0;
    while !relay.clients.sinks().any(Sink::is_waiting) {
        written += program.write(&[b'x'; 4096]).expect("there is room");
        pump(&mut relay);
        got += read(&mut relay, &mut starter).len();
    }
    pass(&mut relay, STALL / 2);
    assert!(is_blocked(&relay));
    pass(&mut relay, STALL);
    assert!(!is_blocked(&relay));
    for _ in 0..100 {
        written += program.write(&[b'x'; 4096]).expect("there is room");
        pump(&mut relay);
        got += read(&mut relay, &mut starter).len();
    }
    assert_eq!(got, written, "the first has all of it");
    let seen = read(&mut relay, &mut second);
    let end = seen.iter().position(|byte| *byte != b'x').expect("a note");
    let note = String::from_utf8_lossy(&seen[end..]).into_owned();
    assert_eq!(note, format!("rc: {} bytes of output are missing here: nobody read for 10 s\n", written - end));
    // It follows again.
    program.write_all(b"more").expect("there is room");
    pump(&mut relay);
    assert_eq!(read(&mut relay, &mut second), b"more");
}

#[test]
fn the_starter_of_a_program_is_told_at_the_end_what_it_missed() {
    let directory = tempfile::tempdir().expect("a directory");
    let bounds = crate::monitor::log::Bounds { size: 0, files: 1 };
    let log = crate::monitor::log::LogFile::open(&directory.path().join("log"), bounds).expect("a log");
    let (outlet, mut program) = pipe().expect("a pipe");
    let mut relay = Relay::new(Some(Log::File(log)));
    relay.add_pipe(outlet.into(), Stream::Stdout).expect("the pipe is relayed");
    let mut clients = [join(&mut relay, 1, true), join(&mut relay, 2, false)];
    let mut write = |relay: &mut Relay| {
        program.write_all(&[b'x'; 4096]).expect("there is room");
        pump(relay);
    };
    while !is_blocked(&relay) {
        write(&mut relay);
    }
    pass(&mut relay, STALL * 2);
    assert!(!is_blocked(&relay), "its output is logged");
    write(&mut relay);
    for client in &mut clients {
        let seen = String::from_utf8_lossy(&read(&mut relay, client)).into_owned();
        assert!(seen.ends_with("rc: 4096 bytes of output are missing here: nobody read for 10 s\n"), "{seen}");
    }
    relay.finish();
    assert_eq!(relay.hang_up(), [(1, 4096), (2, 0)]);
}

#[test]
fn flags_that_a_client_changes_are_its_own() {
    let (mut relay, mut program) = relay();
    let (output, sink) = pipe().expect("a pipe");
    let copy = sink.try_clone().expect("a descriptor can be copied");
    let streams = Streams { stdout: Some(sink.into()), ..Streams::default() };
    relay.attach(1, streams, false).expect("the client is attached");
    rustix::io::ioctl_fionbio(&copy, false).expect("a flag");
    // It would wait here for ever.
    write_all_that_fits(&mut relay, &mut program);
    drop(output);
}

#[test]
fn what_is_ready_may_be_no_more_and_says_nothing_of_others() {
    let (mut relay, mut program) = relay();
    let first = join(&mut relay, 1, false);
    let mut second = join(&mut relay, 2, false);
    drop(first);
    relay.detach(1);
    // These were in the poll set together with the end of the first.
    relay.ready(Token::Sink(1, Stream::Stdout), PollFlags::ERR);
    relay.ready(Token::ClientInput(1), PollFlags::IN);
    relay.ready(Token::Output(Stream::Stderr), PollFlags::IN);
    relay.ready(Token::Input, PollFlags::ERR);
    program.write_all(b"for the second").expect("a pipe takes it");
    relay.ready(Token::Output(Stream::Stdout), PollFlags::IN);
    assert_eq!(read(&mut relay, &mut second), b"for the second");
}

#[test]
fn a_program_sees_the_end_of_its_only_reader_and_of_no_other() {
    let (mut relay, mut program) = relay();
    let _first = join(&mut relay, 1, true);
    let _second = join(&mut relay, 2, false);
    relay.close_output(3, Stream::Stdout);
    relay.close_output(1, Stream::Stdout);
    program.write_all(b"x").expect("the second reads");
    relay.close_output(2, Stream::Stdout);
    assert_eq!(program.write(b"x").expect_err("nobody reads").kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn the_end_of_the_only_reader_is_told_by_its_command_although_its_pipe_was_first() {
    let (mut relay, mut program) = relay();
    let starter = join(&mut relay, 1, true);
    drop(starter);
    relay.ready(Token::Sink(1, Stream::Stdout), PollFlags::ERR);
    program.write_all(b"x").expect("it may only have been killed");
    relay.close_output(1, Stream::Stdout);
    assert_eq!(program.write(b"x").expect_err("nobody reads").kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn last_words_come_whole_also_in_packets() {
    let flags = rustix::pipe::PipeFlags::DIRECT | rustix::pipe::PipeFlags::NONBLOCK;
    let (outlet, program) = rustix::pipe::pipe_with(flags).expect("a pipe of packets");
    rustix::pipe::fcntl_setpipe_size(&outlet, 1 << 20).expect("it can be made larger");
    let mut relay = Relay::new(None);
    relay.add_pipe(outlet, Stream::Stdout).expect("the pipe is relayed");
    let mut client = join(&mut relay, 1, true);
    let mut written = 0;
    while let Ok(length) = rustix::io::write(&program, b"packet\n") {
        written += length;
    }
    assert!(written > 7 * 64, "{written}");
    drop(program);
    relay.finish();
    assert_eq!(relay.hang_up(), [(1, 0)]);
    let mut bytes = Vec::new();
    client.output.read_to_end(&mut bytes).expect("the client's pipe ends");
    assert_eq!(bytes.len(), written);
}

#[test]
fn only_pipes_are_joined() {
    let (mut relay, _program) = relay();
    let null = || Some(crate::sys::fs::open("/dev/null").expect("opens").into());
    let streams = [Streams { stdin: null(), ..Streams::default() }, Streams { stderr: null(), ..Streams::default() }];
    for streams in streams {
        assert!(relay.attach(1, streams, false).is_err());
    }
    assert!(!relay.clients.has(1));
}
