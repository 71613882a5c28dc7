//! Real cgroups: root delegates one to an unprivileged user, and this binary runs itself again as that user.
//!
//! ```text
//! test, as root        creates GROUP/given, gives it to the user and marks it as systemd's Delegate=yes does
//!   └─ sh → setpriv    in it
//!        └─ it --exact cgroups::inside    as the user; the case is named by an environment variable
//! ```

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use oci_spec::runtime::LinuxResources;
use rc::cgroup::{Group, Own, RequestedLimits, check};

use crate::support::{Lab, Output};

/// A user ID that nobody has.
const USER: u32 = 64123;
const CASE: &str = "RC_TEST_CGROUP_CASE";
const PATIENCE: Duration = Duration::from_secs(20);
/// Puts the shell into the cgroup `$1`, then continues as the user.
const JOIN: &str = r#"echo $$ >"$1/cgroup.procs"; shift; exec "$@""#;

/// A cgroup that root has delegated to `USER`; its drop removes it with everything that rc left in it.
struct Delegated {
    directory: PathBuf,
}

impl Delegated {
    /// Creates the cgroup. It has only the controllers that are named here: it is two levels deep, so that it does not
    /// inherit those that the host enables at the first level.
    fn new(lab: &Lab, controllers: &[&str]) -> Option<Self> {
        let mount = mount()?;
        let outer = mount.join(lab.unique("rc-it"));
        let directory = outer.join("given");
        fs::create_dir(&outer).expect("root can create a cgroup");
        for controller in controllers {
            // Stays enabled at the top: another cgroup may need it by now.
            for level in [&mount, &outer] {
                let file = level.join("cgroup.subtree_control");
                fs::write(file, format!("+{controller}")).expect("root can enable a controller");
            }
        }
        fs::create_dir(&directory).expect("root can create a cgroup");
        for file in [".", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
            chown(directory.join(file), Some(USER), Some(USER)).expect("root can give a cgroup away");
        }
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&directory, "user.delegate", b"1", flags).expect("a cgroup can be marked");
        Some(Self { directory })
    }

    /// Runs a case of [`inside`] in the cgroup, as the user. `script` is for a shell and gets the cgroup and the
    /// command.
    fn run(&self, lab: &Lab, script: &str, case: &str) -> Output {
        let binary = lab.work("it");
        if !binary.exists() {
            // The user may not be able to enter the directory of the build.
            fs::copy("/proc/self/exe", &binary).expect("this program can be copied");
            open_up(&binary);
        }
        let user = USER.to_string();
        lab.program("sh", ["-e", "-c", script, "sh"])
            .arg(&self.directory)
            .args(["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"])
            .arg(&binary)
            .args(["--exact", "cgroups::inside", "--test-threads=1", "--nocapture"])
            .env(CASE, case)
            .env("RC_TEST_PAYLOAD", Lab::payload_path())
            .run()
    }

    /// The names of the cgroups in it.
    fn children(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.directory).expect("a cgroup can be listed");
        let directories = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        directories.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for child in self.children() {
            drop(fs::remove_dir(self.directory.join(child)));
        }
        let removed = fs::remove_dir(&self.directory).and_then(|()| fs::remove_dir(self.directory.with_file_name("")));
        assert!(removed.is_ok() || std::thread::panicking(), "{}: {removed:?}", self.directory.display());
    }
}

fn open_up(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("our own file");
}

/// Where cgroup v2 is mounted and writable.
pub(crate) fn mount() -> Option<PathBuf> {
    let points = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    points.iter().map(PathBuf::from).find(|point| point.join("cgroup.subtree_control").exists())
}

