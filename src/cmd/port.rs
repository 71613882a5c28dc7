//! `rc port`.

use super::Ctx;
use crate::engine::{self, PublishedPorts, Selection};
use crate::error::{Error, Exit};
use crate::types::{PortMapping, Protocol};
use crate::ui::{self, BrokenOutput};

/// List port mappings or a specific mapping for a container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List the ports of all running containers
    #[arg(short, long)]
    all: bool,
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Its name, ID or unique prefix of an ID; with --latest the port instead
    #[arg(value_name = "CONTAINER")]
    container: Option<String>,
    /// Only this port of the container: PORT[/tcp|udp]
    #[arg(value_name = "PORT")]
    port: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut words = args.container.into_iter().chain(args.port);
    let names: Vec<String> = if args.all || args.latest { Vec::new() } else { words.next().into_iter().collect() };
    let port = words.next();
    if args.all && (args.latest || port.is_some()) {
        return Err(Error::new("--all takes neither a container nor a port, nor --latest"));
    }
    if let Some(word) = words.next() {
        return Err(Error::new(format!("unexpected argument `{word}`")));
    }
    let wanted = port.as_deref().map(wanted).transpose()?;
    let selection = Selection { names, all: args.all, latest: args.latest, ..Selection::default() };
    let found = engine::ports(&ctx.engine, &selection)?;
    match (wanted, found.first()) {
        (Some(wanted), Some(container)) => show_one(container, wanted)?,
        _ => show(&found, args.all)?,
    }
    Ok(Exit::SUCCESS)
}

/// `PORT[/PROTOCOL]`.
fn wanted(text: &str) -> Result<(u16, Protocol), Error> {
    let invalid = || Error::new(format!("invalid port `{text}`: must be PORT[/tcp|udp]"));
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return Err(invalid()),
    };
    Ok((number.parse().ok().filter(|number| *number > 0).ok_or_else(invalid)?, protocol))
}

fn show(found: &[PublishedPorts], all: bool) -> Result<(), BrokenOutput> {
    let mut out = ui::out();
    for container in found.iter().filter(|container| !container.ports.is_empty()) {
        if all {
            out.line(&container.id)?;
        }
        for port in &container.ports {
            out.line(format_args!("{}/{} -> {}", port.container_port, port.protocol, port.listen_address()))?;
        }
    }
    out.finish()
}

fn show_one(container: &PublishedPorts, (number, protocol): (u16, Protocol)) -> Result<(), Error> {
    let is_wanted = |port: &&PortMapping| (port.container_port, port.protocol) == (number, protocol);
    let found: Vec<_> = container.ports.iter().filter(is_wanted).collect();
    if found.is_empty() {
        let message = format!("container `{}` does not publish port {number}/{protocol}", container.name);
        return Err(Error::new(message).with_hint(format!("list its ports with `rc port {}`", container.name)));
    }
    let mut out = ui::out();
    found.iter().try_for_each(|port| out.line(port.listen_address()))?;
    Ok(out.finish()?)
}
