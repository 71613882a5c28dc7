//! `rc volume create`.

use std::collections::BTreeMap;

use crate::cmd::Ctx;
use crate::engine::{self, NewVolume};
use crate::error::{Error, Exit};
use crate::ui;

/// Create a volume
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The driver: only `local`
    #[arg(short, long, value_name = "DRIVER", default_value = "local", hide_default_value = true)]
    driver: String,
    /// Give the volume to this group, an ID of containers
    #[arg(long, value_name = "GID")]
    gid: Option<u32>,
    /// Do not fail if the volume exists
    #[arg(long)]
    ignore: bool,
    /// Set a label: NAME[=VALUE]
    #[arg(short, long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Set an option of the driver: type, device, o=OPTION,..., copy or nocopy
    #[arg(short, long = "opt", value_name = "NAME[=VALUE]")]
    options: Vec<String>,
    /// Give the volume to this user, an ID of containers
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,
    /// The volume's name (default: a random one)
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Runs the command: prints the name.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    if args.driver != "local" {
        let message = format!("the volume driver `{}` is not supported", args.driver);
        return Err(Error::new(message).with_hint("use `local`: rc runs no plugins"));
    }
    let mut options = pairs("option", &args.options)?;
    for (name, id) in [("uid", args.uid), ("gid", args.gid)] {
        let Some(id) = id else { continue };
        let words = options.entry("o".to_owned()).or_default();
        words.push_str(if words.is_empty() { "" } else { "," });
        words.push_str(&format!("{name}={id}"));
    }
    let new = NewVolume { name: args.name, labels: pairs("label", &args.labels)?, options, ignore: args.ignore };
    let name = engine::create_volume(&ctx.engine, new)?;
    engine::sweep_soon(&ctx.engine);
    let mut out = ui::out();
    out.line(&name)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

/// `NAME=VALUE`; without `=` the value is empty.
fn pairs(what: &str, words: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let pair = |word: &String| match word.split_once('=').unwrap_or((word, "")) {
        ("", _) => Err(Error::new(format!("invalid {what} `{word}`: must have a name"))),
        (name, value) => Ok((name.to_owned(), value.to_owned())),
    };
    words.iter().map(pair).collect()
}
