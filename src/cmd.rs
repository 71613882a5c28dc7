//! One file per command: it turns arguments into a request, calls the engine, and prints the result. No command imports
//! the file of another: what they share is in `args`, [`observer`] and [`outcome`].

pub(crate) mod args;
mod ask;
pub(crate) mod attach;
pub(crate) mod auto_update;
pub(crate) mod build;
pub(crate) mod builder;
pub(crate) mod buildx;
pub(crate) mod commit;
pub(crate) mod complete;
pub(crate) mod completion;
pub(crate) mod container;
pub(crate) mod cp;
pub(crate) mod create;
pub(crate) mod diff;
mod difference;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod exec;
mod explanation;
pub(crate) mod export;
pub(crate) mod generate;
pub(crate) mod healthcheck;
pub(crate) mod history;
pub(crate) mod image;
pub(crate) mod images;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod init;
pub(crate) mod inspect;
mod inspection;
pub(crate) mod kill;
pub(crate) mod load;
mod logging;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logs;
pub(crate) mod manifest;
pub(crate) mod mount;
mod mounting;
pub(crate) mod network;
mod observer;
mod outcome;
pub(crate) mod pause;
pub(crate) mod plugin;
pub(crate) mod pod;
pub(crate) mod port;
mod processes;
pub(crate) mod prune;
pub(crate) mod ps;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod rename;
pub(crate) mod request;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod rmi;
pub(crate) mod run;
mod sampling;
pub(crate) mod save;
pub(crate) mod search;
pub(crate) mod secret;
pub(crate) mod setup;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod system;
pub(crate) mod tag;
pub(crate) mod top;
pub(crate) mod unmount;
pub(crate) mod unpause;
pub(crate) mod unshare;
pub(crate) mod untag;
pub(crate) mod update;
pub(crate) mod version;
pub(crate) mod volume;
pub(crate) mod wait;
pub(crate) mod why;

use std::cell::RefCell;

use crate::container::Manager;
use crate::engine::{Caller, Context};
use crate::error::Error;
use crate::sys::fs::AtPath as _;
use crate::sys::process;
use crate::types::{Dialect, Report};
use crate::ui::Format;

/// What every command may need.
#[derive(Debug)]
pub(crate) struct Ctx {
    /// The user's directories and settings.
    pub(crate) engine: Context,
    /// The whole command line, for `inspect`.
    pub(crate) typed: Vec<String>,
    /// The name under which rc was called.
    pub(crate) dialect: Dialect,
    /// The service manager that started this command; a start takes it.
    pub(crate) manager: RefCell<Manager>,
}

impl Ctx {
    /// The `--format` that was typed; `None` for the default.
    pub(crate) fn format(&self, typed: Option<&str>) -> Option<Format> {
        typed.and_then(|typed| Format::parse(typed, self.dialect))
    }

    /// What a new container takes from this process. Fails if the working directory does not exist any more.
    pub(crate) fn caller(&self) -> Result<Caller, Report> {
        Ok(Caller {
            environment: environment(),
            working_dir: std::env::current_dir().at("find", ".")?,
            has_terminal: (0..3).filter_map(process::standard).any(rustix::termios::isatty),
            manager: self.manager.take(),
        })
    }
}

/// The environment of this process, without variables that are not UTF-8.
pub(crate) fn environment() -> Vec<(String, String)> {
    let text = |value: std::ffi::OsString| value.into_string().ok();
    std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
}

/// The service manager that started the command `name`, with the descriptors that it and the options in `arguments`
/// pass on, and those of files that a word in `typed` names. rc closes all others, except for `request`, which reads
/// the request from one and closes the rest itself.
pub(crate) fn manager(name: &str, typed: &[String], arguments: &clap::ArgMatches) -> Result<Manager, Error> {
    let mut manager = Manager::read(|name| std::env::var(name).ok(), std::process::id());
    if name == "request" {
        return Ok(manager);
    }
    // As with podman, only a new container gets the sockets of socket activation.
    let listening = if name == "run" { manager.listening() } else { 0 };
    let kept = args::keep_descriptors(typed, arguments, listening)?;
    manager.descriptors = kept.for_program;
    manager.own.extend(kept.own.into_iter().map(|inherited| inherited.fd));
    Ok(manager)
}
