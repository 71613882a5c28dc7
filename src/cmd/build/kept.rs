//! `rc build --on-error=keep`: a container with the files of a step that has failed.

use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::console::Console;
use crate::engine::{self, BuildRequest};
use crate::error::Error;
use crate::plan::Request;
use crate::types::Digest;
use crate::ui;

/// Starts a shell in a container of the image that the failed step was made into, and says what to do with it. It has
/// the network and the limits of the step; without a shell in the image it does not run, but its files are there.
pub(super) fn keep(ctx: &Ctx, image: &Digest, build: &BuildRequest) -> Result<(), Error> {
    let name = format!("failed-{}", &image.hex()[..12]);
    let request = Request {
        image: image.hex().to_owned(),
        name: Some(name.clone()),
        detach: true,
        interactive: true,
        tty: true,
        network: build.network.clone(),
        add_hosts: build.add_hosts.clone(),
        ..build.asked.clone()
    };
    let mut screen = Screen::default();
    let front_end = Console::Apart.front_end(false);
    match engine::run(&ctx.engine, ctx.caller()?, &request, front_end, &mut screen) {
        Ok(_) => ui::note(format_args!(
            "the files of the step are in the container {name}: rc exec -it {name} sh, rc cp {name}:PATH .; then rc rm \
             -f {name}"
        )),
        // It is created nevertheless if only the shell is missing.
        Err(report) if engine::container_exists(&ctx.engine, &name).unwrap_or(false) => ui::note(format_args!(
            "the files of the step are in the container {name}, which does not run ({}): rc cp {name}:PATH .; then \
             rc rm {name}",
            report.message
        )),
        Err(report) => return Err(report.into()),
    }
    Ok(())
}
