use std::path::PathBuf;

use super::image::{PullArgs, pull_policy};
use super::limits::LimitArgs;
use super::process::{ProcessArgs, read_all};
use super::redact;
use super::service::ServiceArgs;
use crate::plan::{self, MountRequest, PortRequest, PullPolicy, Request};
use crate::types::Report;

/// The options of `run` and `create`, and the image with its command.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ContainerArgs {
    /// Add a custom host-to-IP mapping (host:ip); `host-gateway` stands for the host
    #[arg(long, value_name = "HOST:IP")]
    add_host: Vec<String>,
    /// Add capabilities to the container
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Drop capabilities from the container
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Configure cgroup v2: write VALUE to the cgroup's file (FILE=VALUE)
    #[arg(long, value_name = "FILE=VALUE")]
    cgroup_conf: Vec<String>,
    /// Parent cgroup for the container: a slice (NAME.slice) or the absolute path of a cgroup
    #[arg(long, value_name = "CGROUP")]
    cgroup_parent: Option<String>,
    /// Cgroup namespace to use: private or host
    #[arg(long, value_name = "MODE")]
    cgroupns: Option<String>,
    /// Control container cgroup configuration: enabled, disabled, no-conmon or split
    #[arg(long, value_name = "MODE")]
    cgroups: Option<String>,
    /// Write the container ID to the file
    #[arg(long, value_name = "FILE")]
    cidfile: Option<PathBuf>,
    /// Set custom DNS servers
    #[arg(long, value_name = "IP")]
    dns: Vec<String>,
    /// Set custom DNS options
    #[arg(long, value_name = "OPTION", visible_alias = "dns-opt")]
    dns_option: Vec<String>,
    /// Set custom DNS search domains
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// Overwrite the default ENTRYPOINT of the image: a program or a JSON array; "" for none
    #[arg(long, value_name = "ENTRYPOINT")]
    entrypoint: Option<String>,
    /// Add additional groups to the primary container process
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Set the container's hostname
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    /// Set proxy environment variables in the container based on the host proxy vars (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    http_proxy: Option<bool>,
    /// Run an init inside the container that forwards signals and reaps processes
    #[arg(long)]
    init: bool,
    /// Set metadata on the container
    #[arg(short, long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Read in a line-delimited file of labels
    #[arg(long, value_name = "FILE")]
    label_file: Vec<PathBuf>,
    /// Assign a name to the container
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    name: Option<String>,
    /// Connect a container to a network: slirp4netns, pasta, host or none
    #[arg(long, value_name = "MODE", visible_alias = "net")]
    network: Option<String>,
    /// Publish a container's port, or a range of ports, to the host ([[IP:][HOST_PORT]:]PORT[/tcp|udp])
    #[arg(short, long, value_name = "PORT")]
    publish: Vec<String>,
    /// Pull image policy: always, missing, never or newer
    #[arg(long, value_name = "POLICY", value_parser = pull_policy)]
    pull: Option<PullPolicy>,
    /// Make the container's root filesystem read-only
    #[arg(long)]
    read_only: bool,
    /// With --read-only, mount a read-write tmpfs on /run, /tmp and /var/tmp (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    read_only_tmpfs: Option<bool>,
    /// If a container with the same name exists, replace it
    #[arg(long)]
    replace: bool,
    /// Restart policy to apply when the container exits: no, always, on-failure[:RETRIES] or unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Remove the container and its anonymous volumes after exit
    #[arg(long)]
    rm: bool,
    /// Security options: no-new-privileges[=BOOL], seccomp=unconfined|default|FILE
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// Size of /dev/shm (format: NUMBER[UNIT], where UNIT = b, k, m or g)
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Signal to stop the container (default: the image's, or SIGTERM)
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds that the container has to exit when it is stopped, before it is killed
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: Option<u32>,
    /// Mount a temporary filesystem (tmpfs) into a container
    #[arg(long, value_name = "DIR[:OPTIONS]")]
    tmpfs: Vec<String>,
    /// Ulimit options: NAME=SOFT[:HARD]
    #[arg(long, value_name = "LIMIT")]
    ulimit: Vec<String>,
    /// Bind mount a volume into the container: [SOURCE|NAME:]DIR[:OPTIONS]
    #[arg(short, long, value_name = "VOLUME", allow_hyphen_values = true)]
    volume: Vec<String>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    pull_args: PullArgs,
    /// The image, and a command with its arguments instead of the image's
    #[arg(value_name = "IMAGE", hide = true, required = true, num_args = 1.., trailing_var_arg = true)]
    words: Vec<String>,
}

