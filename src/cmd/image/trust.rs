//! `rc image trust`.

use serde_json::json;

use crate::cmd::Ctx;
use crate::engine::{self, Verdict};
use crate::error::{Error, Exit};
use crate::ui::{self, Format, Table};

/// Show or set which images may be pulled and loaded
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Set what is done with images of a registry, or of a part of it
    Set(Set),
    /// Show what is done with images
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Set {
    /// What is done: accept or reject (signatures are not verified)
    #[arg(short = 't', long = "type", value_name = "TYPE", hide_possible_values = true)]
    kind: Kind,
    /// The registry, or a part of it: HOST[:PORT][/REPOSITORY], or default
    #[arg(value_name = "SCOPE")]
    scope: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Accept,
    Reject,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Print JSON
    #[arg(short, long)]
    json: bool,
    /// Do not print the headings
    #[arg(short, long)]
    noheading: bool,
    /// Print the policy itself
    #[arg(long, conflicts_with = "json")]
    raw: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    match &args.what {
        What::Set(set) => {
            let verdict = match set.kind {
                Kind::Accept => Verdict::Accept,
                Kind::Reject => Verdict::Reject,
            };
            engine::set_trust(&ctx.engine, &set.scope, verdict)?;
        }
        What::Show(how) => show(ctx, how)?,
    }
    Ok(Exit::SUCCESS)
}

fn show(ctx: &Ctx, how: &Show) -> Result<(), Error> {
    let policy = engine::trust(&ctx.engine)?;
    let mut out = ui::out();
    if how.raw {
        out.raw((policy.text().map_err(ui::format::Error::from)? + "\n").as_bytes())?;
    } else if how.json {
        let mut objects = Vec::new();
        for (transport, name, verdict) in policy.rows() {
            let kind = verdict.as_str();
            objects.push(json!({ "transport": transport, "name": name, "repo_name": name, "type": kind }));
        }
        Format::Json.object(&mut out, &objects)?;
    } else {
        let mut table = match how.noheading {
            true => Table::without_headings(),
            false => Table::new(&["TRANSPORT", "NAME", "TYPE"]),
        };
        for (transport, name, verdict) in policy.rows() {
            table.row([transport.as_str(), &name, verdict.as_str()]);
        }
        out.raw(table.render().as_bytes())?;
    }
    out.finish()?;
    Ok(())
}
