//! `rc secret create`.

use std::collections::BTreeMap;
use std::io::Read as _;

use crate::cmd::Ctx;
use crate::engine::{self, NewSecret};
use crate::error::{Error, Exit};
use crate::sys::fs::{self, AtPath as _};
use crate::types::Report;
use crate::ui;

/// The most that is read, in bytes: more than a secret may have.
const MOST: u64 = 1 << 20;

/// Create a secret
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The driver: only `file`
    #[arg(short, long, value_name = "DRIVER", default_value = "file", hide_default_value = true)]
    driver: String,
    /// Options of the driver (refused: `file` has none)
    #[arg(long, value_name = "NAME=VALUE")]
    driver_opts: Vec<String>,
    /// Read the value from the environment variable that SOURCE names
    #[arg(long)]
    env: bool,
    /// If a secret with the same name exists, keep it, and do not fail
    #[arg(long, conflicts_with = "replace")]
    ignore: bool,
    /// Set a label: NAME[=VALUE]
    #[arg(short, long = "label", value_name = "LABEL", value_delimiter = ',')]
    labels: Vec<String>,
    /// If a secret with the same name exists, replace it
    #[arg(long)]
    replace: bool,
    /// The secret's name
    #[arg(value_name = "NAME")]
    name: String,
    /// A file with the value, or - for standard input
    #[arg(value_name = "SOURCE", allow_hyphen_values = true)]
    source: String,
}

/// Runs the command: prints the ID.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    if args.driver != "file" {
        let message = format!("the secret driver `{}` is not supported", args.driver);
        return Err(Error::new(message).with_hint("use `file`: rc runs no other program for secrets"));
    }
    if !args.driver_opts.is_empty() {
        return Err(Error::new("--driver-opts is not supported: the driver `file` has no options"));
    }
    let label = |word: &String| match word.split_once('=').unwrap_or((word, "")) {
        ("", _) => Err(Error::new(format!("invalid label `{word}`: must have a name"))),
        (name, value) => Ok((name.to_owned(), value.to_owned())),
    };
    let labels: BTreeMap<_, _> = args.labels.iter().map(label).collect::<Result<_, _>>()?;
    let value = value(&args)?;
    let new = NewSecret { name: args.name, value, labels, replace: args.replace, ignore: args.ignore };
    let id = engine::create_secret(&ctx.engine, new)?;
    let mut out = ui::out();
    out.line(id)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

fn value(args: &Args) -> Result<Vec<u8>, Error> {
    use std::os::unix::ffi::OsStringExt as _;
    if args.env {
        let missing = || Error::new(format!("the environment variable `{}` is not set", args.source));
        return Ok(std::env::var_os(&args.source).ok_or_else(missing)?.into_vec());
    }
    if args.source == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(MOST).read_to_end(&mut bytes).at("read", "standard input");
        return Ok(read.map(|_| bytes).map_err(Report::from)?);
    }
    Ok(fs::read_limited(&args.source, MOST).map_err(Report::from)?)
}
