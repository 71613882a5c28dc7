//! The progress of `rc build` on the screen.

use super::journal::Journal;
use super::shown::OnError;
use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::console::Console;
use crate::container::Started;
use crate::engine::{self, BuildDebugger, BuildEvent, BuildFailed, BuildRequest, Caller, Made, Outcome, StepTitle};
use crate::types::{Report, ReportKind};
use crate::ui::{BuildScreen, StepLabel, Style};

/// Builds, and shows how it goes.
pub(super) fn build(
    ctx: &Ctx,
    caller: Caller,
    request: &BuildRequest,
    (style, on_error): (Style, Option<OnError>),
    journal: &mut Journal,
) -> Result<Made, BuildFailed> {
    let follow = |started: Started| match CONSOLE.follow(started) {
        Ok(_) => Ok(()),
        Err(error) => Err(Report::new(ReportKind::Internal, error.to_string())),
    };
    let has_shell = on_error == Some(OnError::Shell);
    let debugger = has_shell.then(|| BuildDebugger { front_end: CONSOLE.front_end(true), follow: &follow });
    let mut screen = BuildScreen::new(style);
    let mut observer = Screen::for_pull(matches!(style, Style::Quiet | Style::Raw));
    let mut tell = |index: usize, event: BuildEvent<'_>| {
        journal.note(index, event);
        match event {
            BuildEvent::Begun(title) => screen.begin(index, label(title)),
            BuildEvent::Missed(reason) => screen.note(index, &format!("not cached: {reason}")),
            BuildEvent::Noted(text) => screen.note(index, text),
            BuildEvent::Output { stream, bytes } => screen.output(index, stream == engine::Stream::Err, bytes),
            BuildEvent::Ended(outcome) => screen.end(index, outcome == Outcome::Cached),
            BuildEvent::Tick => screen.tick(),
        }
    };
    let made = engine::build(&ctx.engine, caller, request, debugger.as_ref(), &mut observer, &mut tell);
    match &made {
        Ok(_) => screen.finish(),
        Err(BuildFailed::Command { step, code, .. }) => screen.fail(Some(label(step)), &format!("exit code {code}")),
        Err(BuildFailed::Step { report, .. } | BuildFailed::Report(report)) => screen.fail(None, &report.message),
        Err(BuildFailed::Problems(_)) => screen.fail(None, "the Dockerfile is wrong"),
    }
    made
}

/// This process, attached to a shell in a step that has failed.
const CONSOLE: Console = Console::Joined { proxy_signals: true };

fn label(title: &StepTitle) -> StepLabel<'_> {
    StepLabel { stage: &title.stage, number: title.number, of: title.of, text: &title.text }
}
