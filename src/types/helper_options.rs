//! The options after `slirp4netns:` and `pasta:` in `--network`. The plan checks them, the drivers follow them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::is_interface;
use super::{Endpoint, Invalid, NetworkDriver};

/// The MTU of both helpers, unless another one is asked for.
const MTU: u32 = 65_520;

/// The options of slirp4netns(1) that podman takes. Source: podman-run(1), `--network`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slirp4netnsOptions {
    /// `allow_host_loopback`: the gateway leads to services on the host's loopback.
    pub(crate) allow_host_loopback: bool,
    /// `enable_ipv6`.
    pub(crate) enable_ipv6: bool,
    /// `mtu`, bytes.
    pub(crate) mtu: u32,
    /// `cidr`: the network and the length of its prefix.
    pub(crate) cidr: (Ipv4Addr, u8),
    /// `outbound_addr`: the address or interface that connections leave from.
    pub(crate) outbound_addr: Option<String>,
    /// `outbound_addr6`.
    pub(crate) outbound_addr6: Option<String>,
}

impl Default for Slirp4netnsOptions {
    fn default() -> Self {
        Self {
            allow_host_loopback: false,
            enable_ipv6: false,
            mtu: MTU,
            cidr: (Ipv4Addr::new(10, 0, 2, 0), 24),
            outbound_addr: None,
            outbound_addr6: None,
        }
    }
}

impl Slirp4netnsOptions {
    /// Reads `NAME=VALUE` options; the last of a name counts. Fails with the first that is unknown or wrong.
    pub(crate) fn read(options: &[String]) -> Result<Self, Invalid> {
        let mut read = Self::default();
        for option in options {
            let invalid = |reason: &str| Invalid::new("slirp4netns option", option, reason);
            let (name, value) = option.split_once('=').ok_or_else(|| invalid("must be NAME=VALUE"))?;
            let truth = || match value {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(invalid("must be true or false")),
            };
            match name {
                "allow_host_loopback" => read.allow_host_loopback = truth()?,
                "enable_ipv6" => read.enable_ipv6 = truth()?,
                "mtu" => read.mtu = mtu(value).ok_or_else(|| invalid("must be a number of bytes, 68 to 65521"))?,
                "cidr" => {
                    let needed = "must be an IPv4 network whose prefix has at most 25 bits, such as 10.0.2.0/24";
                    read.cidr = cidr(value).ok_or_else(|| invalid(needed))?;
                }
                "outbound_addr" if value.parse::<Ipv4Addr>().is_ok() || is_interface(value) => {
                    read.outbound_addr = Some(value.to_owned());
                }
                "outbound_addr" => return Err(invalid("must be an IPv4 address or an interface of the host")),
                "outbound_addr6" if value.parse::<Ipv6Addr>().is_ok() || is_interface(value) => {
                    read.outbound_addr6 = Some(value.to_owned());
                }
                "outbound_addr6" => return Err(invalid("must be an IPv6 address or an interface of the host")),
                "port_handler" if value == "slirp4netns" => {}
                "port_handler" if value == "rootlesskit" => {
                    return Err(invalid("rc publishes ports without rootlesskit; use port_handler=slirp4netns"));
                }
                "port_handler" => return Err(invalid("must be slirp4netns")),
                _ => {
                    return Err(invalid(
                        "must be one of allow_host_loopback, cidr, enable_ipv6, mtu, outbound_addr, outbound_addr6, \
                         port_handler",
                    ));
                }
            }
        }
        Ok(read)
    }
}

/// The options of pasta(1) that rc passes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PastaOptions {
    /// `--map-gw`, podman's own: the gateway leads to services on the host's loopback.
    pub(crate) map_gateway: bool,
    /// `-T`: ports of the host's loopback that are open in the container; absent: none.
    pub(crate) tcp_inward: Option<String>,
    /// `-U`, the same for UDP.
    pub(crate) udp_inward: Option<String>,
    /// Other options, in pasta's own words.
    pub(crate) words: Vec<String>,
}

