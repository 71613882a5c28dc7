//! Names and numbers in the namespace of a network on which several parts agree.

/// The interface of the way out.
pub(super) const TAP: &str = "tap0";

/// The size of packets on the interfaces of a network whose record has none: the most that slirp4netns carries without
/// stalls (slirp4netns#284). Between containers it does not matter.
pub(super) const MTU: u32 = 16_000;

/// The firewall mark of packets for a transparent socket.
pub(super) const MARK: u32 = 1;

/// The table of routes for packets with [`MARK`].
pub(super) const TABLE: u8 = 100;
