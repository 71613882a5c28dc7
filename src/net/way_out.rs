//! A network's way out: slirp4netns or pasta, with an interface in the network's namespace. Its keeper is the parent,
//! and starts it again when it ends.
//!
//! slirp4netns first gives its interface an address and a default route, then confines itself, and then says that it is
//! ready. From the route on packets wait in the interface until it reads them, so that is when the network is complete
//! for its members, unless they have IPv6.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net};

use super::agreed::{MTU, TAP};
use super::driver::{Running, StartingNetwork};
use super::drivers::endpoint_driver;
use super::error::Error;
use super::keeper::Inside;
use super::keeper::space::Space;
use super::netlink::watch::Routes;
use super::programs::Programs;
use super::request::Request;
use super::routes;
use crate::types::{NetworkDriver, NetworkRecord, Report};

/// How long the helper may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take until there is news: the first failure is none, and who waits a little longer hears why.
pub(super) const NEWS_AFTER: Duration = Duration::from_secs(2 * PATIENCE.as_secs() + 5);

/// The pause before another attempt: none after the first end, then this, and twice as long each time.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause; a helper that has run for this long is one that works.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The ranges in which the helper and its interface may have their addresses.
const RANGES: [Ipv4Net; 3] = [range([10, 0, 2, 0]), range([172, 31, 255, 0]), range([192, 168, 255, 0])];

const fn range(octets: [u8; 4]) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(a, b, c, d), 24)
}

/// The first range that none of the network's subnets overlaps, and no route of the host if possible: its members
/// would not reach what is there. `None` if each is taken.
fn range_beside(record: &NetworkRecord, host: &[IpNet]) -> Option<Ipv4Net> {
    let is_hosts = |range: &Ipv4Net| {
        let range = IpNet::V4(*range);
        host.iter().any(|route| route.contains(&range) || range.contains(route))
    };
    let free: Vec<_> = RANGES.into_iter().filter(|range| !record.overlaps(&IpNet::V4(*range))).collect();
    free.iter().copied().find(|range| !is_hosts(range)).or(free.first().copied())
}

/// The way out of a network.
#[derive(Debug)]
pub(super) struct WayOut<'a> {
    record: &'a NetworkRecord,
    programs: &'a Programs,
    request: Request,
    has_filter: bool,
    state: State,
    /// How often it has ended, or failed to start, since it last worked.
    failures: u32,
}

#[derive(Debug)]
enum State {
    /// The network is internal, or has not been started yet.
    None,
    Starting {
        inside: Inside,
        network: StartingNetwork,
        until: Instant,
        /// Until a helper of which that is known has set up its default route.
        routes: Option<Routes>,
        /// The default route is there, and that was news.
        is_told: bool,
    },
    Up {
        network: Running,
        since: Instant,
    },
    Waiting {
        until: Instant,
    },
}

impl<'a> WayOut<'a> {
    /// The way out of this network, whose namespace has a packet filter or not. It is not started.
    pub(super) fn new(
        record: &'a NetworkRecord,
        programs: &'a Programs,
        directory: &Path,
        locks: &Path,
        has_filter: bool,
    ) -> Self {
        let request = Request {
            name: record.name.to_string(),
            ports: Vec::new(),
            options: Vec::new(),
            range: None,
            programs: programs.clone(),
            directory: directory.to_owned(),
            locks: locks.to_owned(),
            interface: TAP,
        };
        Self { record, programs, request, has_filter, state: State::None, failures: 0 }
    }

    /// Begins to start it. Returns news: it need not be started, or cannot be.
    pub(super) fn start(&mut self, inside: Option<Inside>, space: &Space) -> Option<Result<(), Report>> {
        if self.record.internal {
            return Some(Ok(()));
        }
        match self.try_start(inside, space) {
            Ok(state) => {
                self.state = state;
                None
            }
            Err(error) => self.give_up(error),
        }
    }

    fn try_start(&mut self, inside: Option<Inside>, space: &Space) -> Result<State, Error> {
        let mut inside = inside.map_or_else(|| Inside::enter(self.record, space), Ok)?;
        let driver = self.driver()?;
        self.request.range = range_beside(self.record, &routes::of_host());
        self.request.options = self.options(driver);
        // Its route for IPv6 comes when it works.
        let says_by_route = driver == NetworkDriver::Slirp4netns && !self.record.has_ipv6();
        let routes = inside.take_routes().filter(|_| says_by_route);
        let network = endpoint_driver(driver)?.start(&self.request, inside.pid())?;
        Ok(State::Starting { inside, network, until: Instant::now() + PATIENCE, routes, is_told: false })
    }

    /// slirp4netns, or pasta where only that is installed: it takes more memory, and longer to start; and it answers
    /// only the address that has spoken last, so it needs the filter's masquerading.
    fn driver(&self) -> Result<NetworkDriver, Error> {
        let Err(error) = self.programs.find(NetworkDriver::Slirp4netns) else { return Ok(NetworkDriver::Slirp4netns) };
        match self.programs.find(NetworkDriver::Pasta) {
            Ok(_) if self.has_filter => Ok(NetworkDriver::Pasta),
            Ok(_) => Err(Error::NoFilter { network: self.record.name.to_string() }),
            Err(_) => Err(error),
        }
    }

    fn options(&self, driver: NetworkDriver) -> Vec<String> {
        let mtu = self.record.mtu().unwrap_or(MTU);
        match driver {
            NetworkDriver::Slirp4netns => {
                let range = self.request.range.unwrap_or(RANGES[0]);
                let mut options = vec![format!("mtu={mtu}"), format!("cidr={range}")];
                // It knows its own neighbours alone, so that members need masquerading.
                if self.has_filter && self.record.has_ipv6() {
                    options.push("enable_ipv6=true".to_owned());
                }
                options
            }
            NetworkDriver::Pasta => vec!["--mtu".to_owned(), mtu.to_string()],
            NetworkDriver::Bridge => Vec::new(),
        }
    }

