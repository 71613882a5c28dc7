//! `rc pull`.

use super::Ctx;
use super::args::{PullArgs, Secret, pull_policy};
use super::observer::Screen;
use crate::engine::{self, Pull};
use crate::error::{Error, Exit};
use crate::image::location::Location;
use crate::plan::PullPolicy;
use crate::registry::Credentials;
use crate::ui;

/// Pull an image from a registry
///
/// The image is pulled even if the name is in the store; blobs that the store has are not fetched again. The ID is
/// printed at the end.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Pull all tagged images of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Pull image policy: always, missing, never or newer (default: always)
    #[arg(long, value_name = "POLICY", default_value = "always", hide_default_value = true, value_parser = pull_policy)]
    policy: PullPolicy,
    #[command(flatten)]
    shared: PullArgs,
    /// Images: [REGISTRY/]NAME[:TAG][@DIGEST], or docker://, oci:, oci-archive:, docker-archive:, dir: before it
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut screen = Screen::for_pull(args.shared.quiet);
    let how = args.how()?;
    let mut out = ui::out();
    for name in &args.images {
        let ids = match Location::parse(name)? {
            Location::Registry(_) => {
                let name = name.strip_prefix("docker://").unwrap_or(name);
                engine::pull(&ctx.engine, name, &how, &mut screen)?
            }
            archive => {
                let loaded = engine::load_location(&ctx.engine, archive, how.platform.clone());
                // Also its own leftovers, if it failed.
                let swept = engine::sweep(&ctx.engine);
                let loaded = loaded?;
                swept?;
                loaded.iter().map(|image| image.id.hex().to_owned()).collect()
            }
        };
        ids.iter().try_for_each(|id| out.line(id))?;
        out.finish()?;
    }
    engine::sweep(&ctx.engine)?;
    Ok(Exit::SUCCESS)
}

impl Args {
    fn how(&self) -> Result<Pull, Error> {
        let Self { all_tags, policy, shared, .. } = self;
        let usual = Pull::default();
        Ok(Pull {
            // rc cannot know whether the store has all tags.
            policy: if *all_tags { PullPolicy::Always } else { *policy },
            platform: shared.platform()?,
            tls_verify: shared.tls_verify,
            retries: shared.retry.unwrap_or(usual.retries),
            retry_delay: shared.retry_delay,
            authfile: shared.authfile.clone(),
            cert_dir: shared.cert_dir.clone(),
            credentials: shared.creds.as_ref().map(|Secret(text)| Credentials::parse(text)).transpose()?,
            all_tags: *all_tags,
        })
    }
}
