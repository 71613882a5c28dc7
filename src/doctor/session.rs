//! The login session: the runtime folder, the user's bus, lingering.

use std::path::PathBuf;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::{Finding, Patient, Status};
use crate::sys::fs;
use crate::userns::user_name;

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let has_manager = fs::metadata("/run/systemd/system").is_ok();
    vec![runtime(patient), bus(has_manager), lingering(has_manager)]
}

fn runtime(patient: &Patient<'_>) -> Finding {
    const CHECK: &str = "runtime folder";
    match &patient.runtime {
        Err((why, hint)) => {
            Finding::bad(CHECK, Status::Missing, why.clone()).disables("every container").fix(hint.clone())
        }
        Ok(path) if path.starts_with(patient.root) => {
            // The next start looks there for the user's namespace, and nothing wipes it at a reboot: slower, not wrong.
            Finding::ok(CHECK, format!("{}, since the session has none ($XDG_RUNTIME_DIR)", path.display()))
        }
        Ok(path) => Finding::ok(CHECK, path.display().to_string()),
    }
}

fn user() -> String {
    user_name(rustix::process::geteuid().as_raw())
}

/// The socket of the user's bus. Source: sd_bus_open_user(3).
fn bus_path() -> PathBuf {
    let address = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap_or_default();
    let named = address.split(';').find_map(|one| one.strip_prefix("unix:path=")?.split(',').next().map(PathBuf::from));
    named.unwrap_or_else(|| {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty()).map(PathBuf::from);
        let usual = || PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw()));
        runtime.unwrap_or_else(usual).join("bus")
    })
}

fn bus(has_manager: bool) -> Finding {
    const CHECK: &str = "user bus";
    let path = bus_path();
    let answers = || -> rustix::io::Result<()> {
        // Without blocking: a bus that accepts nobody must not hold us up.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(&path)?)
    };
    match answers() {
        Ok(()) => Finding::ok(CHECK, path.display().to_string()),
        Err(_) if !has_manager => Finding::bad(CHECK, Status::Limited, "no systemd runs here")
            .disables("groups from systemd: limits need a group that is delegated to the user"),
        Err(error) => {
            Finding::bad(CHECK, Status::Limited, format!("`{}`: {}", path.display(), fs::plain(&error.into())))
                .disables("limits outside of a unit with `Delegate=yes`, and services of the user")
                .fix(format!(
                    "`sudo apt install dbus-user-session`, `sudo loginctl enable-linger {}`, then log in anew",
                    user()
                ))
        }
    }
}

fn lingering(has_manager: bool) -> Finding {
    const CHECK: &str = "lingering";
    let user = user();
    if !has_manager {
        return Finding::ok(CHECK, "not needed: no systemd ends what a user leaves running");
    }
    // What loginctl enable-linger leaves; a name with unusual characters is escaped there, and then not found here.
    if fs::metadata(PathBuf::from("/var/lib/systemd/linger").join(&user)).is_ok() {
        return Finding::ok(CHECK, format!("on for {user}"));
    }
    Finding::bad(CHECK, Status::Limited, format!("off for {user}"))
        .disables("containers after log-out, and services of the user at boot")
        .fix(format!("`sudo loginctl enable-linger {user}`"))
}
