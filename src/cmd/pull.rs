//! `rc pull`.

use std::path::PathBuf;
use std::time::Duration;

use super::Ctx;
use super::args::{PullArgs, Secret, credentials, pull_policy, retry_delay};
use super::observer::Screen;
use crate::engine::{self, Pull};
use crate::error::{Error, Exit};
use crate::image::location::Location;
use crate::plan::PullPolicy;
use crate::registry::Platform;
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
    /// Use ARCH instead of the host's architecture for choosing images
    #[arg(long, value_name = "ARCH", conflicts_with = "platform")]
    arch: Option<String>,
    /// Path of the authentication file (default: those of podman and docker)
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// Directory of certificates for the registry (default: its directories in certs.d)
    #[arg(long, value_name = "DIR")]
    cert_dir: Option<PathBuf>,
    /// Credentials to use for accessing the registry: USER:PASSWORD
    #[arg(long, value_name = "CREDENTIALS")]
    creds: Option<Secret>,
    /// Use OS instead of the host's OS for choosing images
    #[arg(long, value_name = "OS", conflicts_with = "platform")]
    os: Option<String>,
    /// Pull image policy: always, missing, never or newer (default: always)
    #[arg(long, value_name = "POLICY", default_value = "always", hide_default_value = true, value_parser = pull_policy)]
    policy: PullPolicy,
    /// Number of times to retry in case of failure (default: 3)
    #[arg(long, value_name = "N", default_value_t = 3, hide_default_value = true)]
    retry: u32,
    /// Delay between retries, such as 2s or 500ms (default: 1s, doubled each time)
    #[arg(long, value_name = "DURATION", value_parser = retry_delay)]
    retry_delay: Option<Duration>,
    /// Use VARIANT instead of the architecture's default variant for choosing images
    #[arg(long, value_name = "VARIANT", conflicts_with = "platform")]
    variant: Option<String>,
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
                engine::sweep(&ctx.engine)?;
                loaded?.iter().map(|image| image.id.hex().to_owned()).collect()
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
        let parts = (self.os.as_deref(), self.arch.as_deref(), self.variant.as_deref());
        let platform = match (&self.shared.platform, parts) {
            (Some(text), _) => Some(text.parse()?),
            (None, (None, None, None)) => None,
            (None, (os, architecture, variant)) => Some(Platform::of(os, architecture, variant)),
        };
        Ok(Pull {
            // rc cannot know whether the store has all tags.
            policy: if self.all_tags { PullPolicy::Always } else { self.policy },
            platform,
            tls_verify: self.shared.tls_verify,
            retries: self.retry,
            retry_delay: self.retry_delay,
            authfile: self.authfile.clone(),
            cert_dir: self.cert_dir.clone(),
            credentials: self.creds.as_ref().map(|Secret(text)| credentials(text)).transpose()?,
            all_tags: self.all_tags,
        })
    }
}
