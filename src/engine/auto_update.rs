//! Newer images for containers that run in units of the service manager, as their labels say. Source:
//! podman-auto-update(1).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::context::Context;
use super::happened;
use super::image::of_container;
use super::manifests::digests_at_registry;
use super::observer::Observer;
use super::pull::{Pull, pull};
use super::registry::Connection;
use crate::container::{self, Container};
use crate::image::local::{self, LocalImage};
use crate::monitor::Status;
use crate::plan::{PullPolicy, UNIT_LABEL};
use crate::registry::Platform;
use crate::storage::events::{Event, EventKind};
use crate::systemd;
use crate::types::{ImageReference, Invalid, Report, ReportKind};
use crate::view::{AutoUpdateRow, Outcome};

/// The label with the policy of a container.
const POLICY: &str = "io.containers.autoupdate";

/// The label with its file of credentials.
const AUTHFILE: &str = "io.containers.autoupdate.authfile";

/// How to update.
#[derive(Debug)]
pub(crate) struct AutoUpdate {
    /// Only checks whether there are newer images.
    pub(crate) dry_run: bool,
    /// If a unit does not start with a newer image, it gets the old one back.
    pub(crate) rollback: bool,
    /// Whether to verify certificates; `None`: except on loopback.
    pub(crate) tls_verify: Option<bool>,
    /// The only file with credentials, for containers that name none.
    pub(crate) authfile: Option<PathBuf>,
}

/// Where newer images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Registry,
    Local,
}

impl Policy {
    /// The value of the label; `None` if it is off.
    fn of_word(word: &str) -> Result<Option<Self>, Invalid> {
        match word {
            "" | "disabled" => Ok(None),
            "image" | "registry" => Ok(Some(Self::Registry)),
            "local" => Ok(Some(Self::Local)),
            _ => Err(Invalid::new("auto-update policy", word, "must be registry, local or disabled")),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Local => "local",
        }
    }
}

/// A container that may get a newer image.
struct Task {
    row: AutoUpdateRow,
    policy: Policy,
    container: Container,
    /// The image that it runs with, once that was replaced.
    replaced: Option<LocalImage>,
}

/// Updates the running containers whose labels say so, unit by unit, and returns what became of each.
///
/// Fails before anything has been done if a label has no meaning; of other failures the observer hears.
pub(crate) fn auto_update(
    context: &Context,
    how: &AutoUpdate,
    observer: &mut dyn Observer,
) -> Result<Vec<AutoUpdateRow>, Report> {
    let units = units(context, observer)?;
    if !units.is_empty() {
        context.store()?.events().add(&[Event::new(EventKind::System, "auto-update", "", "")]);
    }
    let mut rows = Vec::new();
    for (unit, mut tasks) in units {
        update_unit(context, how, &unit, &mut tasks, observer);
        rows.extend(tasks.into_iter().map(|task| task.row));
    }
    Ok(rows)
}

/// The containers with a policy, by their units.
fn units(context: &Context, observer: &mut dyn Observer) -> Result<BTreeMap<String, Vec<Task>>, Report> {
    let listing = container::list(&context.store_to_read()?)?;
    let unit_of = |container: &Container| {
        let own = container.config.labels.get(UNIT_LABEL);
        let pod = container.config.pod.as_ref();
        let pod = pod.and_then(|of| listing.pods.iter().find(|pod| pod.config.id == of.id));
        own.or_else(|| pod?.config.labels.get(UNIT_LABEL)).filter(|unit| !unit.is_empty()).cloned()
    };
    let mut found: Vec<(Option<String>, Policy, usize)> = Vec::new();
    for (number, container) in listing.containers.iter().enumerate().filter(|(_, it)| it.status == Status::Running) {
        let word = container.config.labels.get(POLICY).map_or("", String::as_str);
        if let Some(policy) = Policy::of_word(word).map_err(|error| of(container, &error))? {
            found.push((unit_of(container), policy, number));
        }
    }
    let mut units: BTreeMap<String, Vec<Task>> = BTreeMap::new();
    let mut containers: Vec<Option<Container>> = listing.containers.into_iter().map(Some).collect();
    for (unit, policy, number) in found {
        let Some(container) = containers[number].take() else { continue };
        let Some(unit) = unit else {
            let report = of(&container, &format!("it has no label {UNIT_LABEL}"));
            observer.failed(report.with_hint(format!("create it in a unit with `Environment={UNIT_LABEL}=%n`")));
            continue;
        };
        let config = &container.config;
        let row = AutoUpdateRow {
            unit: unit.clone(),
            id: config.id.clone(),
            name: config.name.clone(),
            image: config.image.reference.clone(),
            policy: policy.as_str(),
            outcome: Outcome::Failed,
        };
        units.entry(unit).or_default().push(Task { row, policy, container, replaced: None });
    }
    Ok(units)
}

