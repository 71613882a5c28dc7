//! The loop that moves the streams between this process's standard descriptors and a program.
//!
//! It waits only in one poll(2), so that neither a stalled reader of our output nor a program that does not read delays
//! a signal or the program's end.

use std::os::fd::AsFd as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::detach::Detach;
use super::input::{Fed, Input};
use super::output::{Drained, Output};
use super::{Error, Outcome, own_size};
use crate::container::{Session, SessionEvent};
use crate::sys::process;
use crate::sys::signal::Signals;
use crate::types::Signal;

/// The streams, and where they go.
#[derive(Debug)]
pub(super) struct Pump {
    session: Session,
    /// Our standard input goes here.
    input: Option<Input>,
    /// These come to our standard output or error.
    outputs: Vec<Output>,
    /// Finds the keys that detach.
    detach: Option<Detach>,
    /// Signals to this process.
    signals: Signals,
    /// Signals are passed on.
    proxy_signals: bool,
}

#[derive(Clone, Copy)]
enum Token {
    Session,
    Signals,
    /// Ours.
    Stdin,
    /// The program's has room, or no reader any more.
    Input,
    /// The output that goes to our descriptor of this number: there is more, or room for more.
    Output(i32),
    /// Watched only for the end of the process that reads our output.
    Sink(i32),
}

impl Pump {
    /// Connects our standard descriptors with the session's streams.
    pub(super) fn new(mut session: Session, signals: Signals, proxy_signals: bool) -> Result<Self, Error> {
        let input = session.stdin.take().map(Input::new).transpose()?;
        let outputs = [(session.stdout.take(), 1), (session.stderr.take(), 2)];
        let outputs = outputs.into_iter().filter_map(|(source, sink)| Some(Output::new(source?, sink)));
        let outputs = outputs.collect::<Result<_, _>>()?;
        let detach = session.terminal.as_ref().map(|terminal| Detach::new(&terminal.detach_keys));
        Ok(Self { session, input, outputs, detach, signals, proxy_signals })
    }

    /// The session, after the end of the program.
    pub(super) fn into_session(self) -> Session {
        self.session
    }

    /// Moves the streams until the program ends, the user detaches or no process reads our output any more.
    ///
    /// Fails with `Session` if the program could not be started or the monitor was killed, with `OutputMissed` if the
    /// monitor could not wait for us to read, with `Interrupted` if a signal came after the program's end, and with
    /// `Step` if our output could not be written.
    pub(super) fn run(&mut self) -> Result<Outcome, Error> {
        self.pass_size_on();
        let mut flow = Flow::default();
        loop {
            if flow.code.is_some() {
                self.drain_all(&mut flow);
            }
            if flow.code.is_some()
                && !self.outputs.is_empty()
                && let Some(number) = flow.unanswered.first()
            {
                // The signal came after the program had ended, but before we knew.
                return Err(Error::Interrupted(*number));
            }
            match flow {
                Flow { is_over: Some(_), failed: Some(errno), .. } => return Err(not_written(errno)),
                Flow { is_over: Some(outcome), .. } => return Ok(outcome),
                Flow { code: Some(code), missed, failed, .. } if self.outputs.is_empty() => {
                    return match failed {
                        Some(errno) => Err(not_written(errno)),
                        None if missed > 0 => Err(Error::OutputMissed { bytes: missed, code }),
                        None => Ok(Outcome::Exited(code)),
                    };
                }
                Flow { .. } => {}
            }
            for (token, flags) in self.wait(flow.code.is_some())? {
                match token {
                    Token::Session => self.receive(&mut flow)?,
                    Token::Signals => self.pass_signals_on(&mut flow)?,
                    Token::Stdin => self.feed(&mut flow),
                    Token::Input => self.input_ready(flags),
                    Token::Output(sink) => self.drain(sink, &mut flow),
                    Token::Sink(sink) => self.close(sink, &mut flow),
                }
            }
        }
    }
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Flow {
    /// The program has ended with this exit code. Its output may still be on its way.
    code: Option<i32>,
    /// Bytes of its output that are lost.
    missed: u64,
    /// Our output could not be written.
    failed: Option<Errno>,
    /// There is nothing more to wait for.
    is_over: Option<Outcome>,
    /// Signals that were passed on and not answered yet. The monitor answers none after the program's end.
    unanswered: Vec<i32>,
}

impl Pump {
    fn wait(&self, has_ended: bool) -> Result<Vec<(Token, PollFlags)>, Error> {
        let mut watched = vec![(self.signals.as_fd(), PollFlags::IN, Token::Signals)];
        if !has_ended {
            watched.push((self.session.as_fd(), PollFlags::IN, Token::Session));
        }
        if let Some(input) = &self.input {
            if input.has_room() {
                watched.extend(process::standard(0).map(|stdin| (stdin, PollFlags::IN, Token::Stdin)));
            }
            watched.extend(input.poll_fd().map(|(fd, flags)| (fd, flags, Token::Input)));
        }
        for output in &self.outputs {
            let number = output.sink();
            let sink = process::standard(number);
            if output.is_full() {
                watched.extend(sink.map(|sink| (sink, PollFlags::OUT, Token::Output(number))));
            } else {
                watched.push((output.source(), PollFlags::IN, Token::Output(number)));
                watched.extend(sink.map(|sink| (sink, PollFlags::empty(), Token::Sink(number))));
            }
        }
        let mut set: Vec<_> = watched.iter().map(|(fd, flags, _)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        match poll(&mut set, None::<&Timespec>) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Error::step("wait for the program")(error.into())),
        }
        let ready = set.iter().zip(&watched).map(|(fd, (_, _, token))| (*token, fd.revents()));
        Ok(ready.filter(|(_, flags)| !flags.is_empty()).collect())
    }

