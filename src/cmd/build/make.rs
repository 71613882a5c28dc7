//! `rc build`: the build itself.

use std::path::{Path, PathBuf};

use super::delivery::Delivery;
use super::failure::{failure, wrong};
use super::journal::Journal;
use super::platform::each;
use super::progress::build;
use super::shown::OnError;
use super::{Args, explain};
use crate::build::dockerfile::file::Dockerfile;
use crate::build::dockerfile::source::Source;
use crate::build::ssh::SshAgent;
use crate::cmd::Ctx;
use crate::engine::{self, BuildRequest, CheckBuild, Made, ReadBuild};
use crate::error::{Error, Exit};
use crate::plan::PullPolicy;
use crate::ui::{self, Style};
use crate::view::dockerfile as view;

/// Builds, and prints the image's ID; with `--explain`, prints what the cache has.
pub(super) fn run(ctx: &Ctx, args: Args, read: CheckBuild) -> Result<Exit, Error> {
    args.accepted.check(ctx)?;
    let mut names = args.result.names();
    let mut outputs = args.output.read(&names, args.result.manifest(), &args.transfer)?;
    args.result.check(&outputs)?;
    names.extend(outputs.names.iter().cloned());
    args.shown.check()?;
    let platforms = args.platform.all();
    outputs.check_platforms(&platforms)?;
    let caller = ctx.caller()?;
    let found = engine::read_build(&ctx.engine, &caller, &read)?;
    let ReadBuild { source, ignore, inputs, context, is_fetched, warnings, scratch } = found;
    warnings.iter().for_each(ui::warning);
    let mut file = match Dockerfile::read(&source) {
        Ok(file) => file,
        Err(problems) => return Err(wrong(&source, &problems)),
    };
    args.image.apply(&mut file, &caller)?;
    let logged_all = args.shown.log()?;
    let style = args.shown.style(args.steps.stdin);
    let of_caller = caller.environment.iter().find(|(name, _)| name == "SOURCE_DATE_EPOCH");
    let of_caller = inputs.arguments.get("SOURCE_DATE_EPOCH").or(of_caller.map(|(_, value)| value));
    let (epoch, rewrites_times) = args.result.times(of_caller.map(String::as_str), outputs.rewrites_times)?;
    let pull = if args.explain.is_some() { PullPolicy::Never } else { args.pull.unwrap_or_default() };
    let mut request = BuildRequest {
        epoch,
        rewrites_times,
        secrets: read.secrets,
        named: read.named,
        input: read.input,
        is_fetched,
        changes: args.image.changes(ctx.dialect),
        layer_labels: args.image.layer_labels(),
        stdin: args.steps.input()?,
        pull,
        file,
        inputs,
        place: place(args.context.as_deref().filter(|_| is_fetched), context.as_deref(), source.name()),
        is_watched: style == Style::Terminal,
        context,
        ignore,
        oldest: args.caches.oldest(),
        cache_from: args.caches.from,
        cache_to: args.caches.to,
        names: names.clone(),
        number: None,
        no_cache: args.no_cache || !args.output.has_cache(),
        squash: args.output.squash(),
        is_stored: outputs.is_stored,
        annotations: outputs.annotations.clone(),
        format: args.image.format().or(outputs.format),
        keeps_failed: args.shown.on_error == Some(OnError::Keep),
        exports: std::mem::take(&mut outputs.exports),
        agents: args.agents.iter().map(|typed| SshAgent::new(typed)).collect::<Result<_, _>>()?,
        asked: args.steps.request()?,
        tls_verify: args.transfer.tls_verify(),
        registry: args.transfer.request(),
        platform: None,
        no_cache_stages: args.no_cache_stages,
        add_hosts: args.add_hosts,
        jobs: args.jobs,
        network: args.network,
        allowed: args.allowed,
    };
    request.check()?;
    if let Some(how) = args.explain {
        request.set_platform(platforms.into_iter().next());
        return explain::run(ctx, caller, &source, &request, how);
    }
    let mut journal = Journal::default();
    let mut images = Vec::new();
    let mut first = Some(caller);
    for platform in each(&platforms, &mut request)? {
        request.number = (platforms.len() > 1).then_some(images.len());
        let caller = first.take().map_or_else(|| ctx.caller(), Ok)?;
        let logged = args.shown.log_of(platform.as_ref(), &platforms)?;
        request.set_platform(platform);
        let made = match build(ctx, caller, &request, (style, args.shown.on_error), &mut journal) {
            Ok(made) => made,
            Err(failed) => {
                drop(scratch);
                drop((logged, logged_all));
                let swept = engine::sweep(&ctx.engine);
                let exit = failure(ctx, &source, &request, failed)?;
                return swept.map(|_| exit).map_err(Error::from);
            }
        };
        if images.is_empty() {
            warn(&source, &made);
        }
        images.push(made.image);
    }
    // What was fetched for this build goes before the rest is swept.
    drop(scratch);
    engine::sweep(&ctx.engine)?;
    let is_quiet = matches!(style, Style::Quiet | Style::Raw);
    let delivery = Delivery::make(ctx, images, &names, &outputs, args.result.manifest(), is_quiet)?;
    drop(logged_all);
    args.result.deliver(ctx, &delivery, &journal, outputs.is_streamed)?;
    Ok(Exit::SUCCESS)
}

/// Says what is doubtful.
fn warn(source: &Source, made: &Made) {
    made.warnings.iter().for_each(|warning| ui::warning(view::warning(source, warning)));
    made.unused.iter().for_each(|name| ui::warning(format_args!("the build argument `{name}` is not used")));
}

/// What a Dockerfile is found by: a build of it is compared with the last one. What was fetched is at another place
/// each time, so it is found by what was typed.
fn place(typed: Option<&str>, context: Option<&Path>, dockerfile: &str) -> String {
    let context = typed.map(Path::new).or(context).unwrap_or(Path::new("-"));
    // `a/.` and `a` are one.
    format!("{}\0{dockerfile}", context.components().collect::<PathBuf>().display())
}
