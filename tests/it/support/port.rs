//! Port numbers, for tests that must name one. The tests of `src/net` use them too.
//!
//! If a test lets the kernel choose a port and closes it, another process may get the port, even as the local end of a
//! connection, before the program under test listens on it. These ports are below the range that the kernel chooses
//! from (from 32768: ip-sysctl.rst, `ip_local_port_range`), and a process that takes one holds an abstract socket with
//! its name as long as it lives, so that no other test and no other run on the host takes the same port.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

const FIRST: u32 = 20_000;
const PORTS: u32 = 12_000;

struct Taken {
    next: u32,
    held: Vec<UnixListener>,
}

static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);

/// The first of `count` consecutive ports that nobody has, for both protocols and at every IPv4 address.
pub(crate) fn take(count: u16) -> u16 {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Each process starts at a different place: ports of an earlier process may still wait for their last packets.
    let taken = taken.get_or_insert_with(|| Taken { next: std::process::id().wrapping_mul(61), held: Vec::new() });
    for _ in 0..PORTS {
        let first = FIRST + taken.next % (PORTS - u32::from(count));
        taken.next = taken.next.wrapping_add(u32::from(count));
        let row = (0..u32::from(count)).map(|more| u16::try_from(first + more).ok().and_then(hold));
        if let Some(row) = row.collect::<Option<Vec<_>>>() {
            taken.held.extend(row);
            return u16::try_from(first).expect("below 32768");
        }
    }
    panic!("no {count} ports in a row are free");
}

/// Takes one port, unless it is taken.
fn hold(port: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("rc-test-port-{port}")).ok()?;
    let held = UnixListener::bind_addr(&name).ok()?;
    (!is_used(port)).then_some(held)
}

/// Whether any socket has the port, by the kernel's tables. Binding the port for a moment could keep it for longer: a
/// child that another thread starts meanwhile has a copy of the socket until it executes its program.
#[expect(clippy::disallowed_methods, reason = "it belongs to the tests of two crates")]
fn is_used(port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    ["tcp", "tcp6", "udp", "udp6"].iter().any(|table| {
        let table = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        table.lines().any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&suffix)))
    })
}
