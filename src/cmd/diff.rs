//! `rc diff`.

use serde_json::json;

use super::Ctx;
use crate::engine::{self, Change, ChangeKind, Selection};
use crate::error::{Error, Exit};
use crate::ui::{self, format, json};

/// Show what a container has changed in the files of its image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change the output format: json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Its name, ID or unique prefix of an ID
    #[arg(value_name = "CONTAINER")]
    container: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let as_json = match args.format.as_deref() {
        None => false,
        Some("json") => true,
        Some(other) => return Err(Error::new(format!("invalid format `{other}`: only json is supported"))),
    };
    let names = args.container.into_iter().collect();
    let selection = Selection { names, latest: args.latest, ..Selection::default() };
    let mut out = ui::out();
    for name in engine::named(&ctx.engine, &selection)? {
        let changes = engine::changes(&ctx.engine, &name)?;
        if as_json {
            out.raw((json::pretty(&object(&changes)).map_err(format::Error::from)? + "\n").as_bytes())?;
        } else {
            for change in &changes {
                let letter = match change.kind {
                    ChangeKind::Added => 'A',
                    ChangeKind::Changed => 'C',
                    ChangeKind::Deleted => 'D',
                };
                out.line(format_args!("{letter} {}", String::from_utf8_lossy(&change.path)))?;
            }
        }
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}

/// podman's object: a list of paths for each kind of change, if there are any.
fn object(changes: &[Change]) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for (name, kind) in
        [("changed", ChangeKind::Changed), ("added", ChangeKind::Added), ("deleted", ChangeKind::Deleted)]
    {
        let of_kind = changes.iter().filter(|change| change.kind == kind);
        let paths: Vec<_> = of_kind.map(|change| String::from_utf8_lossy(&change.path)).collect();
        if !paths.is_empty() {
            object.insert(name.to_owned(), json!(paths));
        }
    }
    object.into()
}
