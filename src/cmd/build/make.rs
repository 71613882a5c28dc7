//! `rc build`: the build itself.

use std::path::{Path, PathBuf};

use super::failure::{failure, wrong};
use super::journal::Journal;
use super::progress::build;
use super::{Args, explain};
use crate::build::dockerfile::file::Dockerfile;
use crate::build::ssh::SshAgent;
use crate::cmd::Ctx;
use crate::engine::{self, BuildRequest, CheckBuild, ReadBuild};
use crate::error::{Error, Exit};
use crate::plan::{PullPolicy, RegistryRequest};
use crate::ui::{self, Style};
use crate::view::dockerfile as view;

/// Builds, and prints the image's ID; with `--explain`, prints what the cache has.
pub(super) fn run(ctx: &Ctx, args: Args, read: CheckBuild) -> Result<Exit, Error> {
    args.accepted.check()?;
    let mut names = args.result.names();
    let mut outputs = args.output.read(&names, &args.registry)?;
    args.result.check(&outputs)?;
    names.extend(outputs.names.iter().cloned());
    args.shown.check()?;
    let caller = ctx.caller()?;
    let found = engine::read_build(&ctx.engine, &caller, &read)?;
    let ReadBuild { source, ignore, inputs, context, is_fetched, warnings, scratch } = found;
    warnings.iter().for_each(ui::warning);
    let file = match Dockerfile::read(&source) {
        Ok(file) => file,
        Err(problems) => return Err(wrong(&source, &problems)),
    };
    let style = args.shown.style();
    let of_caller = caller.environment.iter().find(|(name, _)| name == "SOURCE_DATE_EPOCH");
    let of_caller = inputs.arguments.get("SOURCE_DATE_EPOCH").or(of_caller.map(|(_, value)| value));
    let (epoch, rewrites_times) = args.result.times(of_caller.map(String::as_str), outputs.rewrites_times)?;
    // What was fetched is at another place each time.
    let place_of = match (&args.context, &context) {
        (Some(typed), _) if is_fetched => Path::new(typed),
        (_, Some(context)) => context,
        (_, None) => Path::new("-"),
    };
    let pull = if args.explain.is_some() { PullPolicy::Never } else { args.pull.unwrap_or_default() };
    let request = BuildRequest {
        epoch,
        rewrites_times,
        secrets: read.secrets,
        named: read.named,
        input: read.input,
        is_fetched,
        labels: args.result.labels(),
        pull,
        file,
        inputs,
        place: place(place_of, source.name()),
        is_watched: style == Style::Terminal,
        context,
        ignore,
        cache_from: args.caches.from,
        cache_to: args.caches.to,
        names: names.clone(),
        no_cache: args.no_cache || !args.output.has_cache(),
        squash: args.output.squash(),
        is_stored: outputs.is_stored,
        annotations: outputs.annotations.clone(),
        exports: std::mem::take(&mut outputs.exports),
        agents: args.agents.iter().map(|typed| SshAgent::new(typed)).collect::<Result<_, _>>()?,
        asked: args.steps.request()?,
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
    if let Some(how) = args.explain {
        return explain::run(ctx, caller, &source, &request, how);
    }
    let mut journal = Journal::default();
    let made = build(ctx, caller, &request, (style, args.shown.on_error), &mut journal);
    // What was fetched for this build goes before the rest is swept.
    drop(scratch);
    let swept = engine::sweep(&ctx.engine);
    let made = match made {
        Ok(made) => made,
        Err(failed) => return failure(&source, failed),
    };
    for warning in &made.warnings {
        ui::warning(view::warning(&source, warning));
    }
    made.unused.iter().for_each(|name| ui::warning(format_args!("the build argument `{name}` is not used")));
    swept?;
    if let Some((id, _)) = &made.image {
        outputs.deliver(ctx, id.hex(), &names, matches!(style, Style::Quiet | Style::Raw))?;
    }
    args.result.deliver(ctx, &made, &journal, &names, outputs.is_streamed)?;
    Ok(Exit::SUCCESS)
}

/// What a Dockerfile is found by: a build of it is compared with the last one.
fn place(context: &Path, dockerfile: &str) -> String {
    // `a/.` and `a` are one.
    format!("{}\0{dockerfile}", context.components().collect::<PathBuf>().display())
}
