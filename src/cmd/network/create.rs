//! `rc network create`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::plan::NetworkRequest;
use crate::ui;

/// Create a network that containers can join by its name
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Give no member this address: NAME=IP
    #[arg(long, value_name = "NAME=IP")]
    aux_address: Vec<String>,
    /// Members do not find each other by name
    #[arg(long)]
    disable_dns: bool,
    /// Set a DNS server for names of the outside, instead of the host's
    #[arg(long, value_name = "IP")]
    dns: Vec<String>,
    /// The driver: only `bridge`
    #[arg(short, long, value_name = "DRIVER")]
    driver: Option<String>,
    /// The address of the bridge, for each subnet (default: its first address)
    #[arg(long, value_name = "IP")]
    gateway: Vec<String>,
    /// Do not fail if the network exists
    #[arg(long)]
    ignore: bool,
    /// The name of the bridge, in the network's own namespace
    #[arg(long, value_name = "NAME")]
    interface_name: Option<String>,
    /// Without a way out: members reach each other only
    #[arg(long)]
    internal: bool,
    /// Addresses for members that ask for none, for each subnet: a prefix, or FIRST-LAST
    #[arg(long = "ip-range", value_name = "RANGE")]
    ip_ranges: Vec<String>,
    /// Who gives addresses: host-local, or none
    #[arg(long, value_name = "DRIVER")]
    ipam_driver: Option<String>,
    /// With an IPv4 subnet; true by default
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ipv4: Option<bool>,
    /// With an IPv6 subnet
    #[arg(long)]
    ipv6: bool,
    /// Set a label: NAME[=VALUE]
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Set an option: mtu, metric, no_default_route or isolate
    #[arg(short, long = "opt", value_name = "NAME=VALUE", allow_hyphen_values = true)]
    options: Vec<String>,
    /// Give members a route: DESTINATION,GATEWAY[,METRIC]
    #[arg(long = "route", value_name = "ROUTE")]
    routes: Vec<String>,
    /// The addresses: ADDRESS/LENGTH (default: a free one)
    #[arg(long = "subnet", value_name = "SUBNET")]
    subnets: Vec<String>,
    /// The network's name (default: podman1, podman2, ...)
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Runs the command: prints the name.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let request = NetworkRequest {
        name: args.name,
        driver: args.driver,
        subnets: args.subnets,
        gateways: args.gateway,
        ranges: args.ip_ranges,
        aux_addresses: args.aux_address,
        ipv4: args.ipv4,
        ipv6: args.ipv6,
        internal: args.internal,
        disable_dns: args.disable_dns,
        dns: args.dns,
        interface: args.interface_name,
        ipam: args.ipam_driver,
        labels: args.labels,
        options: args.options,
        routes: args.routes,
    };
    let name = engine::create_network(&ctx.engine, &request, args.ignore)?;
    let mut out = ui::out();
    out.line(&name)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
