//! The interface of network drivers: the four steps of a connection.

use std::fmt;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::addresses::Addresses;
use super::error::Error;
use super::helper::Process;
use super::hostfwd::Forwards;
use super::ports;
use super::relay::{Doors, Relay, Spot};
use super::request::Request;
use super::wait::wait_readable;
use crate::sys::lock::FileLock;
use crate::types::{EndpointState, NetworkAddress, NetworkState, PortMapping};

/// How long a helper may take to release its ports, before rc kills it instead: it answers in a fraction of a
/// millisecond.
const CLOSING_PATIENCE: Duration = Duration::from_millis(100);

/// Connects network namespaces of one kind.
pub(crate) trait Driver: fmt::Debug + Sync {
    /// Its name in `--network`.
    fn name(&self) -> &'static str;

    /// Finds what would fail later, while there is nothing to undo: the program is missing, a port is taken, privileged
    /// or of a family that the driver does not support. Changes and reserves nothing.
    fn validate(&self, request: &Request) -> Result<(), Error>;

    /// Starts to connect the user and network namespace of process `target`, which must be dumpable until the network
    /// is up, and does not wait. Leaves nothing behind on failure.
    fn start(&self, request: &Request, target: i32) -> Result<StartingNetwork, Error>;

    /// Whether this port is served by rc's own process alone ([`Doors`]), and not by the helper.
    fn leaves_to_relay(&self, port: &PortMapping) -> bool {
        ports::is_loopback_datagrams(port)
    }

    /// Makes the published ports listen, if that happens after the interface is up; called by
    /// [`StartingNetwork::wait_ready`]. Returns the way to free them before the helper ends, if there is one.
    fn publish(&self, _starting: &StartingNetwork, _deadline: Instant) -> Result<Option<Forwards>, Error> {
        Ok(None)
    }

    /// Finds the error for a helper that ended while it was starting; called by [`StartingNetwork::wait_ready`].
    fn explain(&self, _starting: &StartingNetwork, error: Error) -> Error {
        error
    }

    /// The addresses inside, if the container has a network of its own.
    fn addresses(&self, _request: &Request) -> Option<Addresses> {
        None
    }
}

/// A network that is being set up. Dropping it undoes it.
#[derive(Debug)]
pub(crate) struct StartingNetwork {
    pub(super) driver: &'static dyn Driver,
    pub(super) request: Request,
    /// The pid whose namespaces are connected.
    pub(super) target: i32,
    pub(super) process: Option<Process>,
    pub(super) relay: Option<Relay>,
    /// Held until the ports listen.
    pub(super) _lock: Option<FileLock>,
}

/// Takes the ports of `request` that `driver` leaves to rc's own process. Fails with the first that cannot be had.
pub(crate) fn open_doors(driver: &dyn Driver, request: &Request) -> Result<Doors, Error> {
    Doors::open(request, |port| driver.leaves_to_relay(port))
}

/// Starts to connect the namespaces of process `target` by `driver`, with the ports that `doors` has taken for
/// `request`, which the relay serves in a network with a name, if there is one. [`Driver::start`] has the rest.
pub(crate) fn start(
    driver: &'static dyn Driver,
    request: &Request,
    (doors, network): (&Arc<Doors>, Option<Spot>),
    target: i32,
) -> Result<StartingNetwork, Error> {
    let mut starting = driver.start(request, target)?;
    // Without ports nobody needs a relay, and this is on the way of every start.
    if !request.ports.is_empty() {
        let own = || {
            let addresses = driver.addresses(request)?;
            Some(Spot::of_process(target, addresses).map_err(|source| Error::Talk {
                driver: driver.name(),
                step: "open the container's process",
                source,
            }))
        };
        let spot = network.map_or_else(|| own().transpose(), |network| Ok(Some(network)))?;
        let is_ours = |port: &PortMapping| driver.leaves_to_relay(port);
        starting.relay = Relay::start(driver.name(), request, (doors, is_ours), spot)?;
    }
    Ok(starting)
}

impl StartingNetwork {
    /// One of these descriptors becomes readable as soon as [`wait_ready`](Self::wait_ready) need not wait for the
    /// helper; `None` without a helper.
    pub(crate) fn awaited(&self) -> Option<[BorrowedFd<'_>; 2]> {
        self.process.as_ref().map(|process| [process.ready.as_fd(), process.helper.pidfd()])
    }

