//! What `mount`, `unmount`, `image mount` and `image unmount` have in common.

use serde_json::json;

use super::Ctx;
use super::observer::Screen;
use crate::engine::{self, MountKind, Mounted};
use crate::error::{Error, Exit};
use crate::types::ReportKind;
use crate::ui::{self, Format};

/// The options of `mount` and `image mount`.
#[derive(Debug, clap::Args)]
pub(super) struct MountArgs {
    /// Mount all
    #[arg(short, long)]
    all: bool,
    /// Print what is mounted as JSON
    #[arg(long, value_name = "FORMAT", value_parser = ["json"], hide_possible_values = true)]
    format: Option<String>,
    /// Do not truncate the output (accepted for compatibility: rc prints whole IDs here)
    #[arg(long, visible_alias = "notruncate")]
    no_trunc: bool,
}

/// The options of `unmount` and `image unmount`.
#[derive(Debug, clap::Args)]
pub(super) struct UnmountArgs {
    /// Unmount all
    #[arg(short, long)]
    all: bool,
    /// What is not mounted is no error
    #[arg(short, long)]
    force: bool,
}

/// Mounts what is named and prints where; without names, prints what is mounted. One name is answered by its path
/// alone.
pub(super) fn mount(ctx: &Ctx, kind: MountKind, args: &MountArgs, names: &[String]) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    let mut done = Vec::new();
    let every;
    let names = match (args.all, names.is_empty()) {
        (true, false) => return Err(Error::new("nothing can be named together with --all")),
        (true, true) => {
            every = engine::mountable(&ctx.engine, kind)?;
            &every[..]
        }
        (false, _) => names,
    };
    if names.is_empty() && !args.all {
        done = engine::mounted_files(&ctx.engine, kind)?;
    }
    for name in names {
        match engine::mount_files(&ctx.engine, kind, name) {
            Ok(mounted) => done.push(mounted),
            Err(report) => drop(screen.result(Err::<String, _>(report))),
        }
    }
    let mut out = ui::out();
    if args.format.is_some() {
        let rows: Vec<_> = done.iter().map(|it| json!({ "id": it.id, "mountpoint": it.path })).collect();
        Format::Json.object(&mut out, &rows)?;
    } else {
        for Mounted { id, path } in &done {
            match names.len() {
                1 if !args.all => out.line(path.display())?,
                _ => out.line(format_args!("{id} {}", path.display()))?,
            }
        }
    }
    out.finish()?;
    screen.exit()
}

/// Unmounts what is named, or all, and prints the IDs. With `force`, what is not mounted is no failure.
pub(super) fn unmount(ctx: &Ctx, kind: MountKind, args: &UnmountArgs, names: &[String]) -> Result<Exit, Error> {
    let UnmountArgs { all, force } = *args;
    let names: Vec<String> = match (all, names.is_empty()) {
        (true, false) => return Err(Error::new("nothing can be named together with --all")),
        (false, true) => return Err(Error::new("nothing was named").with_hint("give a name or ID, or use --all")),
        (true, true) => {
            let mounted = engine::mounted_files(&ctx.engine, kind)?;
            mounted.into_iter().filter(|it| !it.path.starts_with("/proc")).map(|it| it.id).collect()
        }
        (false, false) => names.to_vec(),
    };
    let mut screen = Screen::default();
    for name in &names {
        let result = engine::unmount_files(&ctx.engine, kind, name);
        let is_fine = force && result.as_ref().is_err_and(|report| report.kind == ReportKind::Conflict);
        if !is_fine && screen.result(result).is_break() {
            break;
        }
    }
    screen.exit()
}
