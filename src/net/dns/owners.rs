//! Which members live: each one's monitor holds a lock in the owner's directory.
//!
//! The name server may not open anything of a container's, so the keeper opens the lock for it, once for each owner:
//!
//! ```text
//! rc: dns app ── containers/ID ──→ rc: net app     which opens containers/ID/lock, and nothing else
//!      │     ←── containers/ID + descriptor ──┘
//!      └── asks the kernel at each query who holds the lock
//! ```

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::net::lease::Owner;
use crate::net::wait::wait_readable;
use crate::sys::lock::ProcessLock;
use crate::sys::socket;

/// The most locks that are kept open.
const MOST: usize = 256;
/// How long the keeper may take: it may be starting the way out.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest name of an owner, in bytes.
const LONGEST: usize = 512;

/// Opens locks.
#[derive(Debug)]
pub(crate) enum Locks {
    /// Of a store in which this process may read.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests have no keeper"))]
    Here(Box<Path>),
    /// The keeper does, at the other end of this connection.
    Keeper(OwnedFd),
}

impl Locks {
    fn open(&self, owner: &Owner) -> Option<File> {
        match self {
            Self::Here(root) => owner.open_lock(root),
            Self::Keeper(keeper) => ask(keeper, owner),
        }
    }
}

/// Asks the keeper. Answers to questions that it was too slow for are skipped.
fn ask(keeper: &OwnedFd, owner: &Owner) -> Option<File> {
    let text = owner.to_string();
    socket::send(keeper.as_fd(), text.as_bytes(), &[]).ok()?;
    let deadline = Instant::now() + PATIENCE;
    while wait_readable(&[keeper.as_fd()], deadline).ok()? {
        let received = socket::receive(keeper, LONGEST).ok()??;
        if received.bytes == text.as_bytes() {
            return received.descriptors.into_iter().next().map(File::from);
        }
    }
    None
}

/// Answers a question, for the store at `root`: in the keeper, which does not wait. `false` at the connection's end.
pub(crate) fn answer(name_server: BorrowedFd<'_>, root: &Path) -> bool {
    let received = match socket::receive(name_server, LONGEST) {
        Ok(Some(received)) => received,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
        Ok(None) | Err(_) => return false,
    };
    let owner = std::str::from_utf8(&received.bytes).ok().and_then(|text| text.parse::<Owner>().ok());
    let lock = owner.and_then(|owner| owner.open_lock(root));
    let lock: Vec<BorrowedFd<'_>> = lock.iter().map(|lock| lock.as_fd()).collect();
    socket::send(name_server, &received.bytes, &lock).is_ok()
}

/// The owners that were asked for.
#[derive(Debug)]
pub(super) struct Owners {
    locks: Locks,
    /// Of those that have lived the last time.
    open: HashMap<Owner, File>,
}

impl Owners {
    pub(super) fn new(locks: Locks) -> Self {
        Self { locks, open: HashMap::new() }
    }

    /// Whether the owner's monitor lives.
    pub(super) fn lives(&mut self, owner: &Owner) -> bool {
        if self.open.get(owner).is_some_and(ProcessLock::is_held) {
            return true;
        }
        // It has ended, or was not asked for before.
        self.open.remove(owner);
        let Some(lock) = self.locks.open(owner).filter(ProcessLock::is_held) else { return false };
        if self.open.len() >= MOST {
            self.open.retain(|_, lock| ProcessLock::is_held(lock));
            if self.open.len() >= MOST {
                self.open.clear();
            }
        }
        self.open.insert(owner.clone(), lock);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::dns::tests::locked;
    use crate::sys::fs;
    use crate::types::ContainerId;

    fn owner(number: u32) -> Owner {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Owner::container(&ContainerId::from_bytes(bytes))
    }

    /// Takes an owner's lock, by its description: that counts as another process's.
    fn lock(root: &Path, owner: &Owner) -> File {
        let directory = root.join(owner.to_string());
        fs::create_dir_all(&directory).expect("a directory");
        locked(&directory.join("lock"))
    }

    #[test]
    fn a_lock_is_asked_for_once_and_looked_at_each_time() {
        let home = tempfile::tempdir().expect("a directory");
        let (ours, theirs) = socket::pair().expect("a pair");
        let root = home.path().to_owned();
        let keeper = std::thread::spawn(move || {
            let mut count = 0;
            while wait_readable(&[theirs.as_fd()], Instant::now() + Duration::from_secs(60)).expect("poll")
                && answer(theirs.as_fd(), &root)
            {
                count += 1;
            }
            count
        });
        let mut owners = Owners::new(Locks::Keeper(ours));
        assert!(!owners.lives(&owner(1)), "there is no such directory");
        let held = lock(home.path(), &owner(1));
        for _ in 0..5 {
            assert!(owners.lives(&owner(1)));
        }
        drop(held);
        assert!(!owners.lives(&owner(1)));
        let _again = lock(home.path(), &owner(1));
        assert!(owners.lives(&owner(1)));
        drop(owners);
        // Missing, held, free, held again.
        assert_eq!(keeper.join().expect("it ends"), 4);
    }

    #[test]
    fn only_so_many_are_kept_open() {
        let home = tempfile::tempdir().expect("a directory");
        let mut owners = Owners::new(Locks::Here(home.path().into()));
        let numbers = 0..u32::try_from(MOST).expect("a few");
        let held: Vec<File> = numbers.clone().map(|number| lock(home.path(), &owner(number))).collect();
        assert!(numbers.clone().all(|number| owners.lives(&owner(number))));
        drop(held);
        let _last = lock(home.path(), &owner(1000));
        assert!(owners.lives(&owner(1000)));
        assert_eq!(owners.open.len(), 1);
    }

    #[test]
    fn nothing_but_a_lock_is_opened() {
        let home = tempfile::tempdir().expect("a directory");
        fs::write(home.path().join("lock"), "x").expect("written");
        let (ours, theirs) = socket::pair().expect("a pair");
        for text in ["", ".", "..", "containers", "containers/..", "networks/app", "tmp/../containers", "\u{0}"] {
            socket::send(ours.as_fd(), text.as_bytes(), &[]).expect("sent");
            if text.is_empty() {
                // An empty message is the end.
                assert!(!answer(theirs.as_fd(), home.path()));
                continue;
            }
            assert!(answer(theirs.as_fd(), home.path()));
            let received = socket::receive(&ours, LONGEST).expect("received").expect("an answer");
            assert!(received.descriptors.is_empty(), "{text}");
        }
    }
}
