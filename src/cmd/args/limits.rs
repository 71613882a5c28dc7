use crate::plan::LimitRequest;

/// The limits that a cgroup enforces; `run`, `create` and `update` take them.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct LimitArgs {
    /// Block IO weight (relative weight), between 10 and 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
    /// Block IO weight (relative device weight, format: DEVICE:WEIGHT)
    #[arg(long, value_name = "DEVICE:WEIGHT")]
    blkio_weight_device: Vec<String>,
    /// Limit the CPU CFS (Completely Fair Scheduler) period, in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<u64>,
    /// Limit the CPU CFS (Completely Fair Scheduler) quota, in microseconds per period; -1 means no limit
    #[arg(long, value_name = "MICROSECONDS", allow_negative_numbers = true)]
    cpu_quota: Option<i64>,
    /// CPU shares (relative weight, default 1024)
    #[arg(short, long, value_name = "SHARES")]
    cpu_shares: Option<u64>,
    /// Number of CPUs; 0 means no limit
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<String>,
    /// CPUs in which to allow execution (0-3, 0,1)
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes (MEMs) in which to allow execution (0-3, 0,1)
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Limit read rate (bytes per second) from a device (e.g. /dev/sda:1mb)
    #[arg(long, value_name = "DEVICE:RATE")]
    device_read_bps: Vec<String>,
    /// Limit read rate (IO per second) from a device (e.g. /dev/sda:1000)
    #[arg(long, value_name = "DEVICE:RATE")]
    device_read_iops: Vec<String>,
    /// Limit write rate (bytes per second) to a device (e.g. /dev/sda:1mb)
    #[arg(long, value_name = "DEVICE:RATE")]
    device_write_bps: Vec<String>,
    /// Limit write rate (IO per second) to a device (e.g. /dev/sda:1000)
    #[arg(long, value_name = "DEVICE:RATE")]
    device_write_iops: Vec<String>,
    /// Memory limit (format: NUMBER[UNIT], where UNIT = b, k, m or g)
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<String>,
    /// Memory soft limit (format: NUMBER[UNIT], where UNIT = b, k, m or g)
    #[arg(long, value_name = "SIZE")]
    memory_reservation: Option<String>,
    /// Swap limit equal to memory plus swap; -1 means unlimited swap (default: twice the memory)
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Tune container pids limit; -1 means no limit (default: pids_limit in rc.toml)
    #[arg(long, value_name = "LIMIT", allow_negative_numbers = true)]
    pids_limit: Option<i64>,
}

impl LimitArgs {
    /// The requested limits, as typed.
    pub(crate) fn into_request(self) -> LimitRequest {
        LimitRequest {
            memory: self.memory,
            memory_swap: self.memory_swap,
            memory_reservation: self.memory_reservation,
            cpus: self.cpus,
            cpu_shares: self.cpu_shares,
            cpu_quota: self.cpu_quota,
            cpu_period: self.cpu_period,
            cpuset_cpus: self.cpuset_cpus,
            cpuset_mems: self.cpuset_mems,
            blkio_weight: self.blkio_weight,
            blkio_weight_devices: self.blkio_weight_device,
            device_read_bps: self.device_read_bps,
            device_write_bps: self.device_write_bps,
            device_read_iops: self.device_read_iops,
            device_write_iops: self.device_write_iops,
            pids_limit: self.pids_limit,
        }
    }
}
