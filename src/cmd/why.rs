//! `rc why`.

use serde_json::json;

use super::Ctx;
use crate::engine::{self, Selection, Why};
use crate::error::{Error, Exit};
use crate::ui::{self, Output, format};
use crate::view::human;

/// Explain why a container has ended, or does not start
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let selection = Selection { names: args.containers.clone(), latest: args.latest, ..Selection::default() };
    let names = engine::named(&ctx.engine, &selection)?;
    let all = names.iter().map(|name| engine::why(&ctx.engine, name)).collect::<Result<Vec<_>, _>>()?;
    let mut out = ui::out();
    if args.json {
        let objects: Vec<_> = all.iter().map(object).collect();
        out.raw((ui::json::pretty(&objects).map_err(format::Error::from)? + "\n").as_bytes())?;
    } else {
        all.iter().try_for_each(|why| show(&mut out, why, ctx))?;
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}

fn show(out: &mut Output, why: &Why, ctx: &Ctx) -> Result<(), Error> {
    let container = &why.container;
    let status = human::status(&container.state, container.status, ctx.engine.clock().now);
    out.line(format_args!("{}: {status}", container.config.name))?;
    for cause in &why.causes {
        out.line(format_args!("  {}", cause.message))?;
        if let Some(hint) = &cause.hint {
            out.line(format_args!("  hint: {hint}"))?;
        }
    }
    Ok(())
}

fn object(why: &Why) -> serde_json::Value {
    let container = &why.container;
    json!({
        "Id": container.config.id,
        "Name": container.config.name,
        "Status": container.status.as_str(),
        "ExitCode": container.state.exit.as_ref().map(|exit| exit.code),
        "Causes": why.causes.iter().map(|cause| json!({
            "Kind": cause.kind,
            "Message": cause.message,
            "Hint": cause.hint,
        })).collect::<Vec<_>>(),
    })
}
