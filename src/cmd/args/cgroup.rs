use crate::plan::Request;

/// Which cgroup the container gets; its limits are [`LimitArgs`](super::LimitArgs).
#[derive(Debug, Default, clap::Args)]
pub(super) struct CgroupArgs {
    /// Configure cgroup v2: write VALUE to the cgroup's file (FILE=VALUE)
    #[arg(long, value_name = "FILE=VALUE")]
    cgroup_conf: Vec<String>,
    /// Parent cgroup for the container: a slice (NAME.slice) or the absolute path of a cgroup
    #[arg(long, value_name = "CGROUP")]
    cgroup_parent: Option<String>,
    /// Cgroup namespace to use: private, host, container:NAME or ns:PATH
    #[arg(long, value_name = "MODE")]
    cgroupns: Option<String>,
    /// Control container cgroup configuration: enabled, disabled, no-conmon or split
    #[arg(long, value_name = "MODE")]
    cgroups: Option<String>,
}

impl CgroupArgs {
    /// Fills in this part of the request.
    pub(super) fn fill(self, request: &mut Request) {
        request.cgroups = self.cgroups;
        request.cgroupns = self.cgroupns;
        request.cgroup_parent = self.cgroup_parent;
        request.cgroup_conf = self.cgroup_conf;
    }
}
