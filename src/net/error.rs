use std::path::PathBuf;

use super::netlink::Refused;
use crate::sys::fs::PathError;
use crate::sys::packages::Package;
use crate::sys::process::Ended;
use crate::sys::spawn;
use crate::types::{Name, PortMapping, Report, ReportKind, Thing};

/// Why a container has no network. Everything that was started has been undone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The helper program is in none of the directories that rc searches, or not at the path in `rc.toml`.
    #[error("network `{driver}`: `{program}` not found")]
    NoProgram {
        /// The driver.
        driver: &'static str,
        /// The program's name, or its configured path.
        program: String,
        /// The package that contains it.
        package: Package,
    },
    /// This rc has no driver for the network.
    #[error("network `{}`: rc has no driver for it", .network.escape_debug())]
    NoDriver {
        /// The network, as in `--network`.
        network: String,
    },
    /// Another program listens on the port.
    #[error("cannot publish port `{}`: the port is in use", label(.port))]
    PortTaken {
        /// The port.
        port: PortMapping,
    },
    /// The port is below `net.ipv4.ip_unprivileged_port_start`.
    #[error(
        "cannot publish port `{}`: the sysctl `net.ipv4.ip_unprivileged_port_start` reserves ports below {start} \
         for root",
        label(.port)
    )]
    PortPrivileged {
        /// The port.
        port: PortMapping,
        /// The first port that every user may bind.
        start: u16,
    },
    /// The host does not have the address to listen on.
    #[error("cannot publish port `{}`: the host does not have that address", label(.port))]
    NoSuchAddress {
        /// The port.
        port: PortMapping,
    },
    /// The port cannot be bound for another reason.
    #[error("cannot publish port `{}`: {}", label(.port), crate::sys::fs::plain(.source))]
    PortRefused {
        /// The port.
        port: PortMapping,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
    /// The helper refused to publish a port that seemed free.
    #[error("cannot publish port `{}`: {driver}: {answer}", label(.port))]
    PublishFailed {
        /// The driver.
        driver: &'static str,
        /// The port.
        port: PortMapping,
        /// The helper's answer.
        answer: String,
    },
    /// The network publishes no ports.
    #[error("cannot publish port `{}`: network `{driver}` does not publish ports", label(.port))]
    NoPorts {
        /// The driver.
        driver: &'static str,
        /// The first of the ports.
        port: PortMapping,
    },
    /// The driver cannot publish UDP on that family of addresses.
    #[error("cannot publish port `{}`: network `{driver}` publishes UDP on IPv4 addresses only", label(.port))]
    NoIpv6 {
        /// The driver.
        driver: &'static str,
        /// The port.
        port: PortMapping,
    },
    /// The helper could not be started.
    #[error("cannot start `{}`: {source}", .program.display())]
    Spawn {
        /// Its path.
        program: PathBuf,
        /// The step and its errno.
        #[source]
        source: spawn::Error,
    },
    /// The helper ended before it was ready.
    #[error("network `{driver}`: {}{}", ending(.ended), words_after(.words))]
    HelperEnded {
        /// The driver.
        driver: &'static str,
        /// How it ended, if the monitor did not reap it elsewhere.
        ended: Option<Ended>,
        /// Its standard error.
        words: String,
    },
    /// slirp4netns becomes user and group 0 of the container's namespace, which does not have one of them.
    #[error("network `slirp4netns`: {what} {id} needs subordinate IDs with it")]
    NoRoot {
        /// `user` or `group`.
        what: &'static str,
        /// The only one that the container has.
        id: u32,
    },
    /// The helper was not ready in time.
    #[error("network `{driver}`: the helper was not ready in time{}", words_after(.words))]
    NotReady {
        /// The driver.
        driver: &'static str,
        /// Its standard error.
        words: String,
    },
    /// A system call failed during the communication with the helper.
    #[error("network `{driver}`: cannot {step}: {}", crate::sys::fs::plain(.source))]
    Talk {
        /// The driver.
        driver: &'static str,
        /// The step.
        step: &'static str,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
    /// A file or directory of rc could not be used.
    #[error(transparent)]
    Path(#[from] PathError),
    /// There is no network of this name.
    #[error("there is no network `{name}`")]
    NoNetwork {
        /// The name.
        name: String,
    },
    /// A step in a network with a name failed.
    #[error("network `{network}`: cannot {step}: {}", crate::sys::fs::plain(.source))]
    Network {
        /// The network.
        network: String,
        /// The step, as an infinitive.
        step: &'static str,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
    /// Of the programs for a way out only pasta is installed, and the kernel cannot masquerade for it.
    #[error("network `{network}`: pasta needs nf_tables, which the kernel does not have, and slirp4netns not found")]
    NoFilter {
        /// The network.
        network: String,
    },
    /// The namespaces of two networks have different owners, after the runtime directory was removed.
    #[error("the networks `{network}` and `{other}` cannot be joined: their namespaces have different owners")]
    Apart {
        /// The network.
        network: String,
        /// The other network.
        other: String,
    },
    /// A network without a name server can give a container no name for one that does not run.
    #[error("`--link`: container `{container}` does not run, and the network `{network}` has no DNS")]
    LinkedToNobody {
        /// The network.
        network: String,
        /// The other container.
        container: String,
    },
    /// The keeper of a network says why it cannot be used.
    #[error("{}", said(.network, .report))]
    Keeper {
        /// The network.
        network: String,
        /// What it says.
        report: Report,
    },
    /// A network's record or its leases cannot be used.
    #[error(transparent)]
    Record(#[from] super::record::Error),
    /// The root namespace of a network cannot be made.
    #[error(transparent)]
    Namespace(#[from] crate::userns::Error),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Path(error) => return error.into(),
            Error::Record(error) => return error.into(),
            Error::Namespace(error) => return error.into(),
            Error::Keeper { ref report, .. } => {
                return Self::new(report.kind, error.to_string()).with_hint_of(report.hint.clone());
            }
            Error::Apart { .. } | Error::LinkedToNobody { .. } => ReportKind::Conflict,
            Error::NoNetwork { .. } => ReportKind::NotFound(Thing::Network),
            Error::Network { ref source, .. } => ReportKind::of_step(source),
            Error::NoProgram { .. } | Error::NoFilter { .. } | Error::HelperEnded { .. } => ReportKind::Unavailable,
            Error::PortTaken { .. } => ReportKind::InUse,
            Error::PortPrivileged { .. } => ReportKind::Denied,
            Error::NoRoot { .. } => ReportKind::Unsupported,
            Error::NoSuchAddress { .. } | Error::NoPorts { .. } => ReportKind::Invalid,
            Error::NoIpv6 { .. } | Error::NoDriver { .. } => ReportKind::Unsupported,
            Error::PortRefused { ref source, .. } | Error::Talk { ref source, .. } => ReportKind::of_step(source),
            Error::Spawn { ref source, .. } => ReportKind::of_step(&source.source),
            Error::PublishFailed { .. } => ReportKind::Internal,
            Error::NotReady { .. } => ReportKind::TimedOut,
        };
        Self::new(kind, error.to_string()).with_hint_of(error.hint())
    }
}

impl Error {
    /// The kernel has refused a step in a network.
    pub(super) fn refused(network: &Name, Refused { step, source }: Refused) -> Self {
        Self::Network { network: network.to_string(), step, source }
    }

    /// How to fix it, if possible.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoProgram { package, .. } => Some(format!("{}, or set its path in `rc.toml`", package.install())),
            Self::NoFilter { .. } => Some(Package::Slirp4netns.install()),
            Self::PortPrivileged { port, .. } => Some(format!(
                "publish a port from 1024 on, or let every user of the host listen on all ports from {0} on: \
                 `sudo sysctl net.ipv4.ip_unprivileged_port_start={0}`",
                port.host_port
            )),
            Self::PortTaken { port } => {
                let family = if port.protocol == crate::types::Protocol::Tcp { 't' } else { 'u' };
                Some(format!("find the program that uses it with `ss -{family}lnp 'sport = :{}'`", port.host_port))
            }
            Self::NoRoot { .. } => Some(
                "add a range of subordinate IDs (`rc doctor` prints the command), or use `--network pasta`".to_owned(),
            ),
            Self::NoDriver { .. } => Some("rc supports the networks slirp4netns, pasta, host and none".to_owned()),
            Self::Apart { other, .. } => {
                Some(format!("stop the containers of `{other}`: when it is used again, both have the same owner"))
            }
            Self::LinkedToNobody { container, .. } => Some(format!("start it first: `rc start {container}`")),
            Self::Network { source, .. } if source.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                Some("`rc doctor` says what the kernel does not have, and what to do".to_owned())
            }
            Self::NoIpv6 { .. } => Some("use `--network pasta`".to_owned()),
            Self::HelperEnded { words, .. }
                if ["/dev/net/tun", "tun socket", "TUNSETIFF"].iter().any(|sign| words.contains(sign)) =>
            {
                let device = "the helpers need the device: `sudo modprobe tun`, and `sudo chmod 0666 /dev/net/tun` if \
                              not every user can open it";
                Some(device.to_owned())
            }
            // First: of a family without a default route pasta says so whatever else is wrong.
            Self::HelperEnded { driver: "pasta", words, .. } if words.contains("Overlapping port") => {
                Some("this pasta publishes a port number for one family alone: use another one for IPv6".to_owned())
            }
            Self::HelperEnded { driver: "pasta", words, .. } if words.contains("routable interface") => {
                Some("pasta needs a default route on the host; `--network slirp4netns` does not".to_owned())
            }
            _ => None,
        }
    }
}

/// A published port in the format of `ps` for the host's side: `0.0.0.0:8080/tcp`.
fn label(port: &PortMapping) -> String {
    format!("{}/{}", port.listen_address(), port.protocol)
}

fn ending(ended: &Option<Ended>) -> String {
    match ended {
        Some(Ended::Exited(code)) => format!("the helper exited with code {code}"),
        Some(Ended::Killed(signal)) => format!("signal {signal} killed the helper"),
        None => "the helper ended".to_owned(),
    }
}

/// What a keeper says, with the network that it speaks of.
fn said(network: &str, report: &Report) -> String {
    let message = &report.message;
    if message.starts_with("network `") { message.clone() } else { format!("network `{network}`: {message}") }
}

fn words_after(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}
