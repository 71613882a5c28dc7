//! `rc image tree`.

use crate::cmd::Ctx;
use crate::engine::{self, Layered};
use crate::error::{Error, Exit};
use crate::image::local::LocalImage;
use crate::ui::{self, Output};
use crate::view::human;

/// Print the layers of an image as a tree
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show the images that are built on the image instead of its layers
    #[arg(long)]
    whatrequires: bool,
    /// The image's name or ID
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let Layered { image, sizes } = engine::layered(&ctx.engine, &args.image)?;
    let mut out = ui::out();
    out.line(format_args!("Image ID: {}", image.id.short()))?;
    out.line(format_args!("Tags:     {}", names(&image)))?;
    out.line(format_args!("Size:     {}", human::size(sizes.iter().sum())))?;
    let lines: Vec<String> = if args.whatrequires {
        let images = engine::images_on(&ctx.engine, &image)?;
        images.iter().map(|other| format!("ID: {} {}", other.id.short(), names(other))).collect()
    } else {
        let tops = engine::tops(&ctx.engine, &image)?;
        let layers = image.layers.iter().zip(&sizes).zip(&tops);
        let line = |((layer, size), top): ((&crate::image::local::Layer, &u64), &Vec<String>)| {
            let top = if top.is_empty() { String::new() } else { format!(" Top Layer of: [{}]", top.join(" ")) };
            format!("ID: {} Size: {:>7}{top}", layer.diff_id.short(), human::size(*size))
        };
        layers.map(line).collect()
    };
    out.line(if args.whatrequires { "Images on it" } else { "Image Layers" })?;
    branches(&mut out, &lines)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

fn names(image: &LocalImage) -> String {
    format!("[{}]", image.names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

fn branches(out: &mut Output, lines: &[String]) -> Result<(), Error> {
    for (number, line) in lines.iter().enumerate() {
        let branch = if number + 1 == lines.len() { "└──" } else { "├──" };
        out.line(format_args!("{branch} {line}"))?;
    }
    Ok(())
}
