//! The requested network of a container; its state is a [`NetworkState`](super::NetworkState).

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Invalid, Linked, MacAddress, Name};

/// The format in which this rc writes a network to disk. Older records have no format number, and one word for each of
/// four networks.
const FORMAT: u32 = 1;

/// The network of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Record", into = "Record")]
pub(crate) enum Network {
    /// Loopback only.
    None,
    /// The host's own network namespace.
    Host,
    /// The network namespace of another container, by its name or id.
    Container(String),
    /// A network namespace at a path.
    Path(PathBuf),
    /// The container's own network namespace.
    Own {
        /// Its endpoints. If there are none, rc may choose one (`private`).
        endpoints: Vec<Endpoint>,
    },
}

/// What connects an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NetworkDriver {
    /// slirp4netns(1), for this container alone.
    Slirp4netns,
    /// pasta(1), for this container alone.
    Pasta,
    /// A bridge that containers share.
    Bridge,
}

/// A container's endpoint in a network. The driver chooses absent values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoint {
    /// What connects it.
    pub(crate) driver: NetworkDriver,
    /// The network's name, if the driver has more than one network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<Name>,
    /// The container's addresses in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) addresses: Vec<IpAddr>,
    /// The interface's MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mac: Option<MacAddress>,
    /// Further names by which other containers of the network find this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) aliases: Vec<Name>,
    /// Names by which this container alone finds others of the network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) links: Vec<Linked>,
    /// The interface's name in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interface: Option<String>,
    /// Further options for the driver, as typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) options: Vec<String>,
}

impl Network {
    /// The endpoints, if the container has a network namespace of its own.
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        match self {
            Self::Own { endpoints } => endpoints,
            Self::None | Self::Host | Self::Container(_) | Self::Path(_) => &[],
        }
    }

    /// The networks with names that the container is in, and its place in each.
    pub(crate) fn bridges(&self) -> impl Iterator<Item = (Name, &Endpoint)> {
        self.endpoints().iter().filter(|endpoint| endpoint.is_bridge()).map(|endpoint| {
            let name = endpoint.network.clone().unwrap_or_else(Name::default_network);
            (name.of_network(), endpoint)
        })
    }

    /// Whether ports can be published: the container has a network of its own, with a way out.
    pub(crate) fn forwards_ports(&self) -> bool {
        !self.endpoints().is_empty()
    }

    /// The names of the networks that the container is in, as `ps` and `inspect` show them: one for each endpoint, so
    /// none after it was disconnected from the last; else the name of the mode.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Own { endpoints } => endpoints.iter().map(|endpoint| endpoint.name().to_owned()).collect(),
            mode => vec![mode.to_string()],
        }
    }
}

impl NetworkDriver {
    /// The word, as `--network` takes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Slirp4netns => "slirp4netns",
            Self::Pasta => "pasta",
            Self::Bridge => "bridge",
        }
    }
}

impl From<NetworkDriver> for Network {
    /// The driver's own network, without further options.
    fn from(driver: NetworkDriver) -> Self {
        Self::Own { endpoints: vec![driver.into()] }
    }
}

impl From<NetworkDriver> for Endpoint {
    fn from(driver: NetworkDriver) -> Self {
        Self {
            driver,
            network: None,
            addresses: Vec::new(),
            mac: None,
            aliases: Vec::new(),
            links: Vec::new(),
            interface: None,
            options: Vec::new(),
        }
    }
}

impl Endpoint {
    /// Whether a bridge connects it, which others share.
    pub(crate) fn is_bridge(&self) -> bool {
        self.driver == NetworkDriver::Bridge
    }

    /// The network's name.
    pub(crate) fn name(&self) -> &str {
        self.network.as_ref().map_or(self.driver.as_str(), Name::as_str)
    }
}

impl fmt::Display for Network {
    /// In the grammar of `--network`; several networks are separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Host => f.write_str("host"),
            Self::Container(id) => write!(f, "container:{id}"),
            Self::Path(path) => write!(f, "ns:{}", path.display()),
            Self::Own { endpoints } if endpoints.is_empty() => f.write_str("private"),
            Self::Own { endpoints } => {
                for (number, endpoint) in endpoints.iter().enumerate() {
                    let comma = if number > 0 { "," } else { "" };
                    write!(f, "{comma}{endpoint}")?;
                }
                Ok(())
            }
        }
    }
}

impl FromStr for Network {
    type Err = Invalid;

