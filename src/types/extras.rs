/// What decides about a container's processes and the runtime spec has no word for: the other half of the seam between
/// what was asked and what the kernel does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// Groups of the program by name or number, beyond those of its user. Names are looked up in the container's root
    /// file system, as the user is.
    pub(crate) groups: Vec<String>,
    /// PID 1 is rc's own init, and the program its child.
    pub(crate) init: bool,
    /// The program is confined by rc's own system call filter, which is compiled in. The spec's `linux.seccomp` is for
    /// every other filter.
    pub(crate) default_filter: bool,
    /// How many processes and threads the cgroup may have, where the spec has no limit of its own: set if that can be
    /// done.
    pub(crate) default_pids: Option<u64>,
}
