//! `rc manifest inspect`.

use super::adding;
use crate::cmd::Ctx;
use crate::cmd::args::{RegistryArgs, Secret};
use crate::engine::{self, Described, Marks};
use crate::error::{Error, Exit};
use crate::types::{ReportKind, json as reading};
use crate::ui::{self, format, json};

/// Print a list of images, or the manifest that a registry has
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Credentials to use for accessing the registry: USER:PASSWORD
    #[arg(long, value_name = "CREDENTIALS")]
    creds: Option<Secret>,
    /// As --tls-verify=false
    #[arg(long)]
    insecure: bool,
    /// Print each image of the list with its manifest, as docker does
    #[arg(short, long)]
    verbose: bool,
    /// The list's name or ID, or the name of an image in a registry
    #[arg(value_name = "LIST")]
    list: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut how = adding(&args.registry, args.creds.as_ref(), true, Marks::default())?;
    if args.insecure {
        how.connection.tls_verify = Some(false);
    }
    if args.verbose {
        return show(match engine::described_list(&ctx.engine, &args.list, &how)? {
            Described::Image(image) => json::pretty(&image),
            Described::List(images) => json::pretty(&images),
        });
    }
    let text = match engine::find_list(&ctx.engine, &args.list) {
        Ok(list) => json::pretty(&list.document),
        Err(report) if matches!(report.kind, ReportKind::NotFound(_)) => {
            let name = args.list.strip_prefix("docker://").unwrap_or(&args.list);
            let bytes = engine::remote_document(&ctx.engine, name, &how)?;
            let document: serde_json::Value = reading::from_slice(&bytes).map_err(format::Error::from)?;
            json::pretty(&document)
        }
        Err(report) => return Err(report.into()),
    };
    show(text)
}

fn show(text: Result<String, serde_json::Error>) -> Result<Exit, Error> {
    let mut out = ui::out();
    out.raw((text.map_err(format::Error::from)? + "\n").as_bytes())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
