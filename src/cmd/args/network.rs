use super::pod::PodArgs;
use crate::plan::{self, PortRequest, Request};
use crate::types::Report;

/// The network of a container or a pod: its ports, names and name servers.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct NetworkArgs {
    /// Add a custom host-to-IP mapping (host:ip); `host-gateway` stands for the host
    #[arg(long, value_name = "HOST:IP")]
    add_host: Vec<String>,
    /// Set custom DNS servers; `none` leaves the image's /etc/resolv.conf
    #[arg(long, value_name = "IP")]
    dns: Vec<String>,
    /// Set custom DNS options
    #[arg(long, value_name = "OPTION", visible_alias = "dns-opt")]
    dns_option: Vec<String>,
    /// Set custom DNS search domains
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// Set the hostname (default of a pod: its name)
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    /// The file that /etc/hosts begins with: a path of the host, none, or image for the image's (not for a pod)
    #[arg(long, value_name = "PATH")]
    hosts_file: Option<String>,
    #[command(flatten)]
    addresses: AddressArgs,
    /// Connect to a network: NAME[:OPTIONS], slirp4netns[:OPTIONS], pasta[:OPTIONS], host, none,
    /// container:NAME or ns:PATH
    #[arg(long, value_name = "MODE", visible_alias = "net")]
    network: Vec<String>,
    /// Add a name by which other containers of its networks find it
    #[arg(long, value_name = "NAME")]
    network_alias: Vec<String>,
    /// Leave the image's /etc/hostname as it is
    #[arg(long)]
    no_hostname: bool,
    /// Leave the image's /etc/hosts as it is
    #[arg(long, conflicts_with = "add_host")]
    no_hosts: bool,
    /// Publish a port, or a range of ports, to the host ([[IP:][HOST_PORT]:]PORT[/tcp|udp], or target=PORT,...)
    #[arg(short, long, value_name = "PORT")]
    publish: Vec<String>,
}

impl NetworkArgs {
    /// Fills in the network's part of the request. Fails if a port is not in the grammar of `--publish`.
    pub(crate) fn fill(self, request: &mut Request) -> Result<(), Report> {
        request.add_hosts = self.add_host;
        request.hosts_file = self.hosts_file;
        request.no_hosts = self.no_hosts;
        request.no_hostname = self.no_hostname;
        request.dns = self.dns;
        request.dns_options = self.dns_option;
        request.dns_search = self.dns_search;
        request.hostname = self.hostname;
        request.ip = self.addresses.ip;
        request.ip6 = self.addresses.ip6;
        request.mac_address = self.addresses.mac_address;
        request.network = plan::parse_networks(&self.network)?;
        request.network_aliases = self.network_alias;
        request.publish = self.publish.iter().map(|text| PortRequest::from_publish(text)).collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// The addresses of a container in a network.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct AddressArgs {
    /// Set a static IPv4 address
    #[arg(long, value_name = "IP")]
    pub(crate) ip: Option<String>,
    /// Set a static IPv6 address
    #[arg(long, value_name = "IP")]
    pub(crate) ip6: Option<String>,
    /// Set a static MAC address
    #[arg(long, value_name = "MAC")]
    pub(crate) mac_address: Option<String>,
}

/// The network of a container, which may be that of a pod.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ContainerNetworkArgs {
    /// Expose a port, or a range of ports
    #[arg(long, value_name = "PORT")]
    expose: Vec<String>,
    /// Find a container of a network by another name, in this container alone: CONTAINER[:ALIAS]
    #[arg(long, value_name = "CONTAINER")]
    link: Vec<String>,
    /// Publish all exposed ports to random ports on the host interface
    #[arg(short = 'P', long)]
    publish_all: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    pod: PodArgs,
}

impl ContainerNetworkArgs {
    /// As [`NetworkArgs::fill`]. Fails also if the pod cannot be determined.
    pub(super) fn fill(self, request: &mut Request) -> Result<(), Report> {
        request.expose = self.expose;
        request.links = self.link;
        request.publish_all = self.publish_all;
        self.network.fill(request)?;
        self.pod.fill(request)
    }
}
