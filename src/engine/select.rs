//! Selecting containers, and acting on each of them.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::context::Context;
use super::networks;
use super::observer::Observer;
use crate::container::{self, Container, Listing};
use crate::monitor::Status;
use crate::storage::Store;
use crate::sys::{fs, inherited};
use crate::types::{ContainerId, Report, ReportKind, Thing};
use crate::view::filter::{self, ContainerFacts, ContainerFilter};
use crate::view::when::Clock;

/// Which containers to act on.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Names, IDs or unique prefixes of IDs.
    pub(crate) names: Vec<String>,
    /// Files that contain IDs.
    pub(crate) cidfiles: Vec<PathBuf>,
    /// `KEY=VALUE`: only those that match, of the named ones or of all.
    pub(crate) filters: Vec<String>,
    /// All to which the use case applies.
    pub(crate) all: bool,
    /// The container that was created last.
    pub(crate) latest: bool,
    /// A container or a `cidfile` that does not exist is not a failure.
    pub(crate) ignore: bool,
}

impl Selection {
    /// Whether it names containers one by one, or by `latest`.
    pub(crate) fn is_of_named(&self) -> bool {
        !self.names.is_empty() || !self.cidfiles.is_empty() || self.latest
    }

    /// Whether it names no container: then the use case skips those to which it does not apply.
    pub(super) fn is_of_many(&self) -> bool {
        self.all || !self.filters.is_empty() && !self.is_of_named()
    }

    /// The names, also from the files. Fails if there are none, or some beside `all`.
    fn words(&self) -> Result<Vec<String>, Report> {
        let mut words = self.names.clone();
        for file in &self.cidfiles {
            match id_in(file) {
                Err(error) if self.ignore && error.is_not_found() => {}
                other => words.push(other?),
            }
        }
        let invalid = |message: &str| Err(Report::new(ReportKind::Invalid, message));
        let is_of_all = self.all || self.latest || !self.filters.is_empty();
        match (self.all || self.latest, words.is_empty()) {
            (true, false) if self.latest => invalid("containers cannot be named together with --latest"),
            (true, false) => invalid("containers cannot be named together with --all"),
            (_, true) if self.cidfiles.is_empty() && !is_of_all => invalid("no container was named"),
            _ => Ok(words),
        }
    }
}

/// The ID in a file.
pub(crate) fn id_in(file: &Path) -> Result<String, fs::PathError> {
    // A file may be exchanged by a container, for a FIFO that never ends, but not a descriptor of the caller's.
    let bytes = if inherited::is_name(file) { fs::read_limited(file, 4096)? } else { fs::read_regular(file, 4096)? };
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// The container with this name, ID or unique prefix of an ID.
pub(crate) fn find(context: &Context, name: &str) -> Result<Container, Report> {
    Ok(container::find(&context.store_to_read()?, name)?)
}

/// The names of the selection; with `latest`, the ID of the newest container. Fails if there are none.
pub(crate) fn named(context: &Context, selection: &Selection) -> Result<Vec<String>, Report> {
    let words = selection.words()?;
    if !selection.latest {
        return Ok(words);
    }
    let newest = container::list(&context.store_to_read()?)?.containers.into_iter().next();
    let none = || Report::new(ReportKind::NotFound(Thing::Container), "no containers exist");
    Ok(vec![newest.ok_or_else(none)?.config.id.to_string()])
}

/// All containers, newest first, and the damaged ones. Removes `--rm` containers that killed processes left.
pub(crate) fn containers(context: &Context) -> Result<Listing, Report> {
    Ok(container::list(&context.store_to_read()?)?)
}

/// Which of all containers a listing shows.
#[derive(Debug, Default)]
pub(crate) struct ListRequest {
    /// Also those that do not run.
    pub(crate) all: bool,
    /// Only so many of the latest created ones, in any state.
    pub(crate) last: Option<usize>,
    /// `KEY=VALUE`.
    pub(crate) filters: Vec<String>,
}

/// Those of `all` that the listing shows, oldest first.
pub(crate) fn select<'a>(
    request: &ListRequest,
    all: &[ContainerFacts<'a>],
    clock: Clock,
) -> Result<Vec<ContainerFacts<'a>>, filter::Error> {
    let filter = ContainerFilter::parse(&request.filters, clock, |name| created(name, all))?;
    let stopped_too = request.all || request.last.is_some() || filter.wants_stopped();
    let shown = |facts: &&ContainerFacts<'a>| stopped_too || is_up(facts.status);
    let mut found: Vec<_> = all.iter().filter(shown).filter(|facts| filter.matches(**facts)).copied().collect();
    // RFC 3339 in UTC sorts as text, and the ID breaks ties, so that two listings never differ in order.
    found.sort_by(|a, b| (&a.config.created, &a.config.id).cmp(&(&b.config.created, &b.config.id)));
    if let Some(last) = request.last {
        found.drain(..found.len().saturating_sub(last));
    }
    Ok(found)
}

/// Whether a listing without `all` shows it. The program of an orphan still runs, and that of an initialized container
/// does not run yet.
fn is_up(status: Status) -> bool {
    !matches!(status, Status::Created | Status::Initialized | Status::Exited | Status::Removing)
}

/// What filters compare.
pub(crate) fn facts(container: &Container) -> ContainerFacts<'_> {
    ContainerFacts { config: &container.config, state: &container.state, status: container.status }
}

