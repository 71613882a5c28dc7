//! Messages on a stream: two bytes of length, then the message.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// The length of a length.
const LENGTH: usize = 2;

/// Reads messages from a stream that does not block.
#[derive(Debug)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    longest: usize,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// A message.
    Message(Vec<u8>),
    /// Not all of one yet.
    Part,
    /// The end of the stream, or a message that is too long.
    End,
}

impl Reader {
    /// For messages of up to `longest` bytes.
    pub(super) fn new(longest: usize) -> Self {
        Self { bytes: Vec::new(), longest }
    }

    /// Reads the next message, as far as it has arrived.
    pub(super) fn take(&mut self, stream: impl AsFd) -> io::Result<Taken> {
        let mut space = [0; 4096];
        loop {
            if let Some(length) =
                self.bytes.first_chunk::<LENGTH>().map(|bytes| usize::from(u16::from_be_bytes(*bytes)))
            {
                if length > self.longest {
                    return Ok(Taken::End);
                }
                if self.bytes.len() >= LENGTH + length {
                    let rest = self.bytes.split_off(LENGTH + length);
                    let message = std::mem::replace(&mut self.bytes, rest).split_off(LENGTH);
                    return Ok(Taken::Message(message));
                }
            }
            match recv(&stream, &mut space, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Ok(Taken::End),
                Ok((_, count)) => self.bytes.extend_from_slice(&space[..count]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Taken::Part),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Writes one message to a stream that does not block.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    written: usize,
}

impl Writer {
    /// For this message; `None` if it is longer than a length can say.
    pub(super) fn new(message: &[u8]) -> Option<Self> {
        let length = u16::try_from(message.len()).ok()?;
        Some(Self { bytes: [&length.to_be_bytes(), message].concat(), written: 0 })
    }

    /// Writes what the stream takes now; whether that was all.
    pub(super) fn write(&mut self, stream: impl AsFd) -> io::Result<bool> {
        while self.written < self.bytes.len() {
            match send(&stream, &self.bytes[self.written..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => self.written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}
