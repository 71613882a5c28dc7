//! `rc system prune`.

use crate::cmd::Ctx;
use crate::cmd::args::PruneArgs;
use crate::engine::{self, Prune, Pruned, PrunedCache, PrunedImages, PrunedVolumes};
use crate::error::{Error, Exit};
use crate::types::Dialect;
use crate::view::human;

/// Remove pods, containers, networks, images and volumes that nothing uses
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove all images without a container, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Remove the containers of builds as well (accepted for compatibility: rc leaves none)
    #[arg(long)]
    build: bool,
    /// Remove only what killed processes have left in the store
    #[arg(long, conflicts_with_all = ["filters", "volumes"])]
    external: bool,
    #[command(flatten)]
    shared: PruneArgs,
    /// Remove volumes that no container mounts as well
    #[arg(long)]
    volumes: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let PruneArgs { filters, force } = args.shared;
    if args.external {
        engine::sweep(&ctx.engine)?;
        return Ok(Exit::SUCCESS);
    }
    let (images, which) = if args.all {
        (PrunedImages::Unused, "all images without at least one container associated with them")
    } else {
        (PrunedImages::Dangling, "all dangling images")
    };
    let mut removed = vec!["all stopped containers", "all networks not used by at least one container"];
    // As docker's: a volume that has a name stays.
    let volumes = args.volumes.then_some(match ctx.dialect {
        Dialect::Docker => PrunedVolumes::Anonymous,
        _ => PrunedVolumes::All,
    });
    removed.extend(volumes.map(|which| match which {
        PrunedVolumes::All => "all volumes not used by at least one container",
        PrunedVolumes::Anonymous => "all anonymous volumes not used by at least one container",
    }));
    removed.push(which);
    removed.push(if args.all { "all build cache" } else { "unused build cache" });
    let mut warning = vec!["WARNING! This command removes:".to_owned()];
    warning.extend(removed.iter().map(|what| format!("\t- {what}")));
    warning.push(String::new());
    let cache = Some(if args.all { PrunedCache::All } else { PrunedCache::Unused });
    let images = Some(images);
    let request =
        Prune { pods: true, containers: true, networks: true, images, volumes, cache, filters, ..Prune::default() };
    super::run(ctx, &request, (!force).then_some(&warning), show)
}

fn show(pruned: &Pruned) -> Vec<String> {
    let volumes = pruned.volumes.iter().map(ToString::to_string).collect();
    let mut lines = Vec::new();
    for (heading, names) in [
        ("Deleted Pods", pruned.pods.clone()),
        ("Deleted Containers", pruned.containers.clone()),
        ("Deleted Networks", pruned.networks.iter().map(ToString::to_string).collect()),
        ("Deleted Images", super::ids(pruned)),
        ("Deleted Volumes", volumes),
        ("Deleted build cache objects", pruned.cache.iter().map(|cached| cached.id().to_owned()).collect()),
    ] {
        if !names.is_empty() {
            lines.push(heading.to_owned());
            lines.extend(names);
        }
    }
    lines.push(format!("Total reclaimed space: {}", human::exact_size(pruned.reclaimed)));
    lines
}