    /// Reads podman's grammar, including networks that rc has no driver for. A word that is not a mode is the name of a
    /// network, and its driver is bridge until the network has a record of its own. Reads docker's pairs as well.
    /// Source: podman-run(1) and docker-run(1), `--network`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: &str| Invalid::new("network", text, reason);
        if text.find([':', ',', '=']).is_some_and(|at| text[at..].starts_with('=')) {
            return in_podmans_grammar(text).ok_or_else(|| invalid("name the network: `name=NETWORK`"))?.parse();
        }
        let (word, rest) = match text.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        let own = |endpoint| Ok(Self::Own { endpoints: vec![endpoint] });
        let with_options = |driver: NetworkDriver| {
            let options = rest.into_iter().flat_map(|rest| rest.split(',')).filter(|option| !option.is_empty());
            Endpoint { options: options.map(str::to_owned).collect(), ..driver.into() }
        };
        let on_bridge = |name: Name| {
            let network = Some(name.of_network());
            Endpoint { network, ..NetworkDriver::Bridge.into() }.read(rest.unwrap_or_default())
        };
        match (word, rest) {
            ("none" | "host" | "private", Some(_)) => Err(invalid("this network takes no options")),
            ("none", None) => Ok(Self::None),
            ("host", None) => Ok(Self::Host),
            ("private", None) => Ok(Self::Own { endpoints: Vec::new() }),
            ("container", Some(id)) if !id.is_empty() => Ok(Self::Container(id.to_owned())),
            ("container", _) => Err(invalid("name the container: `container:NAME`")),
            ("ns", Some(path)) if path.starts_with('/') => Ok(Self::Path(path.into())),
            ("ns", _) => Err(invalid("name the namespace by an absolute path: `ns:/PATH`")),
            ("slirp4netns", _) => own(with_options(NetworkDriver::Slirp4netns)),
            ("pasta", _) => own(with_options(NetworkDriver::Pasta)),
            (name, _) => match name.parse() {
                Ok(name) => own(on_bridge(name)?),
                Err(_) => Err(invalid("it must be none, host, slirp4netns, pasta or the name of a network")),
            },
        }
    }
}

/// docker's `name=NETWORK,alias=NAME,mac-address=MAC` as `NETWORK:alias=NAME,mac=MAC`; `None` without a name.
fn in_podmans_grammar(pairs: &str) -> Option<String> {
    let (mut network, mut options) = (None, Vec::new());
    for pair in pairs.split(',') {
        match pair.split_once('=') {
            Some(("name", name)) => network = Some(name),
            Some(("mac-address", address)) => options.push(format!("mac={address}")),
            _ => options.push(pair.to_owned()),
        }
    }
    let network = network?;
    Some(if options.is_empty() { network.to_owned() } else { format!("{network}:{}", options.join(",")) })
}

/// A network as it is on disk.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(default)]
    format: u32,
    mode: Mode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<Endpoint>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    None,
    Host,
    Container,
    Path,
    Own,
    // Older records, without a format number.
    Slirp4netns,
    Pasta,
}

impl From<Network> for Record {
    fn from(network: Network) -> Self {
        let record = |mode| Self { format: FORMAT, mode, container: None, path: None, endpoints: Vec::new() };
        match network {
            Network::None => record(Mode::None),
            Network::Host => record(Mode::Host),
            Network::Container(id) => Self { container: Some(id), ..record(Mode::Container) },
            Network::Path(path) => Self { path: Some(path), ..record(Mode::Path) },
            Network::Own { endpoints } => Self { endpoints, ..record(Mode::Own) },
        }
    }
}

impl TryFrom<Record> for Network {
    type Error = String;

