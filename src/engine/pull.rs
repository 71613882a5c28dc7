//! Providing an image: from the store, or from its registry.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::happened;
use super::image::{self as images, target};
use super::observer::Observer;
use super::registry::tls_verify_at;
use super::sweep::sync_soon;
use super::trust::trust;
use crate::container::Environment;
use crate::image;
use crate::image::local::{self, LocalImage};
use crate::image::progress::Progress;
use crate::image::pull::{self, Pulled, Step, step};
use crate::image::trust::Policy;
use crate::plan::{PullPolicy, Request};
use crate::registry::{self, Backoff, Credentials, Notices, Place, Platform};
use crate::storage::{Store, Target};
use crate::sys::lock::FileLock;
use crate::types::{ImageReference, Report, ReportKind};
use crate::userns::{self, UserNamespace};

/// How to pull an image.
#[derive(Debug)]
pub(crate) struct Pull {
    /// When to pull it.
    pub(crate) policy: PullPolicy,
    /// Its platform, if not the host's.
    pub(crate) platform: Option<Platform>,
    /// Whether to verify certificates; `None`: except on loopback.
    pub(crate) tls_verify: Option<bool>,
    /// How often to retry a failed request.
    pub(crate) retries: u32,
    /// The delay before each retry.
    pub(crate) retry_delay: Option<Duration>,
    /// The only file with credentials.
    pub(crate) authfile: Option<PathBuf>,
    /// The directory of the registry's certificates.
    pub(crate) cert_dir: Option<PathBuf>,
    /// The credentials.
    pub(crate) credentials: Option<Credentials>,
    /// Pulls all tags of the repository.
    pub(crate) all_tags: bool,
}

impl Default for Pull {
    /// What `run` does without options.
    fn default() -> Self {
        Self {
            policy: PullPolicy::default(),
            platform: None,
            tls_verify: None,
            retries: 3,
            retry_delay: None,
            authfile: None,
            cert_dir: None,
            credentials: None,
            all_tags: false,
        }
    }
}

