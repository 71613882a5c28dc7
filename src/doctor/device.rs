//! The devices that helpers open.

use rustix::fs::OFlags;

use super::{Finding, severity};
use crate::sys::fs;

/// Whether a device can be opened. If not, `users` do not work, and loading `module` may help.
pub(super) fn device(path: &'static str, is_needed: bool, users: &str, module: &str) -> Finding {
    match opens(path) {
        Ok(()) => Finding::ok(path, "can be opened"),
        Err(error) => {
            let fix = if error == rustix::io::Errno::ACCESS {
                format!("`sudo chmod 0666 {path}`")
            } else {
                format!("`sudo modprobe {module}`")
            };
            Finding::bad(path, severity(is_needed, false), fs::plain(&error.into())).disables(users).fix(fix)
        }
    }
}

/// Opens a device as the helpers do.
fn opens(path: &str) -> Result<(), rustix::io::Errno> {
    rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK, rustix::fs::Mode::empty()).map(drop)
}