impl PastaOptions {
    /// Reads pasta's own options; a value is the next word, or follows `=`. Fails with the first that rc does not pass
    /// on.
    pub(crate) fn read(options: &[String]) -> Result<Self, Invalid> {
        let mut read = Self::default();
        let mut options = options.iter();
        while let Some(option) = options.next() {
            let invalid = |reason: &str| Invalid::new("pasta option", option, reason);
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (option.as_str(), None),
            };
            match (name, value) {
                ("--map-gw", None) => read.map_gateway = true,
                ("-4" | "--ipv4-only" | "--no-tcp" | "--no-udp" | "--no-icmp" | "--no-dhcp" | "--no-dhcpv6", None)
                | ("--no-ndp" | "--no-ra", None) => read.words.push(option.clone()),
                ("-m" | "--mtu" | "-i" | "--interface" | "-o" | "--outbound" | "--outbound-if4", _)
                | ("--outbound-if6" | "-T" | "--tcp-ns" | "-U" | "--udp-ns", _) => {
                    let value = value.or_else(|| options.next().map(String::as_str)).unwrap_or_default();
                    let value = value_of(name, value).map_err(invalid)?;
                    match name {
                        "-T" | "--tcp-ns" => read.tcp_inward = Some(value),
                        "-U" | "--udp-ns" => read.udp_inward = Some(value),
                        _ => read.words.extend([name.to_owned(), value]),
                    }
                }
                _ => return Err(invalid(refusal(name))),
            }
        }
        Ok(read)
    }
}

/// Checks the value of one of pasta's options; the error is the reason.
fn value_of(name: &str, value: &str) -> Result<String, &'static str> {
    let is_port = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'~' | b'.' | b'/' | b'%');
    let (is_fine, reason) = match name {
        "-m" | "--mtu" => (mtu(value).is_some(), "needs a number of bytes, 68 to 65521"),
        "-o" | "--outbound" => (value.parse::<IpAddr>().is_ok(), "needs an IP address"),
        "-T" | "--tcp-ns" | "-U" | "--udp-ns" => {
            (!value.is_empty() && value.bytes().all(is_port), "needs none, auto or ports")
        }
        _ => (is_interface(value), "needs an interface of the host"),
    };
    if is_fine { Ok(value.to_owned()) } else { Err(reason) }
}

/// Why rc does not pass an option of pasta on.
fn refusal(name: &str) -> &'static str {
    match name {
        "-t" | "--tcp-ports" | "-u" | "--udp-ports" => "ports are published by `--publish`",
        "-a"
        | "--address"
        | "-n"
        | "--netmask"
        | "-g"
        | "--gateway"
        | "-I"
        | "--ns-ifname"
        | "--ns-mac-addr"
        | "--config-net"
        | "--no-map-gw"
        | "--map-host-loopback"
        | "--map-guest-addr"
        | "-6"
        | "--ipv6-only" => "rc configures the container's interface itself",
        "-D" | "--dns" | "--dns-forward" | "-S" | "--search" => "name servers are set by `--dns` and `--dns-search`",
        _ => {
            "must be one of --map-gw, -4, -m, -i, -o, --outbound-if4, --outbound-if6, -T, -U, --no-tcp, --no-udp, \
             --no-icmp, --no-dhcp, --no-dhcpv6, --no-ndp, --no-ra"
        }
    }
}

impl Endpoint {
    /// Checks the options for the endpoint's driver, as the drivers will read them.
    pub(crate) fn check_options(&self) -> Result<(), Invalid> {
        match self.driver {
            NetworkDriver::Slirp4netns => Slirp4netnsOptions::read(&self.options).map(drop),
            NetworkDriver::Pasta => PastaOptions::read(&self.options).map(drop),
            NetworkDriver::Bridge => match self.options.first() {
                None => Ok(()),
                Some(option) => {
                    let known = "must be ip, ip6, mac, alias or interface_name";
                    Err(Invalid::new("network option", option, known))
                }
            },
        }
    }

