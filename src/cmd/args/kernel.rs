use crate::plan::Request;

/// What the kernel is told about the program, and the devices that it gets.
#[derive(Debug, Default, clap::Args)]
pub(super) struct KernelArgs {
    /// Add annotations to container
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    /// Add a host device to the container: HOST[:CONTAINER], or VENDOR/CLASS=NAME
    #[arg(long, value_name = "DEVICE")]
    device: Vec<String>,
    /// Add a rule to the cgroup allowed devices list (refused: only root can do that)
    #[arg(long, value_name = "RULE")]
    device_cgroup_rule: Vec<String>,
    /// GPU devices to add to the container: all, or names or numbers of NVIDIA's
    #[arg(long, value_name = "GPUS")]
    gpus: Option<String>,
    /// IPC namespace to use: private, shareable, none, host, container:NAME or ns:PATH
    #[arg(long, value_name = "MODE")]
    ipc: Option<String>,
    /// Tune the host's OOM preferences (-1000 to 1000)
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    oom_score_adj: Option<i32>,
    /// Show programs another kernel: LINUX, or LINUX32 as on a machine with 32 bits
    #[arg(long, value_name = "PERSONA")]
    personality: Option<String>,
    /// PID namespace to use: private, host, container:NAME or ns:PATH
    #[arg(long, value_name = "MODE")]
    pid: Option<String>,
    /// Give extended privileges to container: all that the user has
    #[arg(long)]
    privileged: bool,
    /// Add one or more requirement containers, which are started before this one
    #[arg(long, value_name = "CONTAINER")]
    requires: Vec<String>,
    /// Runtime to use: crun, runc or rc, which are all rc itself
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,
    /// Set namespaced kernel parameters
    #[arg(long, value_name = "NAME=VALUE")]
    sysctl: Vec<String>,
    /// Seconds that the container may run, before it is killed
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Set timezone in container: a name such as Europe/Berlin, or local
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// Set umask in container (default: 0022)
    #[arg(long, value_name = "MASK")]
    umask: Option<String>,
    /// UTS namespace to use: private, host, container:NAME or ns:PATH
    #[arg(long, value_name = "MODE")]
    uts: Option<String>,
}

impl KernelArgs {
    /// Fills in this part of the request.
    pub(super) fn fill(self, request: &mut Request) {
        request.annotations = self.annotation;
        request.devices = self.device;
        request.oom_score_adj = self.oom_score_adj;
        request.privileged = self.privileged;
        request.sysctls = self.sysctl;
        request.ipc = self.ipc;
        request.device_cgroup_rules = self.device_cgroup_rule;
        request.gpus = self.gpus;
        request.timeout = self.timeout;
        request.tz = self.tz;
        request.personality = self.personality;
        request.pid = self.pid;
        request.requires = self.requires;
        request.runtime = self.runtime;
        request.umask = self.umask;
        request.uts = self.uts;
    }
}
