//! How a build that has failed says so.

use super::kept::keep;
use crate::build::dockerfile::source::{Problem, Source};
use crate::cmd::Ctx;
use crate::engine::{BuildFailed, BuildRequest, StepTitle};
use crate::error::{Error, Exit};
use crate::types::{Report, ReportKind};
use crate::ui::{self, Stream};
use crate::view::dockerfile as view;

/// Prints what is wrong in a Dockerfile.
pub(super) fn wrong(source: &Source, problems: &[Problem]) -> Error {
    view::problems(source, problems).iter().for_each(ui::note);
    let count = problems.len();
    let errors = if count == 1 { "an error".to_owned() } else { format!("{count} errors") };
    Report::new(ReportKind::Invalid, format!("`{}` has {errors}", source.name())).into()
}

/// Prints a failure after the lines of the Dockerfile that it is about. A build whose command has failed exits with the
/// command's code, as podman's.
pub(super) fn failure(ctx: &Ctx, source: &Source, request: &BuildRequest, failed: BuildFailed) -> Result<Exit, Error> {
    let show = |span| view::instruction(source, span).iter().for_each(ui::note);
    match failed {
        BuildFailed::Problems(problems) => Err(wrong(source, &problems)),
        BuildFailed::Command { span, step, code, kept } => {
            show(span);
            let StepTitle { stage, number, of, text } = &step;
            let line = text.lines().next().unwrap_or_default();
            let message = format!("`{line}` ended with exit code {code} ({stage}, step {number} of {of})");
            let hint = hint(code).or_else(|| (kept.is_none() && ui::is_screen(Stream::Err)).then_some(SHELL));
            ui::error(message, hint, None);
            if let Some(image) = &kept {
                keep(ctx, image, request)?;
            }
            Ok(Exit::of_program(code))
        }
        BuildFailed::Step { span, report } => {
            show(span);
            Err(report.into())
        }
        BuildFailed::Report(report) => Err(report.into()),
    }
}

/// What to do about a failure, on a terminal.
const SHELL: &str = "rc build --on-error=shell opens a shell in this step";

/// What the codes of a shell say. Source: POSIX, "Exit Status for Commands".
fn hint(code: i32) -> Option<&'static str> {
    match code {
        126 => Some("a file was found that cannot be executed: is it a program, for this architecture, with mode +x?"),
        127 => Some("a command was not found: is it in the image, and in a directory of PATH?"),
        137 => Some("a program was killed: by SIGKILL, perhaps for want of memory"),
        _ => None,
    }
}
