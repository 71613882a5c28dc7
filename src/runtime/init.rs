//! PID 1 before it becomes the program: its steps, in the order that they need.
//!
//! Every error of every step ends the start with exit code 125 and leaves nothing behind, except as this table says. A
//! process that joins (`join`, `program`) also does the steps with a star.
//!
//! ```text
//! step                             error                  what happens
//! death signal *, OOM score *      any                    end
//! groups, IDs                      any                    end; with one ID groups stay: setgroups(2) is denied there
//! namespaces *, their names, lo    any                    end
//! kernel parameters                any                    end; with one ID, net.ipv4.ping_group_range is left out
//! mounts isolated, root, mounts    any                    end
//!   places of mounts (`places`)    a link leads outside   end
//! lines for users                  any                    end; no file is made that the image does not have
//! devices                          any                    end
//!   links in /dev                  EEXIST                 what is there stays: it confines nothing
//! links that devices need          EEXIST                 what is there stays, unless it is a link
//! masked and read-only paths       ENOENT, ENOTDIR        there is nothing to mask
//!                                  EACCES                 no way there, nor for the program, which may do less
//!                                  any other              end
//! no further user namespaces       any, ENOENT too        end; not tried if they are allowed (`--privileged`)
//! terminal *, read-only root       any                    end
//! change of the root               any                    end
//! not dumpable *                   any                    end
//! users' files *, IDs are mapped * any                    end
//! session, descriptors *           any                    end
//! keyring * (`keyring`)            EDQUOT                 another ID's quota; end if there is none
//!                                  any other              end
//!   no keyrings, or filtered       (found out before)     none is made: the program cannot reach any either
//! personality *, resource limits * any                    end
//! no new privileges *              any                    end
//! bounding, ambient sets *         EINVAL beyond 40       the end of this kernel's capabilities
//!                                  any other              end
//! system call filter *             any                    end
//! user, groups, capabilities *     any                    end
//! working directory *              any                    once more as the program's user; then end, with 126 or 127
//!                                                         if it is closed or missing
//! descriptors closed, stub *       any                    end
//! ```
//! The monitor has already set the limits: a requested limit that cannot be set is an error there (`cgroup`).

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::sched::CloneFlags;
use oci_spec::runtime::{LinuxNamespaceType, Process};
use rustix::fs::{Mode, OFlags};

use super::outside::Outside;
use super::paths::Covers;
use super::places::Places;
use super::program::{Program, Terminal};
use super::shared::is_fresh;
use super::starting::report;
use super::sync::{Step as _, receive, send};
use super::{Failure, Launch, Progress, accounts, devices, links, mounts, paths, program, terminal, users};
use crate::sys::{mount, namespace, prctl};

/// Runs in the new init. Returns only if the start failed: the exit code.
pub(super) fn run(launch: &Launch<'_>, outside: &Outside, mapped: &OwnedFd, sync: &OwnedFd) -> i32 {
    let Err(failure) = start(launch, outside, mapped, sync);
    report(failure, sync.as_fd())
}

fn start(
    launch: &Launch<'_>,
    outside: &Outside,
    mapped: &OwnedFd,
    sync: &OwnedFd,
) -> Result<std::convert::Infallible, Failure> {
    let spec = launch.spec;
    prctl::die_with_parent().step("set the parent-death signal")?;
    prctl::set_name("rc: init").step("name init")?;
    let process = spec.process().as_ref().ok_or_else(|| Failure::internal("the spec has no process"))?;
    program::set_oom_score(process)?;
    // Files that rc creates get the mode that rc asks for, whatever the caller's umask. The program gets a umask of its
    // own.
    rustix::process::umask(Mode::empty());
    wait_until_mapped(mapped)?;
    become_root(launch)?;

    let is_fresh = |kind| is_fresh(spec, &launch.shared, kind);
    if is_fresh(LinuxNamespaceType::Uts)
        && let Some(hostname) = spec.hostname()
    {
        nix::unistd::sethostname(hostname).map_err(std::io::Error::from).step_on("set the host name", hostname)?;
    }
    if is_fresh(LinuxNamespaceType::Network) {
        crate::sys::netif::set_up(c"lo").step("bring up the loopback interface")?;
    }
    if is_fresh(LinuxNamespaceType::Cgroup) {
        namespace::unshare(CloneFlags::CLONE_NEWCGROUP).step("create the cgroup namespace")?;
    }
    set_kernel_parameters(launch)?;
    mount::isolate_propagation().step("isolate mounts")?;
    if launch.keeps_mounts {
        let own = rustix::fs::open(c"/proc/self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let own = own.step("open the mount namespace")?;
        send(sync.as_fd(), &Progress::Mounts(own)).step("send the mount namespace to the monitor")?;
    }

    let covers = Covers::find(launch, outside)?;
    let root = outside.root(launch)?;
    let places = Places::new(root.as_fd())?;
    let from = mounts::From {
        outside: Some(outside),
        owner: owner(launch, process, root.as_fd())?,
        single_id: launch.ids.is_single(),
        empty: launch.empty.join("dir"),
    };
    let mounted = mounts::all(spec, &places, &launch.copy_up, &from)?;
    let secrets = mounts::secrets::all(launch.secrets, &places, launch.ids.is_single())?;
    accounts::add(root.as_fd(), launch.extras)?;
    devices::make(spec, &places)?;
    links::make(&launch.extras.links, &places)?;
    mounts::working_directory(&places, process.cwd())?;
    paths::mask(spec, root.as_fd(), covers)?;
    if !launch.extras.user_namespaces && is_fresh(LinuxNamespaceType::User) {
        forbid_user_namespaces()?;
    }
    let terminal = process.terminal().unwrap_or(false).then(|| open_terminal(&places, sync.as_fd())).transpose()?;
    if spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly).unwrap_or(false) {
        mount::set_attributes(root.as_fd(), rustix::mount::MountAttrFlags::MOUNT_ATTR_RDONLY, false)
            .step("make the root filesystem read-only")?;
    }
    mount::pivot(root.as_fd()).step("change the root")?;
    drop((root, mounted, secrets));

    if launch.wait_for_network {
        wait_for_network(sync.as_fd())?;
    }
    // Until here only this user's own processes on the host could see init; once the program runs, the kernel decides.
    prctl::set_dumpable(false).step("protect init")?;
    become_program(launch, process, terminal, sync)
}

