//! `rc pod …`.

pub(crate) mod clone;
pub(crate) mod create;
pub(crate) mod exists;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod pause;
pub(crate) mod prune;
pub(crate) mod ps;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod top;
pub(crate) mod unpause;

use super::Ctx;
use super::observer::Screen;
use crate::engine::{Context, Observer, PodSelection};
use crate::error::{Error, Exit};
use crate::types::Report;

/// Does something to the selected pods, and prints the name of each.
fn act(
    ctx: &Ctx,
    pods: impl Into<PodSelection>,
    act: impl FnOnce(&Context, &PodSelection, &mut dyn Observer) -> Result<(), Report>,
) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    act(&ctx.engine, &pods.into(), &mut screen)?;
    screen.exit()
}