/// A failure of a container.
fn of(container: &Container, reason: &dyn std::fmt::Display) -> Report {
    let message = format!("cannot update `{}`: {reason}", container.config.name);
    Report::new(ReportKind::Invalid, message)
}

/// Updates the containers of a unit, and restarts it if one has a newer image.
fn update_unit(context: &Context, how: &AutoUpdate, unit: &str, tasks: &mut [Task], observer: &mut dyn Observer) {
    for task in &mut *tasks {
        match task.update(context, how, observer) {
            Ok(outcome) => task.row.outcome = outcome,
            Err(report) => {
                let message = format!("cannot update `{}`: {}", task.row.name, report.message);
                observer.failed(report.with_message(message));
            }
        }
    }
    if tasks.iter().all(|task| task.replaced.is_none()) {
        return;
    }
    let mut outcome = Outcome::Updated;
    if let Err(error) = systemd::restart(&systemd::socket(), unit) {
        outcome = Outcome::Failed;
        let is_back = how.rollback.then(|| roll_back(context, unit, tasks));
        match is_back {
            None => observer.failed(error.into()),
            Some(Ok(())) => {
                outcome = Outcome::RolledBack;
                observer.warning(&format!("{error}; it has its old images again"));
            }
            Some(Err(report)) => {
                observer.failed(error.into());
                let message = format!("cannot go back to the old images of `{unit}`: {}", report.message);
                observer.failed(report.with_message(message));
            }
        }
    }
    tasks.iter_mut().filter(|task| task.replaced.is_some()).for_each(|task| task.row.outcome = outcome);
}

/// Gives the old images their names back, and starts the unit with them.
fn roll_back(context: &Context, unit: &str, tasks: &[Task]) -> Result<(), Report> {
    let store = context.store()?;
    for task in tasks {
        if let Some(old) = &task.replaced {
            local::tag(store, old, &task.reference()?)?;
            happened::to_image(store, "tag", old.id.hex(), task.row.image.clone());
        }
    }
    Ok(systemd::restart(&systemd::socket(), unit)?)
}

impl Task {
    /// The name of the image. Fails if it is none that may come to mean another image.
    fn reference(&self) -> Result<ImageReference, Report> {
        let reference: ImageReference = self.row.image.parse()?;
        local::check_new_name(&reference)?;
        Ok(reference)
    }

    /// Looks for a newer image, and gets it. The unit must be restarted then.
    fn update(&mut self, context: &Context, how: &AutoUpdate, observer: &mut dyn Observer) -> Result<Outcome, Report> {
        let store = context.store()?;
        let image = of_container(store, &self.container.config)?;
        let name = self.reference()?.to_string();
        let labelled = self.container.config.labels.get(AUTHFILE).map(PathBuf::from);
        let (authfile, tls_verify) = (labelled.or_else(|| how.authfile.clone()), how.tls_verify);
        let platform = platform_of(&image);
        let is_newer = match self.policy {
            Policy::Local => local::find(store, &context.registries, &name)?.id != image.id,
            Policy::Registry => {
                let connection = Connection { authfile: authfile.clone(), tls_verify, ..Connection::default() };
                let there = digests_at_registry(context, &name, &platform, connection)?;
                let is_there = |form: &LocalImage| {
                    let mut own = form.indexes.iter().chain([&form.manifest.digest]);
                    own.any(|digest| there.contains(digest))
                };
                !local::forms(store, &image)?.iter().any(is_there)
            }
        };
        if !is_newer || how.dry_run {
            return Ok(if is_newer { Outcome::Pending } else { Outcome::Current });
        }
        if self.policy == Policy::Registry {
            // An image for this host may say otherwise, as with `run`.
            let platform = Some(platform).filter(|platform| *platform != Platform::host());
            let how = Pull { policy: PullPolicy::Always, platform, authfile, tls_verify, ..Pull::default() };
            pull(context, &name, &how, observer)?;
            // A mirror is behind, or the registry has the same image in another form.
            if local::find(store, &context.registries, &name)?.id == image.id {
                return Ok(Outcome::Current);
            }
        }
        self.replaced = Some(image);
        Ok(Outcome::Failed)
    }
}

/// The platform that an image is for; what it does not say of it is the host's.
fn platform_of(image: &LocalImage) -> Platform {
    let config = &image.config;
    let given = |text| Some(text).filter(|text: &&str| !text.is_empty());
    Platform::of(given(&config.os), given(&config.architecture), config.variant.as_deref())
}