    /// The helper's pid.
    pub(super) fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(|process| process.helper.pid())
    }

    /// Waits until the container can use its network and its ports listen.
    ///
    /// Fails if the helper ends or refuses (with its words), or at `deadline`; the helper has ended then.
    pub(crate) fn wait_ready(self, deadline: Instant) -> Result<Running, Error> {
        let mut forwards = None;
        if let Some(process) = &self.process {
            self.wait_interface(process, deadline)?;
            forwards = self.driver.publish(&self, deadline)?;
            // What it has printed so far was about its start; make room for what it prints at its end.
            process.helper.last_words();
        }
        if let Some(relay) = &self.relay {
            relay.wait_ready(self.driver.name(), deadline)?;
        }
        let Self { driver, process, request, relay, .. } = self;
        let holds_ports = process.is_some() && request.ports.iter().any(|port| !driver.leaves_to_relay(port));
        let addresses = driver.addresses(&request);
        let interface = request.interface;
        let ports = request.ports;
        Ok(Running { addresses, interface, process, relay, forwards, ports, holds_ports, has_helper_ended: false })
    }

    fn wait_interface(&self, process: &Process, deadline: Instant) -> Result<(), Error> {
        let driver = self.driver.name();
        let talk = |step| move |errno: Errno| Error::Talk { driver, step, source: errno.into() };
        if !wait_readable(&[process.ready.as_fd(), process.helper.pidfd()], deadline).map_err(talk("wait"))? {
            return Err(Error::NotReady { driver, words: process.helper.last_words() });
        }
        let mut byte = [0; 64];
        match rustix::io::read(&process.ready, &mut byte) {
            Ok(0) | Err(Errno::AGAIN) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(talk("read the ready descriptor")(errno)),
        }
        // The end of that pipe: the helper has given up, and will end in a moment.
        if !wait_readable(&[process.helper.pidfd()], deadline).map_err(talk("wait"))? {
            return Err(Error::NotReady { driver, words: process.helper.last_words() });
        }
        let ended = process.helper.wait().ok();
        let words = process.helper.last_words();
        Err(self.driver.explain(self, Error::HelperEnded { driver, ended, words }))
    }
}

/// A network in use. Dropping it kills and reaps the helper, and frees every published port.
#[derive(Debug)]
pub(crate) struct Running {
    addresses: Option<Addresses>,
    interface: &'static str,
    process: Option<Process>,
    relay: Option<Relay>,
    forwards: Option<Forwards>,
    ports: Vec<PortMapping>,
    /// Whether the helper holds published ports.
    holds_ports: bool,
    has_helper_ended: bool,
}

/// What a descriptor to wait for belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Token {
    /// The helper.
    Helper,
    /// The relay of published ports.
    Relay,
}

impl Running {
    /// What to wait for while the container runs.
    pub(crate) fn poll_set<'a>(&'a self, watch: &mut impl FnMut(BorrowedFd<'a>, Token)) {
        if let Some(process) = self.process.as_ref().filter(|_| !self.has_helper_ended) {
            watch(process.helper.pidfd(), Token::Helper);
        }
        self.relay.iter().flat_map(Relay::pidfds).for_each(|relay| watch(relay, Token::Relay));
    }

    /// Acts on a process that has ended, which none should do while the container runs.
    pub(crate) fn ready(&mut self, token: Token) {
        match token {
            // Without the helper the container has no network, but nothing else depends on that.
            Token::Helper => self.has_helper_ended = true,
            Token::Relay => self.restart(),
        }
    }

    /// When [`restart`](Self::restart) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.relay.as_ref()?.deadline()
    }

    /// Starts a process again that has ended.
    pub(crate) fn restart(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.revive();
        }
    }

    /// Serves the published ports at another spot from now on, or refuses clients. [`Relay::move_to`] has the rest.
    pub(crate) fn move_ports(&mut self, spot: Option<Spot>, lasts: &dyn Fn(&Spot) -> bool) -> Result<(), Error> {
        self.relay.as_mut().map_or(Ok(()), |relay| relay.move_to(spot, lasts))
    }

    /// The container has another name, by which its relay calls itself.
    pub(crate) fn rename(&mut self, name: &str) {
        if let Some(relay) = &mut self.relay {
            relay.rename(name);
        }
    }

    /// The helper's pidfd.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.process.as_ref().map(|process| process.helper.pidfd())
    }

    /// The helper's pid.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(|process| process.helper.pid())
    }

    /// The network state of the container.
    pub(crate) fn state(&self) -> NetworkState {
        let endpoint = self.addresses.map(|addresses| EndpointState {
            addresses: vec![NetworkAddress { ip: addresses.ip.into(), prefix: addresses.prefix }],
            gateways: vec![addresses.gateway.into()],
            // Chosen by the kernel, and not visible from outside.
            mac: None,
            interface: Some(self.interface.to_owned()),
            ports: self.ports.clone(),
        });
        NetworkState { endpoints: endpoint.into_iter().collect() }
    }

    /// Frees every published port while the helper still runs, if nobody else has the [`Doors`]: its exit takes the
    /// kernel some 20 ms, for closing its tap device. `false` if the ports are free only after the network is dropped.
    pub(crate) fn free_ports(&mut self) -> bool {
        self.relay = None;
        let deadline = Instant::now() + CLOSING_PATIENCE;
        !self.holds_ports || self.forwards.as_ref().is_some_and(|forwards| forwards.close(deadline))
    }
}
