use std::net::IpAddr;

use crate::types::{Invalid, Name, NetworkRecord, Report, ReportKind, Subnet};

/// Why there is no address. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseError {
    /// The network has no such address for a member.
    #[error(transparent)]
    Unfit(#[from] Invalid),
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
    /// All addresses of the range are taken.
    #[error("the network `{network}` has no free address: {holders} all from {first} to {last}")]
    Exhausted {
        /// The network.
        network: Name,
        /// The first address of the range.
        first: IpAddr,
        /// The last.
        last: IpAddr,
        /// How many members the network has, and the verb.
        holders: String,
    },
}

impl LeaseError {
    pub(super) fn exhausted(record: &NetworkRecord, subnet: &Subnet, members: usize) -> Self {
        let (first, last) = subnet.range();
        let holders = if members == 1 { "1 lease has".to_owned() } else { format!("{members} leases have") };
        Self::Exhausted { network: record.name.clone(), first, last, holders }
    }
}

impl From<LeaseError> for Report {
    fn from(error: LeaseError) -> Self {
        let (kind, hint) = match &error {
            LeaseError::Unfit(_) => (ReportKind::Invalid, None),
            LeaseError::Taken { .. } => (ReportKind::InUse, None),
            LeaseError::Exhausted { .. } => {
                let hint = "stop a container of it, or create a network with a larger subnet";
                (ReportKind::InUse, Some(hint.to_owned()))
            }
        };
        Self::new(kind, error.to_string()).with_hint_of(hint)
    }
}

fn by(holder: Option<&Name>) -> String {
    holder.map(|name| format!(" by `{name}`")).unwrap_or_default()
}
