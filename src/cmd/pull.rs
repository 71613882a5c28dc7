//! `rc pull`, and what `run` and `create` have in common with it.

use std::path::PathBuf;
use std::time::Duration;

use super::args::{PullArgs, pull_policy};
use super::{Ctx, from_image, leftovers};
use crate::error::{Error, Exit};
use crate::image::local;
use crate::image::pull::{self, Pulled, Step};
use crate::plan::PullPolicy;
use crate::registry::{self, Backoff, Credentials, Places, Platform, TlsVerify};
use crate::storage::Store;
use crate::types::{ImageReference, Report};
use crate::ui;
use crate::userns::{self, UserNamespace};
use crate::view;

/// Pull an image from a registry
///
/// The image is pulled even if the name is in the store; blobs that the store has are not fetched again. The ID is printed
/// at the end.
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
    creds: Option<String>,
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
    #[arg(long, value_name = "DURATION", value_parser = delay)]
    retry_delay: Option<Duration>,
    /// Use VARIANT instead of the architecture's default variant for choosing images
    #[arg(long, value_name = "VARIANT", conflicts_with = "platform")]
    variant: Option<String>,
    #[command(flatten)]
    shared: PullArgs,
    /// Names of images: [REGISTRY/]NAME[:TAG][@DIGEST]
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
}

/// A wait as Go writes it, which is not negative.
fn delay(text: &str) -> Result<Duration, String> {
    let length = view::when::go_duration(text).and_then(|length| Duration::try_from(length).ok());
    length.ok_or_else(|| "a delay is a number with a unit: 2s, 500ms".to_owned())
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let parts = (args.os.as_deref(), args.arch.as_deref(), args.variant.as_deref());
    let platform = match (&args.shared.platform, parts) {
        (Some(text), _) => Some(text.parse()?),
        (None, (None, None, None)) => None,
        (None, (os, architecture, variant)) => Some(Platform::of(os, architecture, variant)),
    };
    let wanted = Wanted {
        platform,
        tls_verify: args.shared.tls_verify,
        is_quiet: args.shared.quiet,
        retries: args.retry,
        retry_delay: args.retry_delay,
        authfile: args.authfile.clone(),
        cert_dir: args.cert_dir.clone(),
        credentials: args.creds.as_deref().map(credentials).transpose()?,
        all_tags: args.all_tags,
    };
    let store = ctx.store()?;
    let mut out = ui::out();
    for name in &args.images {
        let name = name.strip_prefix("docker://").unwrap_or(name);
        // All tags cannot be known to be here.
        let policy = if args.all_tags { PullPolicy::Always } else { args.policy };
        for id in ensure(ctx, &store, name, policy, &wanted)? {
            out.line(id)?;
        }
        out.finish()?;
    }
    leftovers::sweep(ctx, &store)?;
    Ok(Exit::SUCCESS)
}

/// How an image is to be fetched.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) platform: Option<Platform>,
    pub(super) tls_verify: Option<bool>,
    pub(super) is_quiet: bool,
    pub(super) retries: u32,
    /// The same wait before each of those.
    pub(super) retry_delay: Option<Duration>,
    pub(super) authfile: Option<PathBuf>,
    pub(super) cert_dir: Option<PathBuf>,
    pub(super) credentials: Option<Credentials>,
    pub(super) all_tags: bool,
}

/// Sees to it that the image `name` is here, as `policy` has it. Gives its id, or the ids of all tags.
pub(super) fn ensure(
    ctx: &Ctx,
    store: &Store,
    name: &str,
    policy: PullPolicy,
    wanted: &Wanted,
) -> Result<Vec<String>, Error> {
    let local = match local::find(store, name) {
        Ok(image) => {
            let config = &image.config;
            let fits = |platform: &Platform| {
                platform.rank(&config.os, &config.architecture, config.variant.as_deref()).is_some()
            };
            wanted.platform.as_ref().is_none_or(fits).then(|| image.id.hex().to_owned())
        }
        // A damaged image is none: it is fetched again.
        Err(error) if error.is_damage() || matches!(error, crate::image::Error::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let step = pull::step(policy, local.is_some());
    match (step, local) {
        (Step::UseLocal, Some(id)) => Ok(vec![id]),
        (Step::Refuse, _) => Err(Error::new(format!("no image `{name}` here, and it must not be pulled"))
            .with_hint(format!("allow it with `--pull=missing`, or run `rc pull {name}`"))),
        (step, local) => match (fetch(ctx, store, name, wanted)?, local) {
            (Ok(pulled), _) => Ok(pulled.iter().map(|image| image.id.hex().to_owned()).collect()),
            (Err(report), Some(id)) if step == Step::PullOrLocal && pull::is_unreachable(&report) => Ok(vec![id]),
            (Err(report), _) => Err(report.into()),
        },
    }
}

/// Pulls in a child that is root in the user's namespace, and may start threads there. Nobody holds a lock on the store.
fn fetch(ctx: &Ctx, store: &Store, name: &str, wanted: &Wanted) -> Result<Result<Vec<Pulled>, Report>, Error> {
    let reference: ImageReference = name.parse()?;
    let places = Places::from_env();
    // Here, not in the child: a helper program talks to the user's session.
    let credentials = match &wanted.credentials {
        Some(given) => Some(given.clone()),
        None => Credentials::find(&reference, wanted.authfile.as_deref(), &places).map_err(registry::Error::from)?,
    };
    let ids = ctx.ids()?;
    let usual = registry::Options::default();
    let options = pull::Options {
        registry: registry::Options {
            tls_verify: match wanted.tls_verify {
                None => TlsVerify::Default,
                Some(true) => TlsVerify::Always,
                Some(false) => TlsVerify::Never,
            },
            cert_dir: wanted.cert_dir.clone(),
            credentials,
            places,
            retries: wanted.retries,
            backoff: wanted.retry_delay.map_or(usual.backoff, Backoff::Fixed),
            ..usual
        },
        platform: wanted.platform.clone(),
        target: from_image::target(&ids),
    };
    let home = UserNamespace::open(&ids, &ctx.runtime_dir()?)?;
    let pulled = userns::inside(&home, "rc: pull", || {
        let references =
            if wanted.all_tags { pull::tags(&reference, &options.registry)? } else { vec![reference.clone()] };
        let progress = ui::progress::for_pull(wanted.is_quiet);
        let pull = |reference: &ImageReference| pull::pull(store, reference, &options, &*progress);
        references.iter().map(pull).collect::<Result<Vec<_>, _>>()
    });
    for image in pulled.iter().flatten() {
        warn(image);
    }
    Ok(pulled)
}

fn warn(image: &Pulled) {
    if let Some(platform) = &image.other_platform {
        ui::warning(format!("image `{}` is for {platform}, which is not this machine's platform", image.reference));
    }
    if image.skipped_devices > 0 {
        let count = image.skipped_devices;
        ui::warning(format!("{count} device files of image `{}` were left out: they need root", image.reference));
    }
}

/// Reads `--creds`.
fn credentials(text: &str) -> Result<Credentials, Error> {
    match Credentials::split(text) {
        (user, Some(password)) => Ok(Credentials::Password { user, password }),
        (user, None) => Err(Error::new(format!("`--creds {user}` has no password"))
            .with_hint("give USER:PASSWORD, or log in with podman or docker, whose auth files rc reads")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_a_duration_of_go() {
        for (text, millis) in [("2s", 2000), ("500ms", 500), ("1m0.5s", 60_500), ("0s", 0)] {
            assert_eq!(delay(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "2", "-1s", "soon"] {
            assert!(delay(bad).is_err(), "{bad}");
        }
    }
}
