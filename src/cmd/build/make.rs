//! `rc build`: the build itself.

use super::{Args, Progress};
use crate::build::dockerfile::file::Dockerfile;
use crate::build::dockerfile::source::Source;
use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::engine::{self, BuildEvent, BuildFailed, BuildRequest, BuildSecret, CheckBuild, Made, Outcome, ReadBuild};
use crate::error::{Error, Exit};
use crate::sys::{fs, replacement};
use crate::types::{Dialect, Report, ReportKind};
use crate::ui::{self, BuildScreen, Style};
use crate::view::dockerfile as view;

/// The most bytes of a secret. Source: BuildKit, `MaxSecretSize`.
const SECRET_LIMIT: u64 = 500 << 10;

/// Builds, and prints the image's ID.
pub(super) fn run(ctx: &Ctx, args: Args, read: &CheckBuild, has_context: bool) -> Result<Exit, Error> {
    let caller = ctx.caller()?;
    let ReadBuild { source, ignore, inputs, context } = engine::read_build(&caller, read)?;
    let file = match Dockerfile::read(&source) {
        Ok(file) => file,
        Err(problems) => return Err(wrong(&source, &problems)),
    };
    let style = match (args.quiet, args.progress) {
        (true, _) | (_, Progress::Quiet) => Style::Quiet,
        (_, Progress::Auto) => Style::Auto,
        (_, Progress::Tty) => Style::Terminal,
        (_, Progress::Plain) => Style::Plain,
    };
    let request = BuildRequest {
        secrets: args.secrets.iter().map(|typed| secret(typed)).collect::<Result<_, _>>()?,
        labels: args.labels.iter().map(|typed| pair(typed)).collect(),
        pull: args.pull.unwrap_or_default(),
        file,
        inputs,
        context: has_context.then_some(context),
        ignore,
        names: args.names,
        no_cache: args.no_cache,
        tls_verify: None,
        network: args.network,
        allowed: args.allowed,
    };
    let mut screen = BuildScreen::new(style);
    let mut observer = Screen::for_pull(style == Style::Quiet);
    let mut tell = |index: usize, event: BuildEvent<'_>| match event {
        BuildEvent::Begun { stage, number, of, text } => screen.begin(index, stage, number, of, text),
        BuildEvent::Output { stream, bytes } => screen.output(index, stream == engine::Stream::Err, bytes),
        BuildEvent::Ended(outcome) => screen.end(index, outcome == Outcome::Cached),
    };
    let made = engine::build(&ctx.engine, caller, &request, &mut observer, &mut tell);
    if made.is_err() {
        screen.fail();
    }
    drop(screen);
    let swept = engine::sweep(&ctx.engine);
    let Made { id, warnings, unused } = match made {
        Ok(made) => made,
        Err(failed) => return failure(&source, failed),
    };
    for warning in &warnings {
        ui::warning(view::warning(&source, warning));
    }
    for name in unused {
        ui::warning(format_args!("the build argument `{name}` is not used"));
    }
    if let Some(path) = &args.iidfile {
        replacement::replace_named(path, id.to_string().as_bytes())?;
    }
    let mut out = ui::out();
    if ctx.dialect == Dialect::Docker {
        out.line(&id)?
    } else {
        out.line(id.hex())?
    }
    out.finish()?;
    swept?;
    Ok(Exit::SUCCESS)
}

fn wrong(source: &Source, problems: &[crate::build::dockerfile::source::Problem]) -> Error {
    view::problems(source, problems).iter().for_each(ui::note);
    let count = problems.len();
    let errors = if count == 1 { "an error".to_owned() } else { format!("{count} errors") };
    Report::new(ReportKind::Invalid, format!("`{}` has {errors}", source.name())).into()
}

/// Prints a failure after the lines of the Dockerfile that it is about. A build whose command has failed exits with the
/// command's code, as podman's.
fn failure(source: &Source, failed: BuildFailed) -> Result<Exit, Error> {
    let show = |span| view::instruction(source, span).iter().for_each(ui::note);
    match failed {
        BuildFailed::Problems(problems) => Err(wrong(source, &problems)),
        BuildFailed::Command { span, shown, code } => {
            show(span);
            ui::error(format_args!("`{}` ended with exit code {code}", first_line(&shown)), None, None);
            Ok(Exit::of_program(code))
        }
        BuildFailed::Step { span, report } => {
            show(span);
            Err(report.into())
        }
        BuildFailed::Report(report) => Err(report.into()),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// `NAME=VALUE`, or a name with an empty value.
fn pair(typed: &str) -> (String, String) {
    let (name, value) = typed.split_once('=').unwrap_or((typed, ""));
    (name.to_owned(), value.to_owned())
}

/// Reads `id=NAME,src=FILE`, `id=NAME,env=VARIABLE` or `id=NAME`, and the secret itself.
fn secret(typed: &str) -> Result<BuildSecret, Error> {
    let wrong = |reason: &str| {
        Error::new(format!("`--secret {}`: {reason}", typed.escape_debug())).with_hint("write id=NAME,src=FILE")
    };
    let (mut id, mut path, mut variable, mut kind) = (None, None, None, None);
    for field in typed.split(',') {
        match field.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => path = Some(value.to_owned()),
            Some(("env", value)) => variable = Some(value.to_owned()),
            Some(("type", value)) => kind = Some(value.to_owned()),
            _ => return Err(wrong("it has fields id, src, env and type")),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| wrong("it has no id"))?;
    let from_variable = match (kind.as_deref(), &path, variable) {
        (Some("env"), _, None) => Some(path.clone().unwrap_or_else(|| id.clone())),
        (None | Some("env"), None, Some(variable)) => Some(variable),
        (None, None, None) if std::env::var_os(&id).is_some() => Some(id.clone()),
        (None | Some("file"), _, None) => None,
        _ => return Err(wrong("it comes from a file or from a variable")),
    };
    let value = match from_variable {
        Some(name) => {
            use std::os::unix::ffi::OsStringExt as _;
            std::env::var_os(&name).ok_or_else(|| wrong(&format!("there is no variable `{name}`")))?.into_vec()
        }
        None => fs::read_limited(path.as_deref().unwrap_or(&id), SECRET_LIMIT)?,
    };
    Ok(BuildSecret { id, value })
}
