use super::context::{Caller, Context};
use super::create::{Made, prepare, write_cidfile};
use super::observer::Observer;
use crate::container::{self, Attach, Origin, Outcome};
use crate::plan::Request;
use crate::sys::fs;
use crate::types::{ContainerId, Report};

/// A container that was started.
#[derive(Debug)]
pub(crate) struct Started {
    /// Its id.
    pub(crate) id: ContainerId,
    /// How the program's streams ended, if the request is not detached.
    pub(crate) outcome: Outcome,
}

/// Makes a container and starts it. Unless the request is detached it returns when the program has ended or the user has
/// detached; signals to this process go to the program meanwhile, unless the request says otherwise.
///
/// On failure no container is left behind, unless it was the program that could not be run and the container is not to
/// remove itself. Leftovers of others are not swept: the front end does so when it has nothing more urgent to do
/// ([`super::sweep_soon`]).
pub(crate) fn run(
    context: &Context,
    mut caller: Caller,
    request: &Request,
    observer: &mut dyn Observer,
) -> Result<Started, Report> {
    let environment = context.environment(std::mem::take(&mut caller.manager))?;
    let Made { creation, lowers } = prepare(context, &environment, &caller, request, observer)?;
    let stdin = creation.config.open_stdin;
    let (id, cidfile) = (creation.config.id.clone(), creation.config.cidfile.clone());
    let proxy_signals = request.sig_proxy.unwrap_or(true);
    let attach = if request.detach { Attach::No } else { Attach::Yes { stdin, proxy_signals } };
    let written = cidfile.as_deref().map(|path| write_cidfile(path, &id)).transpose()?;
    match container::start(&environment, Origin::New(Box::new(creation)), lowers, &attach) {
        Ok(outcome) => Ok(Started { id, outcome }),
        Err(error) => {
            if let Some(path) = written {
                // The container that it names is gone, or was never there.
                drop(fs::remove_file(path));
            }
            Err(error.into())
        }
    }
}