    /// Reads the monitor's next message.
    fn receive(&mut self, flow: &mut Flow) -> Result<(), Error> {
        match self.session.event()? {
            SessionEvent::Exited { code, missed } => {
                self.input = None;
                (flow.code, flow.missed) = (Some(code), missed);
                self.outputs.iter_mut().for_each(Output::finish);
            }
            SessionEvent::Signalled => drop(flow.unanswered.drain(..1.min(flow.unanswered.len()))),
            SessionEvent::Other => {}
        }
        Ok(())
    }

    /// The program has ended: passes on the rest of its output, as far as there is room.
    fn drain_all(&mut self, flow: &mut Flow) {
        let sinks: Vec<_> = self.outputs.iter().filter(|output| !output.is_full()).map(Output::sink).collect();
        for sink in sinks {
            while self.outputs.iter().any(|output| output.sink() == sink && !output.is_full()) {
                self.drain(sink, flow);
            }
        }
    }

    /// Passes signals on. After the program's end a signal is for this command, which still waits for its reader.
    fn pass_signals_on(&mut self, flow: &mut Flow) -> Result<(), Error> {
        while let Ok(Some(arrived)) = self.signals.take() {
            if arrived.number == libc::SIGWINCH {
                self.pass_size_on();
            } else if flow.code.is_some() {
                if arrived.number != libc::SIGURG {
                    return Err(Error::Interrupted(arrived.number));
                }
            } else if self.proxy_signals
                && let Ok(signal) = arrived.number.to_string().parse::<Signal>()
            {
                self.session.signal(signal);
                if arrived.number != libc::SIGURG {
                    flow.unanswered.push(arrived.number);
                }
            }
        }
        Ok(())
    }

    fn pass_size_on(&self) {
        if self.session.terminal.is_some()
            && let Some((rows, columns)) = own_size()
        {
            self.session.resize(rows, columns);
        }
    }

    /// Passes our input on.
    fn feed(&mut self, flow: &mut Flow) {
        match self.input.as_mut().map(|input| input.feed(self.detach.as_mut())) {
            Some(Fed::Ended) => self.input = None,
            Some(Fed::Detached) => {
                self.session.detach();
                flow.is_over = Some(Outcome::Detached);
            }
            Some(Fed::More) | None => {}
        }
    }

    fn input_ready(&mut self, flags: PollFlags) {
        if self.input.as_mut().is_some_and(|input| input.ready(flags) == Fed::Ended) {
            self.input = None;
        }
    }

    /// Passes one piece of output on to our descriptor `sink`.
    fn drain(&mut self, sink: i32, flow: &mut Flow) {
        let Some(output) = self.outputs.iter_mut().find(|output| output.sink() == sink) else { return };
        match output.forward() {
            Drained::More | Drained::Nothing | Drained::Full => {}
            Drained::Ended => self.outputs.retain(|output| output.sink() != sink),
            Drained::Closed => self.close(sink, flow),
            Drained::Failed(errno) => {
                flow.failed = Some(errno);
                self.close(sink, flow);
            }
        }
    }

    /// No process reads our descriptor `sink` any more.
    fn close(&mut self, sink: i32, flow: &mut Flow) {
        let is_last = self.outputs.iter().all(|output| output.sink() == sink);
        // Without a reader of its errors the program is still useful.
        if !self.session.close_output(sink == 2) && (sink == 1 || is_last) {
            flow.is_over = Some(Outcome::OutputClosed);
        }
        self.outputs.retain(|output| output.sink() != sink);
    }
}

fn not_written(errno: Errno) -> Error {
    Error::step("write the program's output")(errno.into())
}