fn become_program(
    launch: &Launch<'_>,
    process: &Process,
    terminal: Option<OwnedFd>,
    sync: &OwnedFd,
) -> Result<std::convert::Infallible, Failure> {
    program::run(&Program {
        process,
        terminal: terminal.map_or(Terminal::None(launch.stdio, launch.own_stdio), Terminal::Slave),
        descriptors: launch.descriptors,
        extras: launch.extras,
        profile: launch.spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref()),
        personality: launch.spec.linux().as_ref().and_then(|linux| linux.personality().as_ref()),
        init: launch.extras.init,
        die_with_parent: true,
        single_id: launch.ids.is_single(),
        sync: sync.as_fd(),
    })
}

fn wait_until_mapped(mapped: &OwnedFd) -> Result<(), Failure> {
    let mut byte = [0u8; 1];
    match rustix::io::retry_on_intr(|| rustix::io::read(mapped, &mut byte)).step("wait for the ID maps")? {
        1 => Ok(()),
        // The stage process has already reported the reason.
        _ => Err(Failure::internal("the ID maps were not written")),
    }
}

/// Becomes root of the namespace (or its only ID), without the user's groups on the host if the kernel allows it.
fn become_root(launch: &Launch<'_>) -> Result<(), Failure> {
    use crate::sys::ids;
    if !launch.ids.is_single() {
        if !launch.extras.keep_groups {
            ids::set_groups(&[]).step("drop groups")?;
        }
        ids::set_gid(0).step("become group 0")?;
        ids::set_uid(0).step("become user 0")?;
        // Another ID of the host's makes it invisible to what connects its network, and it still is rc's own process.
        // Source: PR_SET_DUMPABLE(2const).
        prctl::set_dumpable(true).step("stay visible to the network's helper")?;
    }
    Ok(())
}

/// The IDs of the program's user, if a mount's source gets them. With one ID everything has them already.
fn owner(launch: &Launch<'_>, process: &Process, root: BorrowedFd<'_>) -> Result<Option<(u32, u32)>, Failure> {
    if launch.ids.is_single() || !mounts::owner::is_wanted(launch.spec) {
        return Ok(None);
    }
    let user = users::look_up(root, process.user().username().as_deref().unwrap_or_default(), &[]);
    user.map(|user| Some((user.uid, user.gid))).map_err(Failure::of)
}

/// Writes the spec's sysctls, which are those of the new namespaces, to the host's /proc/sys: it shows the sysctls of
/// the process that opens it.
fn set_kernel_parameters(launch: &Launch<'_>) -> Result<(), Failure> {
    let parameters = launch.spec.linux().iter().flat_map(|linux| linux.sysctl().iter().flatten());
    for (name, value) in parameters {
        // The range of groups that may ping contains group 0, which is not mapped if the only ID is another one.
        if launch.ids.is_single() && name == "net.ipv4.ping_group_range" {
            continue;
        }
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        crate::sys::fs::write(&path, value).map_err(Failure::of)?;
    }
    Ok(())
}

/// Nested user namespaces expose much of the kernel to the program (CVE-2022-0185 and similar), so their maximum number
/// in this namespace is set to 0. Only its root may raise it, through a /proc/sys that is read-only. `unshare` then
/// fails with ENOSPC. Source: namespaces(7), `/proc/sys/user`.
fn forbid_user_namespaces() -> Result<(), Failure> {
    let path = "/proc/sys/user/max_user_namespaces";
    crate::sys::fs::write(path, "0").map_err(Failure::of)
}

/// Opens the program's terminal in the container's own devpts, binds it on /dev/console, and sends the other side to
/// the monitor.
fn open_terminal(places: &Places<'_>, sync: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY;
    let directory = crate::sys::root::open_in(places.root(), "/dev/pts", flags, Mode::empty());
    let directory = directory.step_on("open", "/dev/pts")?;
    let slave = terminal::open(directory.as_fd(), sync)?;
    let console = Path::new("/dev/console");
    let place = places.file(console)?;
    let bound = mount::clone_tree(slave.as_fd(), false).step("copy the terminal's mount")?;
    mount::attach(bound.as_fd(), place.as_fd()).step_on("mount", console)?;
    Ok(slave)
}

fn wait_for_network(sync: BorrowedFd<'_>) -> Result<(), Failure> {
    send(sync, &Progress::NetworkWanted).step("ask for the network")?;
    match receive(sync).step("wait for the network")? {
        Progress::NetworkUp => Ok(()),
        _ => Err(Failure::internal("the network did not come up")),
    }
}
