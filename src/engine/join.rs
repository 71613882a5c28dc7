//! Joining the caller to programs: to the one of a container, and to further ones.

use super::context::Context;
use super::select::find;
use crate::container::{self, Outcome};
use crate::plan::{self, ExecRequest};
use crate::sys::inherited::Inherited;
use crate::types::{DetachKeys, Report};

/// How a caller joins a program that runs.
#[derive(Debug)]
pub(crate) struct Attach {
    /// The caller's standard input goes to it, if the container keeps one open.
    pub(crate) stdin: bool,
    /// Signals to this process go to it.
    pub(crate) proxy_signals: bool,
    /// Instead of the container's own.
    pub(crate) detach_keys: Option<String>,
}

/// Joins the program of a container; returns when it has ended or the user has detached.
pub(crate) fn attach(context: &Context, name: &str, how: &Attach) -> Result<Outcome, Report> {
    let container = find(context, name)?;
    let keys = how.detach_keys.as_deref().unwrap_or(&container.config.detach_keys).parse::<DetachKeys>()?;
    let stdin = how.stdin && container.config.open_stdin;
    Ok(container::attach(&container, stdin, how.proxy_signals, &keys)?)
}

/// Runs a further program in a container; returns when it has ended or the user has detached, or when it runs if the request
/// is detached. `environment` is the caller's, for `-e NAME`; `descriptors` go to the program.
pub(crate) fn exec(
    context: &Context,
    name: &str,
    request: &ExecRequest,
    environment: &[(String, String)],
    descriptors: Vec<Inherited>,
) -> Result<Outcome, Report> {
    let container = find(context, name)?;
    let process = plan::exec(&container.config, request, environment)?;
    let keys = request.detach_keys.as_deref().unwrap_or(&container.config.detach_keys).parse::<DetachKeys>()?;
    let ExecRequest { interactive, detach, .. } = *request;
    Ok(container::exec(&container, container::Exec { process, interactive, detach, detach_keys: keys, descriptors })?)
}
