use std::net::IpAddr;

use ipnet::IpNet;

use crate::types::{Name, NetworkRecord, Report, ReportKind, Subnet};

/// Why there is no address. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseError {
    /// No subnet has it.
    #[error("the address `{address}` is not in the network `{network}`, which has {}", listed(.subnets))]
    Outside {
        /// The network.
        network: Name,
        /// The wanted address.
        address: IpAddr,
        /// Its subnets.
        subnets: Vec<IpNet>,
    },
    /// It is no member's.
    #[error(
        "the address `{address}` {} the network `{network}`{}",
        if *.is_gateway { "is the gateway of" } else { "means all of" },
        if *.is_gateway { "" } else { ", or itself" }
    )]
    Reserved {
        /// The network.
        network: Name,
        /// The wanted address.
        address: IpAddr,
        /// Whether it is the gateway.
        is_gateway: bool,
    },
    /// Another member has it.
    #[error("the address `{address}` of the network `{network}` is in use{}", by(.holder.as_ref()))]
    Taken {
        /// The network.
        network: Name,
        /// The wanted address.
        address: IpAddr,
        /// The member.
        holder: Option<Name>,
    },
    /// A member has one address of each subnet.
    #[error("the addresses `{first}` and `{second}` are in the same subnet of the network `{network}`")]
    TwoInSubnet {
        /// The network.
        network: Name,
        /// The first wanted address.
        first: IpAddr,
        /// The second.
        second: IpAddr,
    },
    /// All addresses of the range are taken.
    #[error("the network `{network}` has no free address: {holders} have all from {first} to {last}")]
    Exhausted {
        /// The network.
        network: Name,
        /// The first address of the range.
        first: IpAddr,
        /// The last.
        last: IpAddr,
        /// How many members the network has.
        holders: String,
    },
}

impl LeaseError {
    pub(super) fn exhausted(record: &NetworkRecord, subnet: &Subnet, members: usize) -> Self {
        let (first, last) = subnet.range();
        let holders = if members == 1 { "1 lease".to_owned() } else { format!("{members} leases") };
        Self::Exhausted { network: record.name.clone(), first, last, holders }
    }
}

impl From<LeaseError> for Report {
    fn from(error: LeaseError) -> Self {
        let (kind, hint) = match &error {
            LeaseError::Outside { .. } | LeaseError::Reserved { .. } | LeaseError::TwoInSubnet { .. } => {
                (ReportKind::Invalid, None)
            }
            LeaseError::Taken { .. } => (ReportKind::InUse, None),
            LeaseError::Exhausted { .. } => {
                let hint = "stop a container of it, or create a network with a larger subnet";
                (ReportKind::InUse, Some(hint.to_owned()))
            }
        };
        Self::new(kind, error.to_string()).with_hint_of(hint)
    }
}

fn listed(subnets: &[IpNet]) -> String {
    if subnets.is_empty() {
        return "no subnet".to_owned();
    }
    subnets.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", ")
}

fn by(holder: Option<&Name>) -> String {
    holder.map(|name| format!(" by `{name}`")).unwrap_or_default()
}
