//! Where in the container's root something may be mounted or created: never on the kernel's own filesystems through a
//! link.
//!
//! An image's `/leak` may be a link to `/proc/1/fd`. `plan` sees only text and lets it pass, so the place is checked
//! again once it has been found and pinned:
//!
//! ```text
//! on the root, or on a mount of ours that holds files   yes, with or without links, such as `/var/run → /run`
//! elsewhere, through a link                             no
//! elsewhere, by its own name                            on a kernel filesystem: beneath /proc, /sys and /dev, where
//!                                                       plan decides, and the whole of a mount (`-v /:/host
//!                                                       -v /proc:/host/proc`); on any other: yes, the user mounted it
//! ```
//! The first line is a list of what is allowed, so a kernel filesystem that rc does not know is refused as well: with
//! the host's network, the host's whole /sys is visible. Source: runc `checkProcMount` (CVE-2019-19921).

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use super::Failure;
use super::sync::Step as _;
use crate::sys::filesystem::{Place, of_kernel, place};
use crate::sys::root::{find_literally, make_directories, make_file, path_of};
use crate::types::ReportKind;

/// The places in a root, and the mounts that links may lead to.
#[derive(Debug)]
pub(super) struct Places<'a> {
    root: BorrowedFd<'a>,
    with_files: RefCell<Vec<u64>>,
    /// Mounts that nothing may be mounted on by another name: the root and `/dev`.
    reserved: RefCell<Vec<Place>>,
}

/// Why a place could not be created.
enum Trouble {
    Io(io::Error),
    Refused(Failure),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<'a> Places<'a> {
    /// Starts with the root's own mount.
    pub(super) fn new(root: BorrowedFd<'a>) -> Result<Self, Failure> {
        let at = place(root).step("inspect the mount of the root filesystem")?;
        Ok(Self { root, with_files: RefCell::new(vec![at.mount]), reserved: RefCell::new(vec![at]) })
    }

    pub(super) fn root(&self) -> BorrowedFd<'a> {
        self.root
    }

    /// Records a mount that was attached at `path`: links may lead to it, unless it is a kernel filesystem.
    pub(super) fn add(&self, mount: BorrowedFd<'_>, path: &Path) -> Result<(), Failure> {
        if of_kernel(mount).step_on("inspect the filesystem on", path)?.is_none() {
            let at = place(mount).step_on("inspect the mount on", path)?;
            self.with_files.borrow_mut().push(at.mount);
            if path == Path::new("/dev") {
                self.reserved.borrow_mut().push(at);
            }
        }
        Ok(())
    }

    /// The place of a mount: the directory `path`, created if missing.
    pub(super) fn directory(&self, path: &Path) -> Result<OwnedFd, Failure> {
        let made = self.make_directories(path, "create the mount point")?;
        self.check_mount(made.as_fd(), path)?;
        Ok(made)
    }

    /// The place of a mount: the file `path`, created empty if missing.
    pub(super) fn file(&self, path: &Path) -> Result<OwnedFd, Failure> {
        let action = "create the mount point";
        let made = make_file(self.root, path, &|parent, above| self.may_make(parent, above, path, action));
        let made = made.map_err(|trouble| trouble.into_failure(action, path))?;
        self.check_mount(made.as_fd(), path)?;
        Ok(made)
    }

    fn check_mount(&self, found: BorrowedFd<'_>, path: &Path) -> Result<(), Failure> {
        let at = place(found).step_on("stat", path)?;
        if self.reserved.borrow().contains(&at) {
            let shown = path.display().to_string().escape_debug().to_string();
            let place = self.name_of(found);
            return Err(Failure::reason(
                ReportKind::Invalid,
                format!("cannot mount on `{shown}`: it leads to `{place}`"),
            ));
        }
        // On top of a whole mount: this hides only what the user has mounted there.
        if at.is_mount_root && self.is_literal(at, path).step_on("stat", path)? {
            return Ok(());
        }
        self.judge_at(at, found, path, path, "mount on")
    }

    /// Creates the directory `path` if it is missing; nothing will be mounted there.
    pub(super) fn make_directories(&self, path: &Path, action: &str) -> Result<OwnedFd, Failure> {
        make_directories(self.root, path, &|parent, above| self.may_make(parent, above, path, action))
            .map_err(|trouble| trouble.into_failure(action, path))
    }

    /// Refuses to do `action` at `path`, which has led to `found`, if a link has led to a forbidden place.
    pub(super) fn check(&self, found: BorrowedFd<'_>, path: &Path, action: &str) -> Result<(), Failure> {
        self.judge(found, path, path, action)
    }

    fn may_make(&self, parent: BorrowedFd<'_>, above: &Path, path: &Path, action: &str) -> Result<(), Trouble> {
        self.judge(parent, above, path, action).map_err(Trouble::Refused)
    }

    /// `name` has led to `found`; the error names `path`.
    fn judge(&self, found: BorrowedFd<'_>, name: &Path, path: &Path, action: &str) -> Result<(), Failure> {
        let at = place(found).step_on("inspect the mount of", path)?;
        self.judge_at(at, found, name, path, action)
    }

    /// [`judge`](Self::judge), for a place that is known already.
    fn judge_at(
        &self,
        at: Place,
        found: BorrowedFd<'_>,
        name: &Path,
        path: &Path,
        action: &str,
    ) -> Result<(), Failure> {
        if self.with_files.borrow().contains(&at.mount) {
            return Ok(());
        }
        let kernels = of_kernel(found).step_on("inspect the filesystem of", path)?;
        let may_be_kernels = ["/proc", "/sys", "/dev"].into_iter().any(|directory| name.starts_with(directory));
        let is_literal = self.is_literal(at, name).step_on("stat", path)?;
        if is_literal && (kernels.is_none() || may_be_kernels) {
            return Ok(());
        }
        let shown = path.display().to_string().escape_debug().to_string();
        let place = self.name_of(found);
        let what = match kernels {
            Some(kind) => format!("on a filesystem of the kernel ({kind})"),
            None => "in another mount, through a link".to_owned(),
        };
        Err(Failure::reason(ReportKind::Invalid, format!("cannot {action} `{shown}`: it leads to `{place}`, {what}")))
    }

    /// Whether `name` leads there without any link.
    fn is_literal(&self, at: Place, name: &Path) -> io::Result<bool> {
        match find_literally(self.root, name) {
            Ok(literal) => Ok(place(&literal)? == at),
            // A link; or another process replaced it a moment ago.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENOENT | libc::ENOTDIR)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The place as the container will name it, for a message.
    fn name_of(&self, found: BorrowedFd<'_>) -> String {
        let path = path_of(found).unwrap_or_default();
        let root = path_of(self.root).unwrap_or_default();
        let inside = path.strip_prefix(&root).unwrap_or(&path);
        format!("/{}", inside.display()).escape_debug().to_string()
    }
}

impl Trouble {
    fn into_failure(self, action: &str, path: &Path) -> Failure {
        match self {
            Self::Io(error) => Failure::setup(action, path, &error),
            Self::Refused(failure) => failure,
        }
    }
}
