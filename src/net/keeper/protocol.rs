//! What a keeper says to its members' monitors, which say nothing. A byte with the protocol's version, then JSON.
//!
//! ```text
//! keeper → member   welcome   + the network's namespace, the user namespace that owns it
//!                   up        the network is complete: its way out works, if it has one
//!                   failed    its way out does not, for this reason; the keeper goes on trying
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::sys::socket;
use crate::types::{Report, json};

/// The name of the socket in the network's directory.
pub(in crate::net) const SOCKET: &str = "ctl";

const VERSION: u8 = 1;
/// Bytes.
const LIMIT: usize = 64 << 10;

/// A message of a keeper.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::net) enum Said {
    /// The descriptors come with it.
    Welcome {
        /// The network has a packet filter.
        #[serde(default)]
        has_filter: bool,
    },
    /// The network is complete.
    Up,
    /// There is no way out.
    Failed(Report),
}

/// Says something, without waiting.
pub(in crate::net) fn say(to: BorrowedFd<'_>, said: &Said, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, said)?;
    socket::send(to, &bytes, descriptors)
}

/// Hears the next message; `None` at the end of the connection.
pub(in crate::net) fn hear(from: impl AsFd) -> io::Result<Option<(Said, Vec<OwnedFd>)>> {
    let Some(received) = socket::receive(from, LIMIT)? else { return Ok(None) };
    let said = json::from_slice(received.bytes.get(1..).unwrap_or_default())?;
    Ok(Some((said, received.descriptors)))
}
