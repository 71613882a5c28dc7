//! The contents of `/etc/hosts` and `/etc/resolv.conf` of a container: pure functions, and reading the host's own
//! files.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use super::addresses;
use super::error::Error;
use crate::types::{Endpoint, Invalid, Network};

/// The most that rc reads of a file of the host, in bytes.
const LIMIT: u64 = 256 << 10;
/// The maximum for the C library. Source: resolv.conf(5), `MAXNS`.
const MAX_NAME_SERVERS: usize = 3;

/// The names by which a container reaches its host.
pub(crate) const HOST_NAMES: [&str; 2] = ["host.containers.internal", "host.docker.internal"];

/// The input for `/etc/hosts`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hosts<'a> {
    /// The network.
    pub(crate) network: &'a Network,
    /// The container's host name.
    pub(crate) hostname: &'a str,
    /// Its name, which resolves too.
    pub(crate) name: &'a str,
    /// Another name of it.
    pub(crate) other_name: Option<&'a str>,
    /// Its addresses in networks with names, once it has them.
    pub(crate) own: &'a [IpAddr],
    /// The host's outward address, [`super::addresses::outward`]; none if it cannot be reached.
    pub(crate) outward: Option<IpAddr>,
    /// Lines requested with `--add-host`: name and address.
    pub(crate) extra: &'a [(String, IpAddr)],
    /// Further names of the host, requested with `--add-host NAME:host-gateway`.
    pub(crate) gateway: &'a [String],
    /// What the file begins with: the host's own with `--network host`, or what was asked for; else empty.
    pub(crate) base: &'a str,
}

/// Writes `/etc/hosts`.
///
/// Requested lines come first, because the first line of a name wins; a built-in name that was requested is left out.
/// An invalid name is refused: a space or newline in it would forge another line (safety.md, N5). So is a name for the
/// host if the container cannot reach the host.
pub(crate) fn hosts(request: &Hosts<'_>) -> Result<String, Invalid> {
    let gateway = request.gateway.iter().map(String::as_str);
    let own_names = [request.hostname, request.name].into_iter().chain(request.other_name);
    let names = request.extra.iter().map(|(name, _)| name.as_str()).chain(own_names);
    names.chain(gateway.clone()).try_for_each(check_name)?;
    let outward = request.outward.filter(|_| *request.network != Network::None);

    let mut text = String::new();
    for (name, address) in request.extra {
        line(&mut text, *address, &[name]);
    }
    match (outward, request.gateway) {
        (Some(outward), _) => line(&mut text, outward, &gateway.collect::<Vec<_>>()),
        (None, [first, ..]) => return Err(Invalid::new("host", first, "the container cannot reach the host")),
        (None, []) => {}
    }
    let is_asked_for =
        |name: &&str| request.extra.iter().map(|(asked, _)| asked).chain(request.gateway).any(|asked| asked == name);
    text.push_str(request.base);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if !has_name(request.base, "localhost") {
        text.push_str("127.0.0.1\tlocalhost localhost.localdomain\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    }
    // Without an address of its own, a program that looks up its host name still gets an answer (sudo does that).
    let by_driver =
        || addresses::of(request.network).map_or(IpAddr::from([127, 0, 0, 1]), |addresses| addresses.ip.into());
    let own = if request.own.is_empty() { vec![by_driver()] } else { request.own.to_vec() };
    let mut own_names = vec![request.hostname];
    if request.name != request.hostname {
        own_names.push(request.name);
    }
    own_names.extend(request.other_name);
    own_names.retain(|name| !name.is_empty() && !is_asked_for(name) && !has_name(request.base, name));
    own.into_iter().for_each(|own| line(&mut text, own, &own_names));
    if let Some(outward) = outward {
        let names: Vec<_> =
            HOST_NAMES.into_iter().filter(|name| !is_asked_for(name) && !has_name(request.base, name)).collect();
        line(&mut text, outward, &names);
    }
    Ok(text)
}

fn line(text: &mut String, address: IpAddr, names: &[&str]) {
    if !names.is_empty() {
        // Writing to a string cannot fail.
        writeln!(text, "{address}\t{}", names.join(" ")).ok();
    }
}

fn has_name(file: &str, name: &str) -> bool {
    let entries = file.lines().map(|line| line.split('#').next().unwrap_or_default());
    entries.flat_map(|entry| entry.split_ascii_whitespace().skip(1)).any(|found| found == name)
}

fn check_name(name: &str) -> Result<(), Invalid> {
    let fine = |c: char| !c.is_whitespace() && !c.is_control() && c != '#';
    if name.chars().all(fine) && name.len() <= 253 {
        return Ok(());
    }
    Err(Invalid::new("host name", name.chars().take(253).collect::<String>(), "must not contain spaces or `#`"))
}

/// The contents of a `resolv.conf`. Source: resolv.conf(5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resolver {
    /// The name servers, in order.
    pub(crate) name_servers: Vec<IpAddr>,
    /// The search list.
    pub(crate) search: Vec<String>,
    /// Options, such as `ndots:1`.
    pub(crate) options: Vec<String>,
}

impl Resolver {
    /// Parses the text of a `resolv.conf`; ignores unknown lines, as the C library does. Also ignores a server with a
    /// scope (`fe80::1%eth0`): the scope is an interface of the host.
    pub(crate) fn parse(text: &str) -> Self {
        let mut resolver = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace().take_while(|word| !word.starts_with(['#', ';']));
            match words.next() {
                Some("nameserver") => {
                    resolver.name_servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()));
                }
                // The last of these lines counts.
                Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
                Some("options") => resolver.options.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        resolver
    }
}

