use crate::types::NetworkRecord;

/// Hears what happens to a network, in the process of its keeper.
pub(crate) trait Tell: std::fmt::Debug {
    /// The network's way out works again.
    fn restarted(&self, network: &NetworkRecord);
}
