//! `docker-cli-plugin-metadata`: what docker asks a program in its directory of plugins. As `docker-buildx` rc builds
//! for `docker build`, which calls it as `docker-buildx buildx build …`.
//!
//! Source: docker/cli, `cli-plugins/metadata`.

use serde_json::json;

use super::Ctx;
use crate::error::{Error, Exit};
use crate::ui;

/// Say what plugin of docker this is
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(_ctx: &Ctx, _args: &Args) -> Result<Exit, Error> {
    let object = json!({
        "SchemaVersion": "0.1.0",
        "Vendor": "rc",
        "Version": concat!("v", env!("CARGO_PKG_VERSION")),
        "ShortDescription": "Build with rc",
    });
    let mut out = ui::out();
    out.line(object)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
