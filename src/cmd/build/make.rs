//! `rc build`: the build itself.

use super::{Args, Progress, secret};
use crate::build::dockerfile::file::Dockerfile;
use crate::build::dockerfile::source::Source;
use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::engine::{self, BuildEvent, BuildFailed, BuildRequest, CheckBuild, Outcome, ReadBuild};
use crate::error::{Error, Exit};
use crate::plan::RegistryRequest;
use crate::types::{Report, ReportKind};
use crate::ui::{self, BuildScreen, Style};
use crate::view::dockerfile as view;

/// Builds, and prints the image's ID.
pub(super) fn run(ctx: &Ctx, args: Args, read: &CheckBuild, has_context: bool) -> Result<Exit, Error> {
    args.accepted.check()?;
    args.result.check()?;
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
    let of_caller = caller.environment.iter().find(|(name, _)| name == "SOURCE_DATE_EPOCH");
    let of_caller = inputs.arguments.get("SOURCE_DATE_EPOCH").or(of_caller.map(|(_, value)| value));
    let (epoch, rewrites_times) = args.result.times(of_caller.map(String::as_str))?;
    let request = BuildRequest {
        epoch,
        rewrites_times,
        secrets: args.secrets.iter().map(|typed| secret::read(typed)).collect::<Result<_, _>>()?,
        labels: args.result.labels(),
        pull: args.pull.unwrap_or_default(),
        file,
        inputs,
        context: has_context.then_some(context),
        ignore,
        names: args.result.names(),
        no_cache: args.no_cache,
        tls_verify: args.registry.tls_verify,
        registry: RegistryRequest {
            authfile: args.registry.authfile.clone(),
            cert_dir: args.registry.cert_dir.clone(),
            ..RegistryRequest::default()
        },
        platform: args.platform.as_ref().map(ToString::to_string),
        no_cache_stages: args.no_cache_stages,
        add_hosts: args.add_hosts,
        jobs: args.jobs,
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
    let made = match made {
        Ok(made) => made,
        Err(failed) => return failure(&source, failed),
    };
    for warning in &made.warnings {
        ui::warning(view::warning(&source, warning));
    }
    for name in &made.unused {
        ui::warning(format_args!("the build argument `{name}` is not used"));
    }
    swept?;
    args.result.deliver(ctx, &made, &args.registry, style == Style::Quiet)?;
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