/// Makes sure that the store has the image `name`, following the policy. Returns its ID, or those of all tags, in hex.
pub(crate) fn pull(
    context: &Context,
    name: &str,
    how: &Pull,
    observer: &mut dyn Observer,
) -> Result<Vec<String>, Report> {
    let local = match local::find(context.store()?, &context.registries, name) {
        Ok(image) => {
            let fits = |platform: &Platform| image.check_platform(name, platform).is_ok();
            how.platform.as_ref().is_none_or(fits).then(|| image.id.hex().to_owned())
        }
        // A damaged image counts as missing, so that it is pulled again.
        Err(error) if error.is_damage() || matches!(error, image::Error::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let step = step(how.policy, local.is_some());
    match (step, local) {
        (Step::UseLocal, Some(id)) => Ok(vec![id]),
        (Step::Refuse, _) => {
            let hint = format!(
                "not found locally, and the pull policy is \"never\": run `rc pull {name}`, or allow pulling with \
                 `--pull=missing`"
            );
            Err(Report::from(image::Error::NotFound { name: name.to_owned() }).with_hint(hint))
        }
        (step, local) => match (fetch_first(context, name, how, observer)?, local) {
            (Ok(pulled), _) => Ok(pulled.iter().map(|image| image.id.hex().to_owned()).collect()),
            (Err(report), Some(id)) if step == Step::PullOrLocal && pull::is_unreachable(&report) => Ok(vec![id]),
            (Err(report), _) => Err(report),
        },
    }
}

/// Pulls the first image that a name may stand for and that its registry has. The outer error is rc's own.
fn fetch_first(
    context: &Context,
    name: &str,
    how: &Pull,
    observer: &mut dyn Observer,
) -> Result<Result<Vec<Pulled>, Report>, Report> {
    let mut failures: Vec<Report> = Vec::new();
    for reference in context.registries.get()?.pulled(name)? {
        match fetch(context, &reference, how, observer)? {
            Ok(pulled) => return Ok(Ok(pulled)),
            Err(report) => failures.push(report),
        }
    }
    let messages: Vec<String> = failures.iter().map(|report| report.message.clone()).collect();
    let last = failures.pop().unwrap_or_else(|| image::Error::NotFound { name: name.to_owned() }.into());
    Ok(Err(match messages.len() {
        0 | 1 => last,
        _ => last.with_message(format!("no registry has `{name}`: {}", messages.join("; "))),
    }))
}

/// An image for a container.
pub(super) struct Provided {
    pub(super) image: LocalImage,
    /// Keeps it from being removed; hold it until a container's record names the image.
    pub(super) lock: FileLock,
}

/// The image of a request, pulled if the policy says so, with its layers unpacked.
pub(super) fn image_for(
    context: &Context,
    environment: &Environment,
    request: &Request,
    observer: &mut dyn Observer,
) -> Result<Provided, Report> {
    let store = &environment.store;
    let (image, lock) = named_image(context, request, observer)?;
    let Err(report) = images::layers(store, &image, environment) else { return Ok(Provided { image, lock }) };
    // A power cut may have taken some of what the last pull has brought (`Store::sync_layers`).
    let name = image.reference.as_ref().or(image.names.first()).map(ToString::to_string);
    let Some(name) = name.filter(|_| report.kind == ReportKind::Damaged) else { return Err(report) };
    // A pull changes what the lock protects.
    drop(lock);
    let how = Pull { policy: PullPolicy::Always, ..how(request)? };
    if request.pull == Some(PullPolicy::Never) || pull(context, &name, &how, observer).is_err() {
        return Err(report);
    }
    let lock = store.lock_shared()?;
    let image = local::find(store, &context.registries, &name)?;
    images::layers(store, &image, environment)?;
    Ok(Provided { image, lock })
}

fn how(request: &Request) -> Result<Pull, Report> {
    let (registry, usual) = (&request.registry, Pull::default());
    Ok(Pull {
        policy: request.pull.unwrap_or_default(),
        platform: request.platform.as_deref().map(str::parse).transpose()?,
        tls_verify: request.tls_verify,
        retries: registry.retries.unwrap_or(usual.retries),
        retry_delay: registry.retry_delay_ms.map(Duration::from_millis),
        authfile: registry.authfile.clone(),
        cert_dir: registry.cert_dir.clone(),
        credentials: registry.credentials.as_deref().map(Credentials::parse).transpose()?,
        all_tags: false,
    })
}

fn named_image(
    context: &Context,
    request: &Request,
    observer: &mut dyn Observer,
) -> Result<(LocalImage, FileLock), Report> {
    let store = context.store()?;
    // Almost every run takes this way, which reads nothing twice.
    if request.platform.is_none() && step(request.pull.unwrap_or_default(), true) == Step::UseLocal {
        let lock = store.lock_shared()?;
        if let Ok(image) = local::find(store, &context.registries, &request.image) {
            return Ok((image, lock));
        }
    }
    pull(context, &request.image, &how(request)?, observer)?;
    // Not earlier: a pull changes what the lock protects.
    let lock = store.lock_shared()?;
    Ok((local::find(store, &context.registries, &request.image)?, lock))
}

/// Pulls in a child that is root in the user's namespace and may start threads. The caller holds no lock on the store.
fn fetch(
    context: &Context,
    reference: &ImageReference,
    how: &Pull,
    observer: &mut dyn Observer,
) -> Result<Result<Vec<Pulled>, Report>, Report> {
    let store = context.store()?;
    let policy = trust(context)?;
    if !how.all_tags {
        policy.demand(reference)?;
    }
    let ids = context.ids()?;
    let places = context.registries.get()?.places(reference)?;
    let places = places.iter().map(|place| Ok((place.clone(), registry_options(context, place, how)?)));
    let places: Vec<(Place, registry::Options)> = places.collect::<Result<_, Report>>()?;
    let home = UserNamespace::open(&ids, &context.runtime_dir()?)?;
    let wanted = Wanted { reference, how, policy: &policy, places: &places, target: target(&ids) };
    let pulled = userns::inside(&home, "rc: pull", || fetch_all(store, &wanted, observer));
    // A failed pull may have brought some of the layers.
    sync_soon(store);
    for image in pulled.iter().flatten() {
        happened::to_image(store, "pull", image.id.hex(), image.reference.to_string());
        warn(image, observer);
    }
    Ok(pulled)
}

/// What is pulled, and from where.
struct Wanted<'w> {
    reference: &'w ImageReference,
    how: &'w Pull,
    policy: &'w Policy,
    places: &'w [(Place, registry::Options)],
    target: Target,
}

fn fetch_all(store: &Store, wanted: &Wanted<'_>, observer: &dyn Observer) -> Result<Vec<Pulled>, Report> {
    let Wanted { reference, how, policy, .. } = *wanted;
    let progress: Arc<dyn Progress> = Arc::from(observer.pull_progress());
    let told = Arc::clone(&progress);
    let notices = Notices::to(move |text| told.waits(text));
    let mut places = wanted.places.to_vec();
    places.iter_mut().for_each(|(_, options)| options.notices = notices.clone());
    let references = match places.last() {
        // The registry itself, which comes last, knows all tags.
        Some((place, options)) if how.all_tags => pull::tags(reference, &place.reference, options)?,
        _ => vec![reference.clone()],
    };
    let pull = |reference: &ImageReference| {
        let at =
            |(place, options): &(Place, registry::Options)| (place.reference.with_tag_of(reference), options.clone());
        let options = pull::Options {
            places: places.iter().map(at).collect(),
            demand: policy.demand(reference)?,
            platform: how.platform.clone(),
            target: wanted.target.clone(),
        };
        Ok(pull::pull(store, reference, &options, &*progress)?)
    };
    references.iter().map(pull).collect()
}

fn registry_options(context: &Context, place: &Place, how: &Pull) -> Result<registry::Options, Report> {
    let places = &context.places;
    // Not in the child: a credential helper talks to the user's session.
    let credentials = match &how.credentials {
        Some(given) => Some(given.clone()),
        None => Credentials::find(&place.reference, how.authfile.as_deref(), places).map_err(registry::Error::from)?,
    };
    let usual = registry::Options::default();
    Ok(registry::Options {
        tls_verify: tls_verify_at(place, how.tls_verify),
        cert_dir: how.cert_dir.clone(),
        credentials,
        places: places.clone(),
        retries: how.retries,
        backoff: how.retry_delay.map_or(usual.backoff, Backoff::Fixed),
        ..usual
    })
}

fn warn(image: &Pulled, observer: &mut dyn Observer) {
    if let Some(platform) = &image.other_platform {
        observer.warning(&format!("image `{}` is for {platform}, not for the platform of the host", image.reference));
    }
    if image.skipped_devices > 0 {
        let count = image.skipped_devices;
        observer.warning(&format!(
            "{count} device files of image `{}` were skipped: only root can create them",
            image.reference
        ));
    }
}