/// When the container of this name or unique prefix of an ID was created.
pub(super) fn created(name: &str, all: &[ContainerFacts<'_>]) -> Option<Timestamp> {
    let found = all.iter().find(|facts| facts.config.name.as_str() == container::bare_name(name)).or_else(|| {
        let mut by_id = all.iter().filter(|facts| facts.config.id.as_str().starts_with(name));
        by_id.next().filter(|_| by_id.next().is_none())
    });
    found.and_then(|facts| facts.config.created.parse().ok())
}

/// Changes each container in two steps: `begin` sends a request, or returns `None` if there is nothing to do, and
/// `finish` waits for the result. Requests are sent before the first result is awaited, so that containers change side
/// by side, without a thread. The results come in the order of the selection, and a failure does not stop the others.
///
/// The observer gets the name that the selection has (the ID, with `all`) of each container that was changed, and all
/// failures.
pub(super) fn each<B>(
    context: &Context,
    store: &Store,
    selection: &Selection,
    observer: &mut dyn Observer,
    begin: impl FnMut(Container) -> Result<Option<B>, Report>,
    finish: impl FnMut(B) -> Result<bool, Report>,
) -> Result<(), Report> {
    each_even_damaged(context, store, selection, observer, begin, finish, |_, error| Err(error.into()))
}

/// As [`each`], with an action for damaged containers.
pub(super) fn each_even_damaged<B>(
    context: &Context,
    store: &Store,
    selection: &Selection,
    observer: &mut dyn Observer,
    mut begin: impl FnMut(Container) -> Result<Option<B>, Report>,
    finish: impl FnMut(B) -> Result<bool, Report>,
    mut damaged: impl FnMut(&ContainerId, container::Error) -> Result<bool, Report>,
) -> Result<(), Report> {
    let words = selection.words()?;
    let listing =
        if words.is_empty() || !selection.filters.is_empty() { container::list(store)? } else { Listing::default() };
    let all: Vec<_> = listing.containers.iter().map(facts).collect();
    let filters = networks::in_filters(store, &selection.filters);
    let filter = ContainerFilter::parse(&filters, context.clock(), |name| created(name, &all))?;
    let matches = |container: &Container| filter.matches(facts(container));
    let mut side_by_side = SideBySide { under_way: VecDeque::new(), observer, finish };
    if words.is_empty() {
        let limit = if selection.latest { 1 } else { usize::MAX };
        for container in listing.containers.into_iter().take(limit).filter(matches) {
            let id = container.config.id.clone();
            if side_by_side.add(id.as_str(), begin(container).into()).is_break() {
                return Ok(());
            }
        }
        for (id, error) in listing.broken.into_iter().filter(|_| selection.all) {
            if side_by_side.add(id.as_str(), Step::Finished(damaged(&id, error))).is_break() {
                return Ok(());
            }
        }
    }
    let mut begun = BTreeSet::new();
    for word in &words {
        let mut found = container::find(store, word);
        if found.as_ref().is_ok_and(|container| !begun.insert(container.config.id.clone())) {
            // It was named before: what was done to it decides what can be done now.
            if side_by_side.finish_all().is_break() {
                return Ok(());
            }
            found = container::find(store, word);
        }
        let step = match found {
            Err(error) if error.is_missing() && selection.ignore => Step::Finished(Ok(false)),
            Err(container::Error::Damaged { id, reason }) if selection.filters.is_empty() => {
                Step::Finished(damaged(&id.clone(), container::Error::Damaged { id, reason }))
            }
            Err(error) => Step::Finished(Err(error.into())),
            Ok(container) if !matches(&container) => Step::Finished(Ok(false)),
            Ok(container) => begin(container).into(),
        };
        if side_by_side.add(word, step).is_break() {
            return Ok(());
        }
    }
    match side_by_side.finish_all() {
        // A break ends the use case, and is no failure of it.
        ControlFlow::Continue(()) | ControlFlow::Break(()) => Ok(()),
    }
}

/// How many containers are changed at the same time, at most: each takes a descriptor. Source: docker,
/// `parallelOperation`.
const MOST: usize = 50;

/// Containers whose requests are under way, in the order of the selection.
struct SideBySide<'a, B, F> {
    under_way: VecDeque<(String, Step<B>)>,
    observer: &'a mut dyn Observer,
    finish: F,
}

/// How far the work on a container is.
enum Step<B> {
    /// Its request was sent.
    Begun(B),
    /// Nothing is left to do.
    Finished(Result<bool, Report>),
}

impl<B> From<Result<Option<B>, Report>> for Step<B> {
    fn from(begun: Result<Option<B>, Report>) -> Self {
        match begun {
            Ok(Some(begun)) => Self::Begun(begun),
            Ok(None) => Self::Finished(Ok(false)),
            Err(report) => Self::Finished(Err(report)),
        }
    }
}

impl<B, F: FnMut(B) -> Result<bool, Report>> SideBySide<'_, B, F> {
    /// Adds a container. Waits for the first one if too many are under way.
    fn add(&mut self, name: &str, step: Step<B>) -> ControlFlow<()> {
        self.under_way.push_back((name.to_owned(), step));
        if self.under_way.len() > MOST { self.finish_first() } else { ControlFlow::Continue(()) }
    }

    /// Waits for all of them, and reports the results in order.
    fn finish_all(&mut self) -> ControlFlow<()> {
        while !self.under_way.is_empty() {
            self.finish_first()?;
        }
        ControlFlow::Continue(())
    }

    fn finish_first(&mut self) -> ControlFlow<()> {
        let Some((name, step)) = self.under_way.pop_front() else { return ControlFlow::Continue(()) };
        let result = match step {
            Step::Begun(begun) => (self.finish)(begun),
            Step::Finished(result) => result,
        };
        self.observer.item(&name, result)
    }
}