    /// Whether connections over IPv6 leave the container, as far as the host has IPv6.
    pub(crate) fn has_ipv6(&self) -> bool {
        match self.driver {
            NetworkDriver::Slirp4netns => {
                Slirp4netnsOptions::read(&self.options).is_ok_and(|options| options.enable_ipv6)
            }
            NetworkDriver::Pasta => !self.options.iter().any(|word| matches!(word.as_str(), "-4" | "--ipv4-only")),
            NetworkDriver::Bridge => false,
        }
    }
}

/// IPv4 needs 68 bytes (RFC 791); slirp4netns takes at most 65521.
fn mtu(text: &str) -> Option<u32> {
    text.parse().ok().filter(|mtu| (68..=65_521).contains(mtu))
}

/// Source: slirp4netns, `parse_cidr`.
fn cidr(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let (address, prefix) = (address.parse::<Ipv4Addr>().ok()?, prefix.parse::<u8>().ok()?);
    let host_bits = u32::MAX.checked_shr(prefix.into())?;
    ((1..=25).contains(&prefix) && address.to_bits() & host_bits == 0).then_some((address, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn the_options_of_slirp4netns_are_podmans() {
        let read = |text: &str| Slirp4netnsOptions::read(&words(text)).map_err(|error| error.to_string());
        let default = Slirp4netnsOptions::default;
        for (text, expected) in [
            ("allow_host_loopback=true", Slirp4netnsOptions { allow_host_loopback: true, ..default() }),
            ("mtu=1500,mtu=1400", Slirp4netnsOptions { mtu: 1400, ..default() }),
            ("cidr=10.9.0.0/16", Slirp4netnsOptions { cidr: (Ipv4Addr::new(10, 9, 0, 0), 16), ..default() }),
            ("enable_ipv6=true,port_handler=slirp4netns", Slirp4netnsOptions { enable_ipv6: true, ..default() }),
            ("outbound_addr=eth0", Slirp4netnsOptions { outbound_addr: Some("eth0".to_owned()), ..default() }),
            ("outbound_addr6=::1", Slirp4netnsOptions { outbound_addr6: Some("::1".to_owned()), ..default() }),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for bad in [
            "mtu",
            "mtu=0",
            "mtu=65522",
            "mtu=x",
            "cidr=10.0.2.1/24",
            "cidr=10.0.2.0/26",
            "cidr=10.0.2.0",
            "cidr=fd00::/64",
            "cidr=0.0.0.0/0",
            "allow_host_loopback=1",
            "enable_ipv6=",
            "outbound_addr=::1",
            "outbound_addr=--x",
            "outbound_addr6=a b",
            "port_handler=rootlesskit",
            "port_handler=",
            "unknown=1",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read("port_handler=rootlesskit").unwrap_err().contains("without rootlesskit"));
    }

    #[test]
    fn the_options_of_pasta_are_its_own() {
        let read = |text: &str| PastaOptions::read(&words(text));
        let passed = |text: &str| read(text).map(|options| options.words.join(" "));
        assert_eq!(passed("-4,--mtu,1400"), Ok("-4 --mtu 1400".to_owned()));
        assert_eq!(passed("--mtu=1400,-i,eth0,--no-udp"), Ok("--mtu 1400 -i eth0 --no-udp".to_owned()));
        let inward = read("--map-gw,-T,5432,-U=53-54").unwrap();
        assert!(inward.map_gateway && inward.words.is_empty());
        assert_eq!((inward.tcp_inward.as_deref(), inward.udp_inward.as_deref()), (Some("5432"), Some("53-54")));
        for bad in [
            "-t,80",
            "-a,10.0.0.1",
            "--pid,/tmp/x",
            "--pcap,/tmp/x",
            "-l,/tmp/x",
            "--runas,0",
            "--netns,/x",
            "-6",
            "--mtu",
            "--mtu,x",
            "-i,--pid",
            "-o,eth0",
            "-T,",
            "-T,a b",
            "--map-gw=1",
            "-4=1",
            "word",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
