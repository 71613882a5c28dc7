//! Why a request cannot become a container.

use crate::types::{Invalid, Name, Protocol, Report, ReportKind, Thing};

/// Why a request cannot become a container.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An option's value is wrong.
    #[error("`{option}`: {source}")]
    Option {
        /// The option, as `--volume`.
        option: &'static str,
        /// The reason.
        source: Invalid,
    },
    /// A line of a file that an option named is wrong.
    #[error("`{}` line {line}: {source}", .path.escape_debug())]
    File {
        /// The path, as typed.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The reason.
        source: Invalid,
    },
    /// The image's configuration is wrong.
    #[error("the image's configuration: {source}")]
    Image {
        /// The reason.
        source: Invalid,
    },
    /// Neither the image nor the request has a command.
    #[error("image `{}` has no command, and none was given", .image.escape_debug())]
    NoCommand {
        /// The image's reference.
        image: String,
    },
    /// A container without an image has no command.
    #[error("`--rootfs` needs a command: a directory has none")]
    NoCommandForDirectory,
    /// A container that removes itself cannot be started again.
    #[error("`--rm` and `--restart` cannot be used together")]
    RestartAndRemove,
    /// `--replace` without a name.
    #[error("cannot replace {thing} without --name being set")]
    NamelessReplace {
        /// What is to be replaced: a container or a pod.
        thing: &'static str,
    },
    /// `exec` without a command.
    #[error("no command was given")]
    NoExecCommand,
    /// Two mounts at one place.
    #[error("`{}` is the destination of two mounts", .destination.escape_debug())]
    DestinationTwice {
        /// The path in the container.
        destination: String,
    },
    /// Two mappings of one host port.
    #[error("`--publish`: host port {host_port}/{protocol} is published twice")]
    PortTwice {
        /// The port on the host.
        host_port: u16,
        /// TCP or UDP.
        protocol: Protocol,
    },
    /// The engine did not look up what [`needs`](super::needs) lists.
    #[error("{0} was not looked up")]
    NotLookedUp(&'static str),
    /// The host has no free port.
    #[error("`--publish`: the host has no free port for {container_port}")]
    NoFreePort {
        /// The port in the container.
        container_port: u16,
    },
    /// An option that needs more IDs than the user's own.
    #[error("`{option}` needs more than one ID: {sentence}")]
    OneId {
        /// The option.
        option: &'static str,
        /// Why there is only one, and the cure.
        sentence: String,
    },
    /// A network that does not exist.
    #[error("there is no network `{name}`")]
    NoNetwork {
        /// As typed.
        name: Name,
    },
    /// A container without a network of its own cannot be connected to others.
    #[error("container `{container}` has the network `{network}`, which excludes others")]
    OtherNetwork {
        /// The container.
        container: Name,
        /// Its network.
        network: String,
    },
    /// A container that is to be connected is in the network.
    #[error("container `{container}` is in the network `{network}` already")]
    Connected {
        /// The container.
        container: Name,
        /// The network.
        network: Name,
    },
    /// A container that is to be disconnected is not in the network.
    #[error("container `{container}` is not in the network `{network}`")]
    NotConnected {
        /// The container.
        container: Name,
        /// The network.
        network: Name,
    },
    /// A network that is to be created and exists.
    #[error("the network `{name}` already exists")]
    NetworkExists {
        /// Its name.
        name: Name,
    },
    /// All subnets for new networks are in use.
    #[error(
        "there is no free subnet for the network: other networks and routes of the host have all from 10.89.0.0 to \
             10.255.255.255"
    )]
    NoSubnet,
    /// A value that no option names.
    #[error(transparent)]
    Invalid(Invalid),
    /// Two options that exclude each other.
    #[error("`{}` and `{}` cannot be used together", .options[0], .options[1])]
    Exclusive {
        /// The two, as typed.
        options: [&'static str; 2],
    },
    /// A capability in both lists.
    #[error("capability `{capability}` is both added and dropped")]
    CapabilityConflict {
        /// Its name, or `ALL`.
        capability: String,
    },
    /// A pod that does not exist.
    #[error("no such pod: {}", .name.escape_debug())]
    NoPod {
        /// As typed.
        name: String,
    },
    /// A member of a pod sets what belongs to the pod.
    #[error("`{option}`: {reason}")]
    OfPod {
        /// The option.
        option: &'static str,
        /// The reason.
        reason: String,
    },
    /// `config.json` contains what rc never writes there.
    #[error("the saved configuration of container `{container}` is damaged: {reason}")]
    Damaged {
        /// The container's name.
        container: Name,
        /// The reason.
        reason: String,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::NoFreePort { .. } | Error::NoSubnet => ReportKind::InUse,
            Error::NoNetwork { .. } => ReportKind::NotFound(Thing::Network),
            Error::NoPod { .. } => ReportKind::NotFound(Thing::Pod),
            Error::NetworkExists { .. }
            | Error::OtherNetwork { .. }
            | Error::Connected { .. }
            | Error::NotConnected { .. } => ReportKind::Conflict,
            Error::Damaged { .. } => ReportKind::Damaged,
            Error::NotLookedUp(_) => ReportKind::Internal,
            Error::OneId { .. } => ReportKind::Unsupported,
            Error::Option { .. }
            | Error::Invalid(_)
            | Error::File { .. }
            | Error::Image { .. }
            | Error::NoCommand { .. }
            | Error::NoCommandForDirectory
            | Error::RestartAndRemove
            | Error::NamelessReplace { .. }
            | Error::NoExecCommand
            | Error::DestinationTwice { .. }
            | Error::PortTwice { .. }
            | Error::Exclusive { .. }
            | Error::OfPod { .. }
            | Error::CapabilityConflict { .. } => ReportKind::Invalid,
        };
        Self::new(kind, error.to_string()).with_hint_of(error.hint())
    }
}

impl Error {
    /// Names the option whose value was refused.
    pub(super) fn option(option: &'static str) -> impl Fn(Invalid) -> Self {
        move |source| Self::Option { option, source }
    }

    /// What to do about it, with a command to paste.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoCommand { image } => Some(format!("name one: `rc run {} /bin/sh`", image.escape_debug())),
            Self::NoNetwork { name } => Some(format!(
                "create it with `rc network create {name}`, or use none, host, slirp4netns, pasta or podman"
            )),
            Self::NetworkExists { .. } => Some("remove it with `rc network rm`, or use --ignore".to_owned()),
            Self::NoPod { name } => {
                Some(format!("create it with `rc pod create {0}`, or use `--pod new:{0}`", name.escape_debug()))
            }
            Self::OfPod { .. } => Some("give it to `rc pod create`, or to `rc run --pod new:NAME`".to_owned()),
            Self::NotConnected { network, .. } if *network == Name::default_network() => Some(
                "without `--network` slirp4netns or pasta connects a container alone: start it with `--network podman` \
                 to have it in this network"
                    .to_owned(),
            ),
            Self::NamelessReplace { thing } => Some(format!("name the {thing} that is to be replaced")),
            Self::NoSubnet => Some("name one with --subnet".to_owned()),
            _ => None,
        }
    }
}