impl ContainerArgs {
    /// Whether the output of pulling is to be left out (`--quiet`).
    pub(crate) fn is_quiet(&self) -> bool {
        self.pull_args.quiet
    }

    /// The request. `typed` is the whole command line, which the request keeps without the values of the environment.
    /// Fails if a file that an option named cannot be read, or an option is not in its grammar.
    pub(crate) fn into_request(self, typed: &[String]) -> Result<Request, Report> {
        let mut words = self.words.into_iter();
        let image = words.next().unwrap_or_default();
        let command: Vec<String> = words.collect();
        let create_command = redact(typed, &self.process.env, command.len());
        let (service, log) = self.service.into_requests();
        let mounts = mounts(&self.volume, &self.tmpfs)?;
        let publish = self.publish.iter().map(|text| PortRequest::from_publish(text)).collect::<Result<_, _>>()?;
        Ok(Request {
            image,
            command,
            create_command,
            entrypoint: self.entrypoint,
            name: self.name,
            replace: self.replace,
            detach: self.process.detach,
            sig_proxy: None,
            descriptors: Vec::new(),
            interactive: self.process.interactive,
            tty: self.process.tty,
            auto_remove: self.rm,
            init: self.init,
            detach_keys: self.process.detach_keys,
            cgroups: self.cgroups,
            cgroupns: self.cgroupns,
            cgroup_parent: self.cgroup_parent,
            cgroup_conf: self.cgroup_conf,
            cidfile: self.cidfile,
            env: self.process.env,
            env_files: read_all(&self.process.env_file)?,
            environment: None,
            http_proxy: self.http_proxy,
            user: self.process.user,
            groups: self.group_add,
            working_dir: self.process.workdir,
            labels: self.label,
            label_files: read_all(&self.label_file)?,
            hostname: self.hostname,
            add_hosts: self.add_host,
            dns: self.dns,
            dns_search: self.dns_search,
            dns_options: self.dns_option,
            network: self.network.filter(|text| !text.is_empty()).as_deref().map(plan::parse_network).transpose()?,
            publish,
            mounts,
            read_only: self.read_only,
            read_only_tmpfs: self.read_only_tmpfs,
            shm_size: self.shm_size,
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
            seccomp_profiles: read_all(&profiles(&self.security_opt))?,
            security_opts: self.security_opt,
            limits: self.limits.into_request(),
            ulimits: self.ulimit,
            restart: self.restart,
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            service,
            log,
            pull: self.pull,
            platform: self.pull_args.platform,
            tls_verify: self.pull_args.tls_verify,
        })
    }
}

/// The files of `--security-opt seccomp=FILE`.
fn profiles(options: &[String]) -> Vec<PathBuf> {
    options.iter().filter_map(|option| plan::seccomp_file(option)).map(PathBuf::from).collect()
}

/// What `--volume` and `--tmpfs` ask for.
fn mounts(volumes: &[String], tmpfs: &[String]) -> Result<Vec<MountRequest>, plan::Error> {
    let volumes = volumes.iter().map(|text| MountRequest::from_volume(text));
    volumes.chain(tmpfs.iter().map(|text| Ok(MountRequest::from_tmpfs(text)))).collect()
}