/// The input for `/etc/resolv.conf`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResolvConf<'a> {
    /// The network.
    pub(crate) network: &'a Network,
    /// The text of the host's `/etc/resolv.conf`.
    pub(crate) host_file: &'a str,
    /// The real servers behind a stub on the host's loopback, from [`HostFiles::upstream`]; empty if there is no stub.
    pub(crate) upstream_file: &'a str,
    /// The name servers of the container's networks: they know names, and ask the servers that were asked for.
    pub(crate) networks: &'a [IpAddr],
    /// `--dns`, `--dns-search`, `--dns-option`, each replacing the host's; if empty, the host's. A search list of `.`
    /// means none.
    pub(crate) asked: &'a Resolver,
}

/// Writes `/etc/resolv.conf`.
///
/// With a network of its own, the container asks the driver's name server first: it forwards to the host's current
/// servers, so a change of the host's network needs no restart, and a stub on the host's loopback (127.0.0.53) works.
/// The host's other servers follow as a fallback; those on loopback are replaced by the ones behind the stub. `host`
/// uses the host's file; `none` names no server, so that no query leaves (safety.md, N5). In networks that have name
/// servers the container asks these alone, for every name as it is first: a search list would send names of containers
/// out, and a wildcard there would answer them (podman#26198).
///
/// Fails if a search domain or option contains a space or a newline.
pub(crate) fn resolv_conf(request: &ResolvConf<'_>) -> Result<String, Invalid> {
    let asked = request.asked;
    for (what, word) in
        asked.search.iter().map(|w| ("search domain", w)).chain(asked.options.iter().map(|w| ("resolver option", w)))
    {
        if word.is_empty() || word.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Invalid::new(what, word.as_str(), "must be one word"));
        }
    }
    if *request.network == Network::Host && *asked == Resolver::default() {
        return Ok(request.host_file.to_owned());
    }
    let host = Resolver::parse(request.host_file);
    let servers = match (request.networks, &asked.name_servers[..]) {
        ([], []) => default_servers(request, &host),
        ([], asked) => asked.to_vec(),
        (networks, _) => networks.to_vec(),
    };
    let search = if asked.search.is_empty() { host.search } else { asked.search.clone() };
    let mut options = if asked.options.is_empty() { host.options } else { asked.options.clone() };
    let has_dots = asked.options.iter().any(|option| option.starts_with("ndots:"));
    if !request.networks.is_empty() && !has_dots {
        options.retain(|option| !option.starts_with("ndots:"));
        options.push("ndots:0".to_owned());
    }

    let mut text = String::new();
    for server in servers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if !search.is_empty() && search != ["."] {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    Ok(text)
}

fn default_servers(request: &ResolvConf<'_>, host: &Resolver) -> Vec<IpAddr> {
    if *request.network == Network::None {
        return Vec::new();
    }
    let of_driver = addresses::of(request.network).map(|addresses| IpAddr::V4(addresses.name_server));
    if request.network.endpoints().is_empty() {
        return host.name_servers.clone();
    }
    let upstream = Resolver::parse(request.upstream_file).name_servers;
    let has_ipv6 = request.network.endpoints().iter().any(Endpoint::has_ipv6);
    let reachable = |ip: &IpAddr| !ip.is_loopback() && (ip.is_ipv4() || has_ipv6);
    let mut servers = Vec::from_iter(of_driver);
    for server in host.name_servers.iter().chain(&upstream).copied().filter(reachable) {
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers.truncate(MAX_NAME_SERVERS);
    servers
}

/// The host's files, as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostFiles {
    /// `/etc/hosts`.
    pub(crate) hosts: String,
    /// `/etc/resolv.conf`.
    pub(crate) resolv_conf: String,
    /// `/run/systemd/resolve/resolv.conf`, if the host uses a stub on its own loopback.
    pub(crate) upstream: String,
}