/// A limit that this host's cgroup v2 supports: its controller, the limit in a spec, the file, and its value.
pub(crate) fn supported_limit() -> Option<(&'static str, &'static str, &'static str, &'static str)> {
    let controllers = fs::read_to_string(mount()?.join("cgroup.controllers")).ok()?;
    [
        ("pids", r#"{"pids": {"limit": 50}}"#, "pids.max", "50"),
        ("hugetlb", r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}"#, "hugetlb.2MB.max", "4194304"),
    ]
    .into_iter()
    .find(|(controller, ..)| controllers.split_ascii_whitespace().any(|word| word == *controller))
}

macro_rules! delegated {
    ($lab:expr, $controllers:expr) => {{
        only!(Root);
        let Some(group) = Delegated::new($lab, $controllers) else { skip!("cgroup v2 is not mounted") };
        group
    }};
}

#[test]
fn a_container_starts_in_its_cgroup_and_is_frozen_killed_and_removed_with_it() {
    let lab = Lab::new();
    let group = delegated!(&lab, &[]);
    group.run(&lab, JOIN, "life").succeeds();
    assert_eq!(
        group.children(),
        Vec::<String>::new(),
        "the container's cgroup is removed, and rc had no reason to move"
    );
}

#[test]
fn a_cgroup_without_a_kill_file_is_killed_process_by_process() {
    let lab = Lab::new();
    let group = delegated!(&lab, &[]);
    group.run(&lab, JOIN, "kill one by one").succeeds();
    assert_eq!(group.children(), Vec::<String>::new());
}

#[test]
fn a_limit_whose_controller_is_not_delegated_is_an_error_and_leaves_nothing() {
    let lab = Lab::new();
    let group = delegated!(&lab, &[]);
    group.run(&lab, JOIN, "not delegated").succeeds();
    assert_eq!(group.children(), Vec::<String>::new());
}

#[test]
fn a_limit_is_set_after_rc_has_moved_itself_to_the_leaf_supervisor() {
    let lab = Lab::new();
    let Some((controller, ..)) = supported_limit() else { skip!("cgroup v2 has neither pids nor hugetlb here") };
    let group = delegated!(&lab, &[controller]);
    group.run(&lab, JOIN, "limit").succeeds();
    assert_eq!(group.children(), ["supervisor"]);
}

#[test]
fn a_pod_s_limit_is_on_a_cgroup_that_has_those_of_its_members() {
    let lab = Lab::new();
    let Some((controller, ..)) = supported_limit() else { skip!("cgroup v2 has neither pids nor hugetlb here") };
    let group = delegated!(&lab, &[controller]);
    group.run(&lab, JOIN, "pod").succeeds();
    assert_eq!(group.children(), ["supervisor"]);
}

#[test]
fn foreign_processes_in_the_cgroup_are_named_and_not_moved() {
    let lab = Lab::new();
    let Some((controller, ..)) = supported_limit() else { skip!("cgroup v2 has neither pids nor hugetlb here") };
    let group = delegated!(&lab, &[controller]);
    group.run(&lab, r#"echo $$ >"$1/cgroup.procs"; shift; "$@"; true"#, "shared").succeeds();
    assert_eq!(group.children(), Vec::<String>::new());
}

#[test]
fn the_cgroup_is_found_if_only_a_part_of_cgroup_v2_is_mounted() {
    let lab = Lab::new();
    let group = delegated!(&lab, &[]);
    fs::create_dir(lab.work("part")).expect("a directory can be made");
    let script = r#"
        echo $$ >"$1/cgroup.procs"
        exec unshare --mount sh -e -c 'mount --bind "$1" part; umount -l /sys/fs/cgroup; shift; exec "$@"' sh "$@"
    "#;
    group.run(&lab, script, "part").succeeds();
    assert_eq!(group.children(), Vec::<String>::new());
}

#[test]
fn a_writable_cgroup_without_systemd_s_mark_is_not_used() {
    let lab = Lab::new();
    let group = delegated!(&lab, &[]);
    let script = r#"
        setfattr -x user.delegate "$1"
        echo $$ >"$1/cgroup.procs"
        exec unshare --mount sh -e -c 'mount -t tmpfs none /run; mkdir -p /run/systemd/system; shift; exec "$@"' sh "$@"
    "#;
    require!(program "setfattr");
    group.run(&lab, script, "none").succeeds();
}

#[test]
fn the_cgroup_of_a_container_with_a_killed_monitor_is_removed() {
    only!(Root);
    let Some(mount) = mount() else { skip!("cgroup v2 is not mounted") };
    let lab = Lab::with_payload();
    for end in [["rm", "-f"], ["stop", "-t1"]] {
        let id = lab.rc(["run", "-d", "--network", "none", "payload", "/payload", "hang"]).run().text();
        let id = id.trim();
        let group = mount.join(format!("rc-{id}"));
        require!(group.exists(), "this process has no cgroup of its own");
        assert!(fs::read_to_string(group.join("cgroup.events")).expect("events").contains("populated 1"));
        let monitor = crate::kill_storm::monitor(&lab, id).expect("the monitor holds the lock");
        let monitor = rustix::process::Pid::from_raw(monitor).expect("a pid is not 0");
        rustix::process::kill_process(monitor, rustix::process::Signal::KILL).expect("it can be killed");
        lab.rc(end).arg(id).run().succeeds();
        // If the program died with its monitor before `stop` looked, there was nothing to stop.
        lab.rc(["rm", "-f", "--ignore", id]).run().succeeds();
        assert!(!group.exists(), "{} is left", group.display());
    }
}

#[test]
fn a_pod_that_cannot_start_leaves_no_cgroup() {
    only!(Root);
    let Some(mount) = mount() else { skip!("cgroup v2 is not mounted") };
    let lab = Lab::new();
    let of_pod = |sysctl: &str| {
        let id = lab.rc(["pod", "create", "--network", "none", "--sysctl", sysctl]).run().text();
        let group = mount.join(format!("rc-pod-{}", id.trim()));
        (id.trim().to_owned(), group)
    };
    let (id, group) = of_pod("net.ipv4.ip_forward=1");
    lab.rc(["pod", "start", &id]).run().succeeds();
    require!(group.exists(), "this process has no cgroup of its own");
    lab.rc(["pod", "rm", "-f", &id]).run().succeeds();
    assert!(!group.exists(), "{} is left", group.display());
    let (id, group) = of_pod("net.no.such=1");
    let failed = lab.rc(["pod", "start", &id]).run().exits(125);
    assert!(failed.stderr().contains("net/no/such"), "{failed}");
    assert!(!group.exists(), "{} is left", group.display());
    lab.rc(["pod", "rm", &id]).run().succeeds();
}

/// A process in `group` that only waits, and ends with this one. (It is moved there; only the tests of `rc run` can
/// show that containers start in their cgroup, since a test has threads and must not fork.)
fn waits_in(group: &Group) -> Child {
    let child = waits();
    fs::write(directory(group).join("cgroup.procs"), child.id().to_string()).expect("it can be moved");
    child
}

fn waits() -> Child {
    Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat")
}

fn was_killed(mut child: Child) {
    assert_eq!(child.wait().expect("our child").signal(), Some(9));
}

fn directory(group: &Group) -> PathBuf {
    mount().expect("mounted").join(group.path().trim_start_matches('/'))
}

fn own() -> Own {
    Own::find().expect("/proc can be read").expect("the cgroup is delegated")
}

fn resources(json: &str) -> LinuxResources {
    serde_json::from_str(json).expect("a spec's resources")
}

/// Runs one case in the delegated cgroup; without a case this test does nothing.
#[test]
fn inside() {
    match std::env::var(CASE).unwrap_or_default().as_str() {
        "" => {}
        "life" => life(),
        "kill one by one" => kill_one_by_one(),
        "not delegated" => not_delegated(),
        "limit" => limit(),
        "shared" => shared(),
        "part" => part(),
        "pod" => pod(),
        "none" => assert!(Own::find().expect("/proc can be read").is_none()),
        other => panic!("no case {other}"),
    }
}

fn life() {
    let own = own();
    let group = own
        .make("rc-a", &RequestedLimits { resources: None, default_pids: Some(2048), ..RequestedLimits::default() })
        .expect("a cgroup");
    assert_eq!(group.path(), format!("{}/rc-a", own.path()));
    let child = waits_in(&group);
    // The container itself may have created a cgroup with a process.
    let below = directory(&group).join("below");
    fs::create_dir(&below).expect("a cgroup below");
    let second = waits();
    fs::write(below.join("cgroup.procs"), second.id().to_string()).expect("it can be moved");
    let mut pids = group.processes().expect("processes");
    pids.sort_unstable();
    let mut expected = [child.id(), second.id()].map(|pid| i32::try_from(pid).expect("a pid"));
    expected.sort_unstable();
    assert_eq!(pids, expected);

    // The kernel reports the cgroup as frozen as soon as `child` is; whether `second` was earlier is left to chance.
    for _ in 0..20 {
        group.freeze(PATIENCE).expect("frozen");
        let events = fs::read_to_string(below.join("cgroup.events")).expect("events");
        group.thaw(PATIENCE).expect("thawed");
        assert!(events.contains("frozen 1"), "{events}");
    }
    assert!(!group.oom_killed().expect("no memory limit, no kill"));
    let late = group.remove(Duration::ZERO).expect_err("it is populated");
    assert_eq!(late.to_string(), format!("the processes in the cgroup `{}` did not end within 0 s", group.path()));
    let taken = own.make("rc-a", &RequestedLimits::default()).expect_err("it is in use");
    assert_eq!(taken.to_string(), format!("the cgroup `{}` is in use", group.path()));

    group.freeze(PATIENCE).expect("frozen again");
    let again = Group::open(group.path()).expect("opened").expect("it is there");
    again.kill().expect("killed, though frozen");
    group.remove(PATIENCE).expect("removed");
    group.remove(PATIENCE).expect("fine if it is gone");
    was_killed(child);
    was_killed(second);
    assert!(Group::open(group.path()).expect("looked").is_none());

    // The cgroup that a killed monitor left is replaced.
    drop(own.make("rc-b", &RequestedLimits::default()).expect("a cgroup"));
    own.make("rc-b", &RequestedLimits::default()).expect("the cgroup anew").remove(PATIENCE).expect("removed");
}

fn kill_one_by_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let group = own().make("rc-a", &RequestedLimits::default()).expect("a cgroup");
    let kill = directory(&group).join("cgroup.kill");
    fs::set_permissions(kill, fs::Permissions::from_mode(0o000)).expect("our own file");
    let children = [waits_in(&group), waits_in(&group), waits_in(&group)];
    group.kill().expect("killed");
    group.remove(PATIENCE).expect("removed");
    children.into_iter().for_each(was_killed);
}

fn not_delegated() {
    let own = own();
    for (json, file, controller) in [
        (r#"{"memory": {"limit": 67108864}}"#, "memory.max", "memory"),
        (r#"{"cpu": {"quota": 50000}}"#, "cpu.max", "cpu"),
        (r#"{"cpu": {"cpus": "0"}}"#, "cpuset.cpus", "cpuset"),
        (r#"{"pids": {"limit": 10}}"#, "pids.max", "pids"),
    ] {
        let resources = resources(json);
        let wanted = RequestedLimits { resources: Some(&resources), default_pids: None, ..RequestedLimits::default() };
        let expected = format!(
            "cannot set the limit `{file}`: the controller `{controller}` is not delegated to the cgroup `{}`",
            own.path()
        );
        assert_eq!(check(Some(&own), &wanted).expect_err("no controller").to_string(), expected);
        let error = own.make("rc-a", &wanted).expect_err("no controller");
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().is_some());
        let nowhere = format!(
            "cannot set the limit `{file}`: the controller `{controller}` needs a cgroup that is delegated to rc, and \
             this process is in none"
        );
        assert_eq!(check(None, &wanted).expect_err("no cgroup").to_string(), nowhere);
    }
    check(None, &RequestedLimits { resources: None, default_pids: Some(5), ..RequestedLimits::default() })
        .expect("nothing was asked for");
}

fn limit() {
    let (_, json, file, value) = supported_limit().expect("the test has looked");
    let resources = resources(json);
    let wanted =
        RequestedLimits { resources: Some(&resources), default_pids: Some(2048), ..RequestedLimits::default() };
    let own = own();
    check(Some(&own), &wanted).expect("it can be set");
    // The helpers that rc has started count as rc.
    let mut helper = waits();
    let group = own.make("rc-a", &wanted).expect("a cgroup with a limit");
    assert_eq!(fs::read_to_string(directory(&group).join(file)).expect("the limit").trim(), value);
    let now = fs::read_to_string("/proc/self/cgroup").expect("/proc");
    assert!(now.contains(&format!("0::{}/supervisor\n", own.path())), "{now}");
    assert_eq!(Own::find().expect("/proc").map(|found| found.path().to_owned()), Some(own.path().to_owned()));
    let child = waits_in(&group);
    group.kill().expect("killed");
    group.remove(PATIENCE).expect("removed");
    was_killed(child);
    helper.kill().and_then(|()| helper.wait()).expect("our child");
    // A second container finds the controller enabled.
    own.make("rc-b", &wanted).expect("a cgroup with a limit").remove(PATIENCE).expect("removed");

    // A value that the kernel refuses leaves no cgroup.
    let resources = LinuxResources::default();
    let mut unified = resources.clone();
    unified.set_unified(Some([(file.to_owned(), "many".to_owned())].into()));
    let error = own
        .make("rc-c", &RequestedLimits { resources: Some(&unified), default_pids: None, ..RequestedLimits::default() })
        .expect_err("no number");
    assert!(error.to_string().contains(file), "{error}");
    assert!(Group::open(&format!("{}/rc-c", own.path())).expect("looked").is_none());
}

fn shared() {
    let (controller, json, file, _) = supported_limit().expect("the test has looked");
    let resources = resources(json);
    let wanted = RequestedLimits { resources: Some(&resources), default_pids: None, ..RequestedLimits::default() };
    let own = own();
    let error = check(Some(&own), &wanted).expect_err("a shell is here").to_string();
    let start = format!(
        "cannot set the limit `{file}`: the controller `{controller}` cannot be enabled while the cgroup `{}` holds \
         processes that are not rc's: ",
        own.path()
    );
    assert!(error.starts_with(&start) && error.ends_with(" (sh)"), "{error}");
    assert_eq!(own.make("rc-a", &wanted).expect_err("a shell is here").to_string(), error);
    // Without a requested limit there is still a cgroup.
    let group = own
        .make("rc-a", &RequestedLimits { resources: None, default_pids: Some(2048), ..RequestedLimits::default() })
        .expect("a cgroup");
    group.remove(PATIENCE).expect("removed");
}

fn part() {
    let own = own();
    assert_eq!(own.path(), "/");
    let group = own.make("rc-a", &RequestedLimits::default()).expect("a cgroup");
    assert_eq!(group.path(), "/rc-a");
    let again = Group::open("/rc-a").expect("opened").expect("it is there");
    fs::write("part/rc-a/cgroup.procs", std::process::id().to_string()).expect("it can be moved");
    assert_eq!(again.processes().expect("processes"), group.processes().expect("processes"));
    fs::write("part/cgroup.procs", std::process::id().to_string()).expect("it can be moved back");
    again.remove(PATIENCE).expect("removed");
}

fn pod() {
    let (_, json, file, value) = supported_limit().expect("the test has looked");
    let (own, limits) = (own(), resources(json));
    let wanted = RequestedLimits { resources: Some(&limits), ..RequestedLimits::default() };
    let shared = own.make_shared("rc-pod-a", &wanted).expect("a cgroup");
    let member = shared.make("rc-m", &wanted).expect("a cgroup in it, with a limit of its own");
    let child = waits_in(&member);
    let outer = directory(&member).parent().expect("the pod's").to_owned();
    assert_eq!(fs::read_to_string(outer.join(file)).expect("a limit").trim(), value);
    // The pod's monitor was killed: another one finds what there is, and a member joins.
    let again = own.make_shared("rc-pod-a", &RequestedLimits::default()).expect("it is there");
    assert_eq!(again.path(), shared.path());
    let found = Own::of_pod(shared.path()).expect("it can be read").expect("it is there");
    let second = found.make("rc-n", &RequestedLimits::default()).expect("a cgroup");
    second.remove(PATIENCE).expect("removed");
    again.remove();
    assert!(outer.exists(), "a member is in it");
    member.kill().expect("killed");
    was_killed(child);
    member.remove(PATIENCE).expect("removed");
    found.remove();
    assert!(!outer.exists());
}
