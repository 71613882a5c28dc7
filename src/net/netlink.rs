//! Requests to the kernel over netlink(7): one socket, requests in order, an answer for each.
//!
//! Messages are built with netlink-packet-route and netlink-packet-core. The answers are read by hand: they are an
//! errno each, and to decode messages of every kind would make the program most of a megabyte larger.

pub(super) mod messages;
pub(super) mod watch;

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::Socket;
use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};

/// The length of the header of a message, and of what the kernel says in an answer before it repeats the request: the
/// header and an errno. Source: netlink(7), `nlmsghdr`, `nlmsgerr`.
const HEADER: usize = 16;
const ANSWER: usize = HEADER + 4;

/// A request, and what it is for.
#[derive(Debug)]
pub(super) struct Request<T> {
    /// An infinitive, for errors.
    pub(super) step: &'static str,
    /// The message.
    pub(super) message: T,
    /// Flags beyond `NLM_F_REQUEST` and `NLM_F_ACK`.
    pub(super) flags: u16,
}

/// The kernel has refused a request, or could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}: {}", crate::sys::fs::plain(.source))]
pub(super) struct Refused {
    /// The step of the request.
    pub(super) step: &'static str,
    /// The kernel's answer.
    pub(super) source: io::Error,
}

/// A socket to one of the kernel's subsystems, in the network namespace that its creator was in.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: Socket,
}

impl Netlink {
    /// A socket for interfaces, addresses, routes and rules: rtnetlink(7).
    pub(super) fn route() -> io::Result<Self> {
        Ok(Self { socket: Socket::new(NETLINK_ROUTE)? })
    }

    /// A socket for the packet filter.
    pub(super) fn netfilter() -> io::Result<Self> {
        Ok(Self { socket: Socket::new(NETLINK_NETFILTER)? })
    }

    /// Makes requests, which the kernel handles in order. Fails with the first that it refuses; those before it stay
    /// done, and those after it may be.
    pub(super) fn ask(&self, requests: &[Request<RouteNetlinkMessage>]) -> Result<(), Refused> {
        let Some(first) = requests.first() else { return Ok(()) };
        let refused = |step| move |source| Refused { step, source };
        let mut bytes = Vec::new();
        for (sequence, request) in (0u32..).zip(requests) {
            let mut message = with_header(request.message.clone(), request.flags);
            number(&mut message, sequence);
            bytes.append(&mut message);
        }
        self.socket.send(&bytes, 0).map_err(refused(first.step))?;
        let (mut left, mut failure) = (requests.len(), None::<(u32, i32)>);
        while left > 0 {
            for (sequence, errno) in self.receive().map_err(refused(first.step))? {
                left = left.saturating_sub(1);
                if errno != 0 && failure.is_none() {
                    failure = Some((sequence, errno));
                }
            }
        }
        failure.map_or(Ok(()), |(sequence, errno)| {
            let step = requests.get(sequence as usize).map_or(first.step, |request| request.step);
            Err(refused(step)(io::Error::from_raw_os_error(errno)))
        })
    }

    /// Sends messages that the kernel carries out together, or not at all; `step` is for errors. Not usable after a
    /// failure: the kernel may have said more about it.
    pub(super) fn batch(&self, step: &'static str, messages: &[Vec<u8>]) -> Result<(), Refused> {
        let refused = |source| Refused { step, source };
        let (mut bytes, mut left) = (Vec::new(), 0usize);
        for (sequence, message) in (0u32..).zip(messages) {
            let start = bytes.len();
            bytes.extend_from_slice(message);
            number(&mut bytes[start..], sequence);
            left += usize::from(u16::from_ne_bytes([message[6], message[7]]) & NLM_F_ACK != 0);
        }
        self.socket.send(&bytes, 0).map_err(refused)?;
        while left > 0 {
            for (_, errno) in self.receive().map_err(refused)? {
                left = left.saturating_sub(1);
                if errno != 0 {
                    return Err(refused(io::Error::from_raw_os_error(errno)));
                }
            }
        }
        Ok(())
    }

    /// The answers of one packet: the number of the request, and an errno or 0.
    fn receive(&self) -> io::Result<Vec<(u32, i32)>> {
        // An answer repeats the request unless it was granted; what does not fit is not needed.
        let mut buffer = Vec::with_capacity(8 << 10);
        loop {
            match self.socket.recv(&mut buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(answers(&buffer)),
            }
        }
    }
}

fn answers(mut packet: &[u8]) -> Vec<(u32, i32)> {
    let word =
        |bytes: &[u8], at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_ne_bytes);
    let mut found = Vec::new();
    while packet.len() >= ANSWER {
        let (Some(length), Some(sequence), Some(errno)) = (word(packet, 0), word(packet, 8), word(packet, HEADER))
        else {
            break;
        };
        if u16::from_ne_bytes([packet[4], packet[5]]) == NLMSG_ERROR {
            // The kernel has errors negative.
            found.push((sequence, -errno.cast_signed()));
        }
        let next = (length as usize).next_multiple_of(4).max(HEADER);
        packet = packet.get(next..).unwrap_or_default();
    }
    found
}

/// Sets the number by which the answer names a message. Source: netlink(7), `nlmsg_seq`.
fn number(message: &mut [u8], sequence: u32) {
    message[8..12].copy_from_slice(&sequence.to_ne_bytes());
}

/// A message in bytes, with a header that asks for an answer.
fn with_header<T: NetlinkSerializable>(message: T, flags: u16) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    // Each message begins at a multiple of four. Source: netlink(7), `NLMSG_ALIGN`.
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_of_a_packet_is_read() {
        let answer = |sequence: u32, errno: i32, repeated: usize| {
            let length = u32::try_from(ANSWER + repeated).expect("short");
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend(NLMSG_ERROR.to_ne_bytes());
            bytes.extend([0, 0]);
            bytes.extend(sequence.to_ne_bytes());
            bytes.extend([0; 4]);
            bytes.extend((-errno).to_ne_bytes());
            bytes.resize(bytes.len() + repeated.next_multiple_of(4), 7);
            bytes
        };
        let packet = [answer(0, 0, 16), answer(1, 99, 3)].concat();
        assert_eq!(answers(&packet), [(0, 0), (1, 99)]);
        assert_eq!(answers(&packet[..packet.len() - 21]), [(0, 0)]);
        assert_eq!(answers(&[0; 64]), []);
        assert_eq!(answers(&[]), []);
    }
}
