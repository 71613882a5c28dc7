use super::context::{Caller, Context};
use super::create::{Prepared, prepare, write_cidfile};
use super::observer::Observer;
use crate::container::{self, Attach, FrontEnd, Origin, Started};
use crate::plan::Request;
use crate::sys::fs;
use crate::types::{ContainerId, Report};

/// A started container.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its ID.
    pub(crate) id: ContainerId,
    /// The front end's connection to the program.
    pub(crate) started: Started,
}

/// Creates and starts a container, and returns when its program runs. `front_end` gets the program's input only if the
/// request says so.
///
/// On failure no container is left, unless the program could not be executed and the request is without `--rm`. This
/// does not sweep the leftovers of others: the front end does, when it has nothing more urgent to do
/// ([`super::sweep_soon`]).
pub(crate) fn run(
    context: &Context,
    mut caller: Caller,
    request: &Request,
    mut front_end: FrontEnd<'_>,
    observer: &mut dyn Observer,
) -> Result<Run, Report> {
    let environment = context.environment(std::mem::take(&mut caller.manager))?;
    let Prepared { creation, lowers } = prepare(context, &environment, &caller, request, observer)?;
    if let Attach::Yes { stdin } = &mut front_end.attach {
        *stdin &= creation.config.open_stdin;
    }
    let (id, cidfile) = (creation.config.id.clone(), creation.config.cidfile.clone());
    let written = cidfile.as_deref().map(|path| write_cidfile(path, &id)).transpose()?;
    match container::start(&environment, Origin::New(Box::new(creation)), lowers, front_end) {
        Ok(started) => Ok(Run { id, started }),
        Err(error) => {
            if let Some(path) = written {
                // The container that it names does not exist.
                drop(fs::remove_file(path));
            }
            Err(error.into())
        }
    }
}