    fn try_from(record: Record) -> Result<Self, String> {
        super::check_format("network", record.format, FORMAT)?;
        match (record.mode, record.container, record.path) {
            (Mode::None, ..) => Ok(Self::None),
            (Mode::Host, ..) => Ok(Self::Host),
            (Mode::Container, Some(id), _) => Ok(Self::Container(id)),
            (Mode::Path, _, Some(path)) => Ok(Self::Path(path)),
            (Mode::Own, ..) => Ok(Self::Own { endpoints: record.endpoints }),
            (Mode::Slirp4netns, ..) => Ok(NetworkDriver::Slirp4netns.into()),
            (Mode::Pasta, ..) => Ok(NetworkDriver::Pasta.into()),
            (Mode::Container, None, _) => Err("a network names no container".to_owned()),
            (Mode::Path, _, None) => Err("a network names no path".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    fn parsed(text: &str) -> Network {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn pairs_of_docker_say_the_same() {
        for (pairs, same) in [
            ("name=backend", "backend"),
            ("name=host", "host"),
            ("name=backend,alias=a,alias=b,ip=10.0.0.5,ip6=fd00::5", "backend:alias=a,alias=b,ip=10.0.0.5,ip6=fd00::5"),
            ("mac-address=02:42:ac:11:00:02,name=backend", "backend:mac=02:42:ac:11:00:02"),
            ("name=backend,driver-opt=a=b", "backend:driver-opt=a=b"),
        ] {
            assert_eq!(pairs.parse::<Network>(), same.parse::<Network>(), "{pairs}");
            assert!(pairs.parse::<Network>().is_ok(), "{pairs}");
        }
        let refused = |text: &str| text.parse::<Network>().expect_err(text).to_string();
        assert_eq!(refused("alias=a"), "invalid network `alias=a`: name the network: `name=NETWORK`");
        assert_eq!(
            refused("name=host,ip=10.0.0.5"),
            "invalid network `host:ip=10.0.0.5`: this network takes no options"
        );
    }

    #[test]
    fn the_grammar_of_podman_is_read_and_written() {
        for text in [
            "none",
            "host",
            "private",
            "slirp4netns",
            "slirp4netns:mtu=1500,allow_host_loopback=true",
            "pasta",
            "pasta:-4,--mtu,1400",
            "podman",
            "podman:ip=10.0.0.5,ip6=fd00::5,mac=02:42:ac:11:00:02,alias=db,alias=sql,interface_name=net0,metric=7",
            "backend",
            "backend:ip=10.0.0.5",
            "container:web",
            "ns:/run/netns/x",
        ] {
            assert_eq!(parsed(text).to_string(), text);
        }
        let Network::Own { endpoints } = parsed("backend:ip=10.0.0.5,alias=db,interface_name=net0") else { panic!() };
        let [endpoint] = &endpoints[..] else { panic!("{endpoints:?}") };
        assert_eq!((endpoint.driver, endpoint.name()), (NetworkDriver::Bridge, "backend"));
        assert_eq!(endpoint.addresses, [IpAddr::from([10, 0, 0, 5])]);
        assert_eq!((endpoint.aliases[0].as_str(), endpoint.interface.as_deref()), ("db", Some("net0")));
    }

    #[test]
    fn a_text_that_is_not_a_network_is_refused() {
        for text in [
            "",
            ":",
            "none:x",
            "host:",
            "container:",
            "container",
            "ns:",
            "ns:run",
            "a b",
            "-x",
            "bridge:ip",
            "bridge:ip=x",
            "bridge:ip=::1",
            "bridge:ip6=10.0.0.1",
            "bridge:mac=x",
            "bridge:alias=a b",
            "backend:interface_name=a/b",
            "backend:interface_name=lo",
            "backend:interface_name=sixteen-letters-",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_names_are_those_of_the_networks() {
        for (text, names) in [("none", ["none"]), ("pasta:-4", ["pasta"]), ("backend:alias=x", ["backend"])] {
            assert_eq!(parsed(text).names(), names);
        }
        let endpoints = [parsed("pasta"), parsed("backend")].iter().flat_map(Network::endpoints).cloned().collect();
        let both = Network::Own { endpoints };
        assert_eq!((both.names(), both.to_string()), (vec!["pasta".into(), "backend".into()], "pasta,backend".into()));
    }

    #[test]
    fn a_network_is_written_with_its_format_and_read_back() {
        for text in ["none", "host", "private", "pasta", "podman:ip=10.0.0.5,alias=db", "container:web", "ns:/run/x"] {
            let network = parsed(text);
            let written = serde_json::to_string(&network).expect("JSON");
            assert!(written.starts_with(r#"{"format":1,"mode":""#), "{written}");
            assert_eq!(json::from_str::<Network>(&written).expect("read back"), network);
        }
    }

    #[test]
    fn older_records_are_read_and_newer_ones_refused() {
        for word in ["none", "host", "slirp4netns", "pasta"] {
            let old = format!(r#"{{"mode":"{word}"}}"#);
            assert_eq!(json::from_str::<Network>(&old).expect("read"), parsed(word));
        }
        let error = json::from_str::<Network>(r#"{"format":2,"mode":"own"}"#).expect_err("of later").to_string();
        assert_eq!(error, "the network has format 2; this rc reads formats up to 1");
        assert!(json::from_str::<Network>(r#"{"format":1,"mode":"container"}"#).is_err());
    }
}
