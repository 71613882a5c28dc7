//! Lines for the container's `/etc/passwd` and `/etc/group`, in which nobody else may have the ID.
//!
//! They are written into the files themselves, not into copies that are mounted over them: programs such as useradd
//! replace these files, and a mount point cannot be replaced. The files come from an image, so they are hostile: they
//! are opened in the root, must be regular and short, and are never created. What the user has mounted in their place
//! is not the image's, and stays as it is: it may be a file of the host. Source: podman, `generatePasswdAndGroup`.

use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, OFlags};

use super::Failure;
use super::sync::Step as _;
use super::users::{self, GROUP, PASSWD};
use crate::sys::filesystem::place;
use crate::sys::root::{find, open_in};
use crate::types::{Account, Extras};

/// Adds the missing lines. A file that the image does not have, that is no regular one, or that is on a mount, is left
/// alone.
pub(super) fn add(root: BorrowedFd<'_>, extras: &Extras) -> Result<(), Failure> {
    append(root, PASSWD, &extras.users, |text, id| users::user_names(text).contains_key(&id))?;
    append(root, GROUP, &extras.group_lines, |text, id| users::group_names(text).contains_key(&id))
}

fn append(
    root: BorrowedFd<'_>,
    path: &'static str,
    accounts: &[Account],
    has: impl Fn(&str, u32) -> bool,
) -> Result<(), Failure> {
    if accounts.is_empty() {
        return Ok(());
    }
    let Ok(Some(mut text)) = users::read_etc(root, path) else { return Ok(()) };
    let length = text.len();
    for account in accounts {
        if !has(&text, account.id) {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&account.line);
            text.push('\n');
        }
    }
    if text.len() == length || !is_on_mount_of(root, path).step_on("inspect the mount of", path)? {
        return Ok(());
    }
    let file = open_in(root, path, OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK, Mode::empty());
    let mut file = std::fs::File::from(file.step_on("open", path)?);
    let appended = file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(&text.as_bytes()[length..]));
    appended.step_on("add a line to", path)
}

/// Whether the file is on the mount of the root itself.
fn is_on_mount_of(root: BorrowedFd<'_>, path: &str) -> io::Result<bool> {
    Ok(place(find(root, path)?)?.mount == place(root)?.mount)
}
