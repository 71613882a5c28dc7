//! `rc buildx imagetools`: what a registry has under a name, and lists of that. Source:
//! docker-buildx-imagetools-inspect(1), docker-buildx-imagetools-create(1).

mod create;

use std::path::PathBuf;

use crate::cmd::Ctx;
use crate::cmd::args::RegistryArgs;
use crate::engine::{self, AddToList};
use crate::error::{Error, Exit};
use crate::types::ImageReference;
use crate::ui;
use crate::view::remote_image::as_in_json;

/// Show what registries have, or make a list of it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Add an annotation to the list: index:NAME=VALUE, or manifest-descriptor[OS/ARCH]:NAME=VALUE (create)
    #[arg(long = "annotation", value_name = "ANNOTATION")]
    annotations: Vec<String>,
    /// Add to what has the first --tag by now (create)
    #[arg(long)]
    append: bool,
    /// Name the builder: default, or a name that `buildx create` has given it
    #[arg(long, value_name = "NAME")]
    builder: Option<String>,
    /// Print the list, and push nothing (create)
    #[arg(long)]
    dry_run: bool,
    /// Read a source from the file: a name, a digest, or a descriptor as JSON (create)
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change the output format to JSON or a Go template, which sees Name, Manifest and Image
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Make a list of a single image, too; false leaves it as it is (create; default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    prefer_index: Option<bool>,
    /// Print the names that are pushed (create): tty and plain do, auto, none and quiet do not
    #[arg(long, value_name = "STYLE", hide_possible_values = true)]
    progress: Option<Progress>,
    /// Print the manifest, or the list, as it is there
    #[arg(long)]
    raw: bool,
    /// Push the list under this name (create)
    #[arg(short, long = "tag", value_name = "NAME")]
    tags: Vec<ImageReference>,
    /// What is done: inspect or create
    #[arg(value_name = "ACTION", hide_possible_values = true)]
    action: Action,
    /// The name of an image, or of a list of images; of create also a digest, or a descriptor as JSON
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// How it is shown what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Progress {
    /// As it fits a command that takes no time: not at all.
    Auto,
    /// On a terminal.
    Tty,
    /// By lines.
    Plain,
    /// As BuildKit's status, in JSON.
    Rawjson,
    /// Not at all.
    None,
    /// As `build` calls that.
    Quiet,
}

/// The commands of imagetools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Action {
    /// Shows what is there.
    Inspect,
    /// Makes a list.
    Create,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if args.builder.is_some() {
        engine::builder(&ctx.engine, args.builder.as_deref())?;
    }
    match args.action {
        Action::Inspect => inspect(ctx, args),
        Action::Create => create::run(ctx, args),
    }
}

/// Shows what is there.
fn inspect(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    for (is_given, option) in [
        (!args.annotations.is_empty(), "--annotation"),
        (args.append, "--append"),
        (args.dry_run, "--dry-run"),
        (!args.files.is_empty(), "--file"),
        (args.prefer_index.is_some(), "--prefer-index"),
        (args.progress.is_some(), "--progress"),
        (!args.tags.is_empty(), "--tag"),
    ] {
        if is_given {
            return Err(Error::new(format!("`imagetools inspect` has no option `{option}`: `create` has")));
        }
    }
    let [name] = args.names.as_slice() else { return Err(Error::new("`imagetools inspect` needs one name")) };
    let how = AddToList { connection: args.registry.connection(), ..AddToList::default() };
    let image = engine::remote_image(&ctx.engine, name, &how)?;
    let mut out = ui::out();
    match ctx.format(args.format.as_deref().map(as_in_json).as_deref()) {
        _ if args.raw => out.raw(&image.bytes)?,
        None => image.lines().into_iter().try_for_each(|line| out.line(line))?,
        Some(format) => {
            // Asking for the configurations takes a request for each image.
            let typed = args.format.as_deref().unwrap_or_default();
            let is_asked = typed.contains(".Image") || !typed.contains(".Manifest");
            let configurations = || engine::remote_configurations(&ctx.engine, name, &image, &how);
            let data = image.object(is_asked.then(configurations).transpose()?);
            format.object(&mut out, &data)?;
        }
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
