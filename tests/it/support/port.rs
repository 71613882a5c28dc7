//! Numbers of ports, for tests that have to name one. The tests of `src/net` use it, too.
//!
//! A port that the kernel has chosen and that was closed again may be given to anybody, as the near end of a connection too,
//! before the program under test listens there. These are of a range that the kernel does not choose from (it begins at 32768:
//! ip-sysctl.rst, `ip_local_port_range`), and whoever takes one holds an abstract socket of its name for as long as the process
//! lives, so that no test beside it and no other run on the machine takes it as well.

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

/// The first of `count` ports in a row that nobody has, of either protocol and at any IPv4 address.
pub(crate) fn take(count: u16) -> u16 {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Processes begin at different places: what the one before has used may still wait for its last packets.
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

/// Whether any socket has the port, by the kernel's tables. To bind it for a moment instead would keep it for longer: a child
/// that another thread starts meanwhile has a copy of the socket until it becomes its program.
#[expect(clippy::disallowed_methods, reason = "it belongs to the tests of two crates")]
fn is_used(port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    ["tcp", "tcp6", "udp", "udp6"].iter().any(|table| {
        let table = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        table.lines().any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&suffix)))
    })
}
