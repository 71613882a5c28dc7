//! `rc manifest push`.

use std::path::PathBuf;

use crate::cmd::Ctx;
use crate::cmd::args::{CompressionArgs, RegistryArgs, Secret, SigningArgs};
use crate::cmd::observer::Screen;
use crate::engine::{self, Push};
use crate::error::{Error, Exit};
use crate::registry::Credentials;
use crate::sys::replacement::replace_named;
use crate::ui;

/// Push a list of images to a registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    compression: CompressionArgs,
    /// Push the images of the list that the store has, too (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    all: Option<bool>,
    /// Credentials to use for accessing the registry: USER:PASSWORD
    #[arg(long, value_name = "CREDENTIALS")]
    creds: Option<Secret>,
    /// Write the digest of the pushed list to the file
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// Type of the list: oci, the only one
    #[arg(short, long, value_name = "FORMAT", value_parser = ["oci"], hide_possible_values = true)]
    format: Option<String>,
    /// As --tls-verify=false
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    signing: SigningArgs,
    /// Suppress output information when pushing
    #[arg(short, long)]
    quiet: bool,
    /// Remove the list from the store if it was pushed
    #[arg(long, visible_alias = "purge", visible_short_alias = 'p')]
    rm: bool,
    /// The list's name or ID
    #[arg(value_name = "LIST")]
    list: String,
    /// Where to: [docker://]REFERENCE (default: LIST)
    #[arg(value_name = "DESTINATION")]
    destination: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut how = Push {
        connection: args.registry.connection(),
        packing: args.compression.packing()?,
        credentials: args.creds.as_ref().map(|Secret(text)| Credentials::parse(text)).transpose()?,
        signer: args.signing.signer(),
        ..Push::default()
    };
    if args.insecure {
        how.connection.tls_verify = Some(false);
    }
    let screen = Screen::for_pull(args.quiet);
    let destination = args.destination.as_deref();
    let pushed = engine::push_list(&ctx.engine, &args.list, destination, &how, args.all != Some(false), &screen)?;
    if let Some(path) = &args.digestfile {
        replace_named(path, pushed.digest.to_string().as_bytes())?;
    }
    if args.rm {
        engine::remove_list(&ctx.engine, &args.list)?;
    }
    if !args.quiet {
        let mut out = ui::out();
        let tag = pushed.reference.tag().unwrap_or_default();
        out.line(format_args!("{tag}: digest: {} size: {}", pushed.digest, pushed.size))?;
        out.finish()?;
    }
    Ok(Exit::SUCCESS)
}
