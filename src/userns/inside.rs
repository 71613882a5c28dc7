//! Work on files with mapped owners, in a forked child that is root in the root namespace.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::marker::PhantomData;

use nix::fcntl::OFlag;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, UserNamespace};
use crate::sys::exit::exit_now;
use crate::sys::process::{Child, CloneOptions, Ended, fork};
use crate::sys::{prctl, signal};
use crate::types::{Report, json};

/// Runs `work` in a child that is root in `home`, waits for it, and returns its result. The child has one thread and
/// may start more. If this process dies, the child is killed.
///
/// Fails if the child cannot be created or dies, or as `work` does.
pub(crate) fn inside<T, E>(home: &UserNamespace, name: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, Report>
where
    T: Serialize + DeserializeOwned,
    E: Into<Report>,
{
    start_inside(home, name, work)?.finish()
}

/// Work that goes on in a child.
#[derive(Debug)]
#[must_use = "nothing waits for the child"]
pub(crate) struct Inside<T> {
    child: Child,
    answer: File,
    result: PhantomData<T>,
}

/// As [`inside`], but does not wait: this process may exchange data with the child meanwhile.
///
/// The child has copies of this process' descriptors. What `work` owns is closed here when this returns.
pub(crate) fn start_inside<T, E>(
    home: &UserNamespace,
    name: &str,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<Inside<T>, Report>
where
    T: Serialize + DeserializeOwned,
    E: Into<Report>,
{
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|e| system("create a pipe")(e.into()))?;
    let child = fork(&CloneOptions::default(), || {
        let ready = || -> Result<(), Error> {
            prctl::die_with_parent().map_err(system("set the parent-death signal"))?;
            prctl::set_name(name).map_err(system("set the process name"))?;
            signal::unblock_all().map_err(system("unblock signals"))?;
            home.enter()
        };
        let answer: Result<T, Report> = ready().map_err(Report::from).and_then(|()| work().map_err(Into::into));
        let sent = serde_json::to_vec(&answer).is_ok_and(|bytes| File::from(write).write_all(&bytes).is_ok());
        exit_now(i32::from(!sent))
    })
    .map_err(system("fork"))?;
    // The child's end of the pipe was moved into the closure, which only ran there; our copy is closed with it.
    Ok(Inside { child, answer: File::from(read), result: PhantomData })
}

impl<T: DeserializeOwned> Inside<T> {
    /// Waits for the child, and returns its result.
    pub(crate) fn finish(mut self) -> Result<T, Report> {
        let mut bytes = Vec::new();
        let got = self.answer.read_to_end(&mut bytes);
        let ended = self.child.wait().map_err(system("wait for a child"))?;
        got.map_err(system("read from a child"))?;
        json::from_slice::<Result<T, Report>>(&bytes).unwrap_or_else(|_| {
            Err(Error::Died(match ended {
                Ended::Exited(code) => format!("exit code {code}"),
                Ended::Killed(signal) => format!("signal {signal}"),
            })
            .into())
        })
    }
}

fn system(action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::System { action, source }
}
