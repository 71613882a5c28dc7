//! Every command that writes to the store removes what killed commands and monitors left in it.
//!
//! ```text
//! pull, load, import, rm, rmi   sweep at their end, and wait for it
//! run, create, start, restart,  check for leftovers at their end (`run` while its program runs), and start a process
//! tag, untag                    that sweeps them: one at a time, and none for a minute after one that could not finish
//! monitors of `--rm`            remove only their own container and its volumes
//! ```
//! A failed `pull` does not sweep: the next try uses what it has downloaded, until another command sweeps.

use rustix::fs::{Mode, OFlags};

use super::context::Context;
use crate::container;
use crate::image::local::{InUse, Removal};
use crate::storage::Store;
use crate::sys::process::{self, CloneOptions, fork};
use crate::sys::{prctl, signal};
use crate::types::Report;

/// Removes the leftovers of dead processes, if there are any.
pub(crate) fn sweep(context: &Context) -> Result<(), Report> {
    if container::has_leftovers(context.store()?)? { sweep_all(context) } else { Ok(()) }
}

/// Removes the leftovers of dead processes. It looks everywhere: it is for commands that remove anyway.
pub(super) fn sweep_all(context: &Context) -> Result<(), Report> {
    let store = context.store()?;
    let runtime = context.runtime_dir()?;
    let swept = container::sweep_store(store, &runtime);
    if store.has_garbage()? && Removal::begin(store)?.collect(&in_use(store)?)? {
        container::sweep_store(store, &runtime)?;
    }
    Ok(swept?)
}

/// Starts a process that removes the leftovers of dead processes, if there are any. The command does not wait for it.
pub(crate) fn sweep_soon(context: &Context) {
    let Ok(store) = context.store() else { return };
    if container::has_leftovers(store).is_ok_and(|found| found) && !store.has_failed_to_sweep() {
        // The next command that sweeps and waits reports an error.
        drop(fork(&CloneOptions::default(), || sweep_alone(context, store)));
    }
}

fn sweep_alone(context: &Context, store: &Store) -> i32 {
    let swept = || -> Result<(), Report> {
        let Some(sweeping) = store.begin_sweep()? else { return Ok(()) };
        let swept = sweep_all(context);
        sweeping.finish(swept.is_ok() && !store.has_garbage()?);
        swept
    };
    i32::from(detach("rc: sweep").is_err() || swept().is_err())
}

/// Starts a process that waits until everything that was pulled or unpacked is on disk. If it cannot, the next one
/// does.
pub(super) fn sync_soon(store: &Store) {
    drop(fork(&CloneOptions::default(), || i32::from(detach("rc: sync").is_err() || store.sync_layers().is_err())));
}

/// Starts a process that lets the disk begin to write. Whatever becomes of it, who needs that it is done waits for it.
pub(super) fn write_soon(store: &Store) {
    let write = || detach("rc: write").is_ok_and(|()| store.write_back().is_ok());
    drop(fork(&CloneOptions::default(), || i32::from(!write())));
}

/// Becomes a process of this name that nobody waits for: leaves the session and closes the command's descriptors,
/// since a reader of its output waits until all copies are closed.
pub(super) fn detach(name: &str) -> std::io::Result<()> {
    // It fails only for a session leader, which a fork is not.
    rustix::process::setsid().ok();
    prctl::set_name(name)?;
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    for number in 0..3 {
        process::place(std::os::fd::AsFd::as_fd(&null), number)?;
    }
    drop(null);
    process::close_from(3)?;
    rustix::process::chdir(c"/")?;
    signal::unblock_all()
}

/// Which images containers use. For an unreadable container this is unknown, so it counts for none.
pub(super) fn in_use(store: &Store) -> Result<InUse, Report> {
    let mut used = InUse::default();
    for container in container::list(store)?.containers {
        container.config.images().for_each(|image| used.add(image, container.config.name.as_str()));
    }
    Ok(used)
}