    /// The helper's process, if there is one.
    pub(super) fn pid(&self) -> Option<i32> {
        match &self.state {
            State::Starting { network, .. } => network.pid(),
            State::Up { network, .. } => network.pid(),
            State::None | State::Waiting { .. } => None,
        }
    }

    /// Descriptors that are readable when [`proceed`](Self::proceed) has something to do.
    pub(super) fn awaited(&self) -> Vec<BorrowedFd<'_>> {
        let routes = if let State::Starting { routes, .. } = &self.state { routes.as_ref() } else { None };
        self.of_helper().into_iter().chain(routes.map(Routes::as_fd)).collect()
    }

    /// Those that the helper makes readable: it is ready, or has ended.
    fn of_helper(&self) -> Vec<BorrowedFd<'_>> {
        match &self.state {
            State::Starting { network, .. } => network.awaited().into_iter().flatten().collect(),
            State::Up { network, .. } => network.pidfd().into_iter().collect(),
            State::None | State::Waiting { .. } => Vec::new(),
        }
    }

    /// When [`proceed`](Self::proceed) has something to do at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Starting { until, .. } | State::Waiting { until } => Some(until),
            State::None | State::Up { .. } => None,
        }
    }

    /// Whether a helper that is starting has set up its default route since the last call.
    fn has_route(&mut self) -> bool {
        let State::Starting { routes, is_told, .. } = &mut self.state else { return false };
        // Nothing more is heard of them after that.
        routes.take_if(|routes| routes.have_default()).is_some_and(|_| !std::mem::replace(is_told, true))
    }

    /// Goes on if there is something to do, which it does not wait for. Returns news: it works now, or it does not.
    pub(super) fn proceed(&mut self, space: &Space) -> Option<Result<(), Report>> {
        if self.has_route() {
            return Some(Ok(()));
        }
        let is_late = self.deadline().is_some_and(|until| until <= Instant::now());
        let is_ready = super::wait::wait_readable(&self.of_helper(), Instant::now()).unwrap_or(false);
        if !is_late && !is_ready {
            return None;
        }
        match std::mem::replace(&mut self.state, State::None) {
            State::None => None,
            State::Starting { inside, network, is_told, .. } => {
                let news = network.wait_ready(Instant::now());
                drop(inside);
                match news {
                    Ok(network) => {
                        self.state = State::Up { network, since: Instant::now() };
                        (!is_told).then_some(Ok(()))
                    }
                    Err(error) => self.give_up(error),
                }
            }
            State::Up { network, since } => {
                drop(network);
                if since.elapsed() > LONGEST_PAUSE {
                    self.failures = 0;
                }
                self.wait();
                None
            }
            State::Waiting { .. } => self.start(None, space),
        }
    }

    /// An attempt has failed. The first time it is no news: somebody may have killed the helper.
    fn give_up(&mut self, error: Error) -> Option<Result<(), Report>> {
        let is_first = self.failures == 0;
        self.wait();
        (!is_first).then(|| Err(error.into()))
    }

    /// Waits for the next attempt.
    fn wait(&mut self) {
        let pause = match self.failures {
            0 => Duration::ZERO,
            failures => PAUSE.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST_PAUSE),
        };
        self.failures = self.failures.saturating_add(1);
        self.state = State::Waiting { until: Instant::now() + pause };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Subnet;

    fn record(subnets: &[&str]) -> NetworkRecord {
        let subnet = |text: &&str| Subnet::whole(text.parse().expect("a subnet"));
        NetworkRecord { subnets: subnets.iter().map(subnet).collect(), ..NetworkRecord::default_network() }
    }

    #[test]
    fn the_helper_is_in_no_subnet_of_the_network() {
        let programs = Programs::default();
        let words_of = |subnets: &[&str], has_filter| {
            let record = record(subnets);
            let mut way_out = WayOut::new(&record, &programs, Path::new("/"), Path::new("/"), has_filter);
            way_out.request.range = range_beside(&record, &["172.31.0.0/16".parse().expect("a route")]);
            way_out.options(NetworkDriver::Slirp4netns).join(" ")
        };
        let words = |subnets: &[&str]| words_of(subnets, true);
        assert_eq!(words(&["10.89.0.0/24"]), "mtu=16000 cidr=10.0.2.0/24");
        // The host has a route to the second one, which is better than none.
        assert_eq!(words(&["10.0.2.128/25"]), "mtu=16000 cidr=192.168.255.0/24");
        assert_eq!(words(&["10.0.2.128/25", "192.168.0.0/16"]), "mtu=16000 cidr=172.31.255.0/24");
        assert_eq!(words(&["10.89.0.0/24", "fd00:7::/64"]), "mtu=16000 cidr=10.0.2.0/24 enable_ipv6=true");
        assert_eq!(words(&["10.89.0.0/24", "fd00::/48"]), "mtu=16000 cidr=10.0.2.0/24 enable_ipv6=true");
        assert_eq!(words_of(&["10.89.0.0/24", "fd00:7::/64"], false), "mtu=16000 cidr=10.0.2.0/24");
    }

    #[test]
    fn an_attempt_is_made_again_at_once_and_then_ever_more_rarely() {
        let (record, programs) = (record(&[]), Programs::default());
        let mut way_out = WayOut::new(&record, &programs, Path::new("/"), Path::new("/"), true);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let before = Instant::now();
            way_out.wait();
            let until = way_out.deadline().expect("it waits");
            pauses.push(until.saturating_duration_since(before).as_millis() / 100 * 100);
        }
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }
}
