//! `rc buildx imagetools`: what a registry has under a name. Source: docker-buildx-imagetools-inspect(1).

use crate::cmd::Ctx;
use crate::cmd::args::RegistryArgs;
use crate::engine::{self, AddToList};
use crate::error::{Error, Exit};
use crate::ui;
use crate::view::remote_image::as_in_json;

/// Show what a registry has under a name
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Change the output format to JSON or a Go template, which sees Name, Manifest and Image
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Print the manifest, or the list, as it is there
    #[arg(long)]
    raw: bool,
    /// Name what `create` makes: it is refused, and says what does the same
    #[arg(short, long = "tag", value_name = "NAME", hide = true)]
    tags: Vec<String>,
    /// What is done: inspect
    #[arg(value_name = "ACTION", hide_possible_values = true)]
    action: Action,
    /// The name of an image, or of a list of images
    #[arg(value_name = "NAME")]
    names: Vec<String>,
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
    if args.action == Action::Create || !args.tags.is_empty() {
        let error = Error::new("`imagetools create`: rc makes lists in the store, and pushes them");
        return Err(error.with_hint("rc manifest create LIST IMAGE..., rc manifest push --all LIST"));
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
