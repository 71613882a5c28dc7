use super::cidfile::Cidfile;
use super::context::{Caller, Context};
use super::create::{Prepared, prepare};
use super::needed::start_needed;
use super::observer::Observer;
use super::pods::with_pod;
use super::why;
use crate::container::{self, Attach, Environment, FrontEnd, Origin, Started};
use crate::plan::Request;
use crate::types::{ContainerId, Report, ReportKind};

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
    front_end: FrontEnd<'_>,
    observer: &mut dyn Observer,
) -> Result<Run, Report> {
    if request.init_ctr.is_some() {
        let message = "an init container runs when its pod is started: create it, and use `rc pod start`";
        return Err(Report::new(ReportKind::Invalid, message));
    }
    let environment = context.environment(std::mem::take(&mut caller.manager))?;
    with_pod(context, &environment, &caller, request, |request| {
        run_in(context, &environment, &caller, request, front_end, observer)
    })
}

/// [`run`] in a pod that exists, or in none.
fn run_in(
    context: &Context,
    environment: &Environment,
    caller: &Caller,
    request: &Request,
    mut front_end: FrontEnd<'_>,
    observer: &mut dyn Observer,
) -> Result<Run, Report> {
    let Prepared { creation, trees } = prepare(context, environment, caller, request, None, observer)?;
    if let Attach::Yes { stdin } = &mut front_end.attach {
        *stdin &= creation.config.open_stdin;
    }
    let (id, removes_itself) = (creation.config.id.clone(), creation.config.auto_remove);
    start_needed(context, &environment.manager, &creation.config)?;
    let cidfile = Cidfile::write(&creation.config)?;
    match container::start(environment, Origin::New(Box::new(creation)), trees, front_end) {
        Ok(started) => {
            cidfile.keep();
            Ok(Run { id, started })
        }
        Err(error) => {
            let mut report = Report::from(error);
            if report.kind.shell_code().is_some() && !removes_itself {
                // The container stays, and with it what its files say.
                let cause = why::why_not_run(environment, id.as_str());
                report.hint = report.hint.or_else(|| cause.map(|cause| cause.message));
            }
            if report.kind.shell_code().is_some() && !removes_itself {
                cidfile.keep();
            }
            Err(report)
        }
    }
}
