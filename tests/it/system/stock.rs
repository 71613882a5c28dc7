//! The controller cpuset, which user-mode Linux lacks, since it has a single CPU.

use super::unit;
use crate::support::Lab;

#[test]
fn a_container_runs_only_on_its_cpus() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let run = |words: &[&str]| {
        let start = ["run", "--rm", "--network", "none", "--cpuset-cpus", "1", "payload", "/payload"];
        unit(&lab, ["-p", "Delegate=yes"], start.iter().chain(words)).run()
    };
    run(&["read", "/sys/fs/cgroup/cpuset.cpus"]).prints("1\n");
    let status = run(&["read", "/proc/self/status"]).text();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).map(str::trim);
    assert_eq!(allowed, Some("1"));
}