impl HostFiles {
    /// Reads the files that a container with this network needs. A missing file is empty; one of more than 256 KiB is
    /// an error.
    pub(crate) fn read(network: &Network) -> Result<Self, Error> {
        let hosts = if *network == Network::Host { read("/etc/hosts")? } else { String::new() };
        let resolv_conf = if *network == Network::None { String::new() } else { read("/etc/resolv.conf")? };
        let is_stub = Resolver::parse(&resolv_conf).name_servers.iter().any(IpAddr::is_loopback);
        let upstream = if is_stub { read("/run/systemd/resolve/resolv.conf")? } else { String::new() };
        Ok(Self { hosts, resolv_conf, upstream })
    }
}

fn read(path: impl AsRef<Path>) -> Result<String, Error> {
    match crate::sys::fs::read_limited(path, LIMIT) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.is_not_found() => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NetworkDriver;

    fn slirp4netns() -> Network {
        NetworkDriver::Slirp4netns.into()
    }

    fn pasta() -> Network {
        NetworkDriver::Pasta.into()
    }

    fn own(network: &Network) -> Hosts<'_> {
        let outward = Some([192, 0, 2, 2].into());
        let (name, other_name) = ("web", None);
        Hosts { network, hostname: "4f0c", name, other_name, own: &[], outward, extra: &[], gateway: &[], base: "" }
    }

    #[test]
    fn hosts_names_the_container_and_the_host() {
        let local = "127.0.0.1\tlocalhost localhost.localdomain\n::1\tlocalhost ip6-localhost ip6-loopback\n";
        let of_host = "192.0.2.2\thost.containers.internal host.docker.internal\n";
        for network in [slirp4netns(), pasta()] {
            assert_eq!(hosts(&own(&network)), Ok(format!("{local}10.0.2.100\t4f0c web\n{of_host}")));
        }
        assert_eq!(hosts(&own(&Network::None)), Ok(format!("{local}127.0.0.1\t4f0c web\n")));
        let host = Hosts { base: "127.0.0.1 localhost web # 4f0c", ..own(&Network::Host) };
        assert_eq!(hosts(&host), Ok(format!("127.0.0.1 localhost web # 4f0c\n127.0.0.1\t4f0c\n{of_host}")));
    }

    #[test]
    fn what_the_file_begins_with_is_whole_and_no_name_of_it_is_repeated() {
        let base = "192.0.2.9\tdb 4f0c\n192.0.2.8 localhost host.docker.internal";
        let text = hosts(&Hosts { base, extra: &[("a".to_owned(), [10, 1, 1, 1].into())], ..own(&pasta()) });
        let rest = "10.0.2.100\tweb\n192.0.2.2\thost.containers.internal\n";
        assert_eq!(text, Ok(format!("10.1.1.1\ta\n{base}\n{rest}")));
        let text = hosts(&Hosts { base: "192.0.2.9 db\n", ..own(&Network::Host) }).expect("hosts");
        assert!(text.starts_with("192.0.2.9 db\n127.0.0.1\tlocalhost "), "{text}");
    }

    #[test]
    fn asked_hosts_come_first_and_replace_built_in_ones() {
        let extra =
            [("db".to_owned(), [10, 1, 1, 1].into()), ("host.docker.internal".to_owned(), [10, 1, 1, 2].into())];
        let text = hosts(&Hosts { extra: &extra, ..own(&pasta()) }).expect("hosts");
        assert!(text.starts_with("10.1.1.1\tdb\n10.1.1.2\thost.docker.internal\n127.0.0.1\t"), "{text}");
        assert!(text.ends_with("192.0.2.2\thost.containers.internal\n"), "{text}");
        let gateway = ["db".to_owned(), "web".to_owned()];
        let text = hosts(&Hosts { gateway: &gateway, ..own(&pasta()) }).expect("hosts");
        assert!(text.starts_with("192.0.2.2\tdb web\n127.0.0.1\t") && text.contains("\n10.0.2.100\t4f0c\n"), "{text}");
        for without in [Hosts { outward: None, ..own(&pasta()) }, own(&Network::None)] {
            let error = hosts(&Hosts { gateway: &gateway, ..without }).expect_err("no way").to_string();
            assert_eq!(error, "invalid host `db`: the container cannot reach the host");
        }
    }

    #[test]
    fn a_member_of_networks_has_its_addresses_and_asks_their_servers() {
        let bridge = Network::from(NetworkDriver::Bridge);
        let addresses: [IpAddr; 2] = [[10, 89, 1, 2].into(), "fd00::2".parse().expect("an address")];
        let text = hosts(&Hosts { own: &addresses, outward: None, ..own(&bridge) }).expect("hosts");
        assert!(text.ends_with("\n10.89.1.2\t4f0c web\nfd00::2\t4f0c web\n"), "{text}");

        let host_file = "nameserver 127.0.0.53\nsearch example\noptions ndots:2 edns0\n";
        let networks: [IpAddr; 2] = [[10, 89, 1, 1].into(), [10, 89, 2, 1].into()];
        let mut asked = Resolver::default();
        let text = |networks: &[IpAddr], asked: &Resolver| {
            let upstream_file = "nameserver 192.0.2.1\n";
            resolv_conf(&ResolvConf { network: &bridge, host_file, upstream_file, networks, asked }).expect("text")
        };
        let servers = "nameserver 10.89.1.1\nnameserver 10.89.2.1\n";
        assert_eq!(text(&networks, &asked), format!("{servers}search example\noptions edns0 ndots:0\n"));
        // In networks without names it asks as the host does.
        assert_eq!(text(&[], &asked), "nameserver 192.0.2.1\nsearch example\noptions ndots:2 edns0\n");
        asked.name_servers = vec![[9, 9, 9, 9].into()];
        asked.options = vec!["ndots:3".to_owned()];
        assert_eq!(text(&networks, &asked), format!("{servers}search example\noptions ndots:3\n"));
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        for name in ["a b", "a\nb", "a#b", "a\tb", &"x".repeat(254)] {
            let extra = [(name.to_owned(), [10, 1, 1, 1].into())];
            assert!(hosts(&Hosts { extra: &extra, ..own(&pasta()) }).is_err(), "{name}");
            assert!(hosts(&Hosts { hostname: name, ..own(&pasta()) }).is_err(), "{name}");
            assert!(hosts(&Hosts { gateway: &[name.to_owned()], ..own(&pasta()) }).is_err(), "{name}");
        }
    }

    #[test]
    fn resolv_conf_is_read_as_the_c_library_reads_it() {
        let text = "; old\n# old\nnameserver 192.0.2.53 # first\nnameserver fe80::1%eth0\nnameserver\n\
                    domain a.example\n\
                    search b.example c.example\noptions ndots:2 trust-ad\noptions edns0\nsortlist 10.0.0.0\n";
        let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let expected = Resolver {
            name_servers: vec![[192, 0, 2, 53].into()],
            search: strings(&["b.example", "c.example"]),
            options: strings(&["ndots:2", "trust-ad", "edns0"]),
        };
        assert_eq!(Resolver::parse(text), expected);
    }

    fn conf(network: &Network, host_file: &str, upstream_file: &str) -> String {
        resolv_conf(&ResolvConf { network, host_file, upstream_file, networks: &[], asked: &Resolver::default() })
            .expect("resolv.conf")
    }

    #[test]
    fn the_drivers_server_comes_first_and_the_hosts_follow() {
        let host = "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example\noptions ndots:2\n";
        let rest = "search example\noptions ndots:2\n";
        let slirp4netns = conf(&slirp4netns(), host, "");
        assert_eq!(slirp4netns, format!("nameserver 10.0.2.3\nnameserver 192.0.2.53\n{rest}"));
        let pasta = conf(&pasta(), host, "");
        assert_eq!(pasta, format!("nameserver 10.0.2.3\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n{rest}"));
        assert_eq!(conf(&Network::Host, host, ""), host);
        assert_eq!(conf(&Network::None, host, ""), rest);
    }

    #[test]
    fn a_stub_on_loopback_is_replaced_by_what_it_asks() {
        let upstream = "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        let text = conf(&slirp4netns(), "nameserver 127.0.0.53\nnameserver ::1\n", upstream);
        assert_eq!(text, "nameserver 10.0.2.3\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n");
        assert_eq!(conf(&pasta(), "nameserver 127.0.0.53\n", ""), "nameserver 10.0.2.3\n");
    }

    #[test]
    fn asked_servers_replace_the_hosts() {
        let asked = Resolver {
            name_servers: vec![[9, 9, 9, 9].into()],
            search: vec![".".to_owned()],
            options: vec!["ndots:1".to_owned()],
        };
        let host_file = "nameserver 192.0.2.53\nsearch example\n";
        for network in &[Network::None, Network::Host, slirp4netns(), pasta()] {
            let text = resolv_conf(&ResolvConf { network, host_file, upstream_file: "", networks: &[], asked: &asked });
            assert_eq!(text, Ok("nameserver 9.9.9.9\noptions ndots:1\n".to_owned()));
        }
        for word in ["a b", "a\nnameserver 6.6.6.6", ""] {
            let asked = Resolver { search: vec![word.to_owned()], ..Resolver::default() };
            let request =
                ResolvConf { network: &pasta(), host_file: "", upstream_file: "", networks: &[], asked: &asked };
            assert!(resolv_conf(&request).is_err(), "{word}");
        }
    }
}
