use super::context::{Caller, Context};
use super::create::{Made, prepare, write_cidfile};
use super::observer::Observer;
use crate::container::{self, Attach, FrontEnd, Origin, Started};
use crate::plan::Request;
use crate::sys::fs;
use crate::types::{ContainerId, Report};

/// A container that was started.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its id.
    pub(crate) id: ContainerId,
    /// How the front end is joined to the program.
    pub(crate) started: Started,
}

/// Makes a container and starts it, and returns when its program runs; `front_end` has its input only if the request
/// says so.
///
/// On failure no container is left behind, unless it was the program that could not be run and the container is not to
/// remove itself. Leftovers of others are not swept: the front end does so when it has nothing more urgent to do
/// ([`super::sweep_soon`]).
pub(crate) fn run(
    context: &Context,
    mut caller: Caller,
    request: &Request,
    mut front_end: FrontEnd<'_>,
    observer: &mut dyn Observer,
) -> Result<Run, Report> {
    let environment = context.environment(std::mem::take(&mut caller.manager))?;
    let Made { creation, lowers } = prepare(context, &environment, &caller, request, observer)?;
    if let Attach::Yes { stdin } = &mut front_end.attach {
        *stdin &= creation.config.open_stdin;
    }
    let (id, cidfile) = (creation.config.id.clone(), creation.config.cidfile.clone());
    let written = cidfile.as_deref().map(|path| write_cidfile(path, &id)).transpose()?;
    match container::start(&environment, Origin::New(Box::new(creation)), lowers, front_end) {
        Ok(started) => Ok(Run { id, started }),
        Err(error) => {
            if let Some(path) = written {
                // The container that it names is gone, or was never there.
                drop(fs::remove_file(path));
            }
            Err(error.into())
        }
    }
}
