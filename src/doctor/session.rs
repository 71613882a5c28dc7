//! The login session: the runtime directory, the service manager, the user's bus, lingering.

use std::path::PathBuf;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::attempt::{Trouble, attempt};
use super::{Finding, Host, Status};
use crate::sys::fs;
use crate::sys::packages::Package;
use crate::systemd;
use crate::types::shell;
use crate::userns::user_name;

pub(super) fn check(host: &Host<'_>) -> Vec<Finding> {
    let has_manager = fs::metadata("/run/systemd/system").is_ok();
    vec![runtime(host), manager(has_manager), bus(has_manager), lingering(has_manager)]
}

fn runtime(host: &Host<'_>) -> Finding {
    const CHECK: &str = "runtime directory";
    match &host.runtime {
        Err(why) => {
            Finding::bad(CHECK, Status::Missing, why.message.clone()).disables("every container").fix(why.hint.clone())
        }
        Ok(path) if path.starts_with(host.root) => {
            // The next start looks there for the user's namespace. That nothing clears it at a reboot only costs time.
            Finding::ok(CHECK, format!("{}: the session has none ($XDG_RUNTIME_DIR)", path.display()))
        }
        Ok(path) => Finding::ok(CHECK, path.display().to_string()),
    }
}

fn user() -> String {
    user_name(rustix::process::geteuid().as_raw())
}

/// The command that turns lingering on.
fn enable_linger() -> String {
    format!("`sudo loginctl enable-linger {}`", shell::quoted(&user()))
}

/// Whether the service manager answers on the socket that a start uses, which exists even without a bus daemon.
fn manager(has_manager: bool) -> Finding {
    const CHECK: &str = "service manager";
    const DISABLES: &str = "limits outside of a unit with `Delegate=yes`, and user services";
    if !has_manager {
        return Finding::bad(CHECK, Status::Limited, "systemd does not run")
            .disables("limits, unless rc is started in a cgroup that it can write to");
    }
    let socket = systemd::socket();
    match attempt(|| systemd::version(&socket).map_err(Trouble::new)) {
        Ok(version) => Finding::ok(CHECK, format!("systemd {version}, at {}", socket.display())),
        Err(trouble) => Finding::bad(CHECK, Status::Limited, trouble.report.message)
            .disables(DISABLES)
            .fix(format!("{}, or log in by ssh or on the console", enable_linger())),
    }
}

/// The socket of the user's bus. Source: sd_bus_open_user(3).
fn bus_path() -> PathBuf {
    let address = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap_or_default();
    let named = address.split(';').find_map(|one| one.strip_prefix("unix:path=")?.split(',').next().map(PathBuf::from));
    named.unwrap_or_else(|| {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let usual = || PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw()));
        runtime.unwrap_or_else(usual).join("bus")
    })
}

fn bus(has_manager: bool) -> Finding {
    const CHECK: &str = "user bus";
    // rc itself talks to the service manager without it.
    const DISABLES: &str = "`systemctl --user` and `systemd-run --user` in containers' units and scripts";
    if !has_manager || rustix::process::geteuid().is_root() {
        let why = if has_manager { "root has the system's" } else { "systemd does not run" };
        return Finding::ok(CHECK, format!("not needed: {why}"));
    }
    let path = bus_path();
    let answers = || -> rustix::io::Result<()> {
        // Non-blocking: a bus that does not accept connections must not block rc.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(&path)?)
    };
    match answers() {
        Ok(()) => Finding::ok(CHECK, path.display().to_string()),
        Err(error) => {
            Finding::bad(CHECK, Status::Limited, format!("`{}`: {}", path.display(), fs::plain(&error.into())))
                .disables(DISABLES)
                .fix(format!("{}, then log in again", Package::UserBus.install()))
        }
    }
}

fn lingering(has_manager: bool) -> Finding {
    const CHECK: &str = "lingering";
    let user = user();
    if !has_manager {
        return Finding::ok(CHECK, "not needed: without systemd, nothing kills processes at logout");
    }
    // The file that loginctl enable-linger creates. It escapes unusual characters in names, which rc then does not
    // find.
    if fs::metadata(PathBuf::from("/var/lib/systemd/linger").join(&user)).is_ok() {
        return Finding::ok(CHECK, format!("on for {user}"));
    }
    Finding::bad(CHECK, Status::Limited, format!("off for {user}"))
        .disables("containers after logout, and user services at boot")
        .fix(enable_linger())
}
