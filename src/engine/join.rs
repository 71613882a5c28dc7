//! Connecting a front end to a container's program, or to a further program in it.

use super::context::Context;
use super::select::find;
use crate::container::{self, Session};
use crate::plan::{self, ExecRequest};
use crate::sys::inherited::Inherited;
use crate::types::{DetachKeys, Report};

/// How a front end attaches to a running program.
#[derive(Debug)]
pub(crate) struct Attach {
    /// The session gets the program's input, if the container has it open.
    pub(crate) stdin: bool,
    /// Rows and columns of the front end's terminal, if it has one.
    pub(crate) size: Option<(u16, u16)>,
    /// The detach keys, instead of the container's own.
    pub(crate) detach_keys: Option<String>,
}

/// What a front end has for a further program.
pub(crate) struct Exec<'a> {
    /// Its environment, for `-e NAME`.
    pub(crate) environment: &'a [(String, String)],
    /// Whether it has input for the program, if the request asks for that.
    pub(crate) stdin: bool,
    /// Rows and columns of its terminal, if it has one.
    pub(crate) size: Option<(u16, u16)>,
    /// Further descriptors for the program.
    pub(crate) descriptors: Vec<Inherited>,
}

/// Attaches to the program of a container.
pub(crate) fn attach(context: &Context, name: &str, how: &Attach) -> Result<Session, Report> {
    let container = find(context, name)?;
    let keys = how.detach_keys.as_deref().unwrap_or(&container.config.detach_keys).parse::<DetachKeys>()?;
    let stdin = how.stdin && container.config.open_stdin;
    Ok(container::attach(&container, stdin, how.size, keys)?)
}

/// Runs a further program in a container. A detached request has no session: the program runs when this returns.
pub(crate) fn exec(
    context: &Context,
    name: &str,
    request: &ExecRequest,
    front_end: Exec<'_>,
) -> Result<Option<Session>, Report> {
    let container = find(context, name)?;
    let process = plan::exec(&container.config, request, front_end.environment)?;
    let exec = container::Exec {
        process,
        stdin: request.interactive && front_end.stdin,
        detach: request.detach,
        size: front_end.size,
        detach_keys: request.detach_keys.as_deref().unwrap_or(&container.config.detach_keys).parse::<DetachKeys>()?,
        descriptors: front_end.descriptors,
    };
    Ok(container::exec(&container, exec)?)
}
