use std::path::PathBuf;

use super::super::observer::Observer;
use super::super::select::id_in;
use crate::plan;
use crate::pod::{self, Pod};
use crate::storage::Store;
use crate::types::{Report, ReportKind, Thing};

/// Which pods to act on.
#[derive(Debug, Default)]
pub(crate) struct PodSelection {
    /// Names, IDs or unique prefixes of IDs.
    pub(crate) names: Vec<String>,
    /// Files that contain IDs.
    pub(crate) files: Vec<PathBuf>,
    /// All.
    pub(crate) all: bool,
    /// The pod that was created last.
    pub(crate) latest: bool,
    /// A pod or a file that does not exist is not a failure.
    pub(crate) ignore: bool,
}

impl PodSelection {
    /// The selected pods; the newest first if it is all. If one does not exist, this fails, and nothing is done to the
    /// others. Source: podman, `getPodsByContext`.
    pub(super) fn find(&self, store: &Store) -> Result<Vec<Pod>, Report> {
        if self.all && self.latest {
            return Err(plan::Error::Exclusive { options: ["--all", "--latest"] }.into());
        }
        let words = self.words()?;
        if self.all || self.latest {
            let mut all = pod::list(store)?;
            if self.latest && all.is_empty() {
                return Err(Report::new(ReportKind::NotFound(Thing::Pod), "no pods exist"));
            }
            all.truncate(if self.latest { 1 } else { usize::MAX });
            return Ok(all);
        }
        let found = words.iter().map(|word| pod::find(store, word));
        let is_wanted = |found: &Result<Pod, Report>| {
            !self.ignore || !matches!(found, Err(report) if report.kind == ReportKind::NotFound(Thing::Pod))
        };
        found.filter(is_wanted).collect()
    }

    /// The names, also from the files. Fails if there are none, or some beside `all` or `latest`.
    fn words(&self) -> Result<Vec<String>, Report> {
        let mut words = self.names.clone();
        for file in &self.files {
            match id_in(file) {
                Err(error) if self.ignore && error.is_not_found() => {}
                other => words.push(other?),
            }
        }
        let invalid = |message: &str| Err(Report::new(ReportKind::Invalid, message));
        match (self.all || self.latest, words.is_empty()) {
            (true, false) if self.latest => invalid("pods cannot be named together with --latest"),
            (true, false) => invalid("pods cannot be named together with --all"),
            (false, true) if self.files.is_empty() => invalid("no pod was named"),
            _ => Ok(words),
        }
    }
}

/// The pod's name, which a start and a stop say. Source: podman.
pub(super) fn name(pod: &Pod) -> String {
    pod.sandbox.config.name.to_string()
}

/// The pod's ID, which the other commands say.
pub(super) fn id(pod: &Pod) -> String {
    pod.id().to_string()
}

/// Does something to each selected pod, one after the other; a failure does not stop the others. The observer gets the
/// results, of which `false` says that there was nothing to do, under what `called` says.
pub(super) fn each(
    store: &Store,
    selection: &PodSelection,
    called: impl Fn(&Pod) -> String,
    observer: &mut dyn Observer,
    mut act: impl FnMut(&Pod, &mut dyn Observer) -> Result<bool, Report>,
) -> Result<(), Report> {
    for pod in selection.find(store)? {
        let done = act(&pod, observer);
        if observer.item(&called(&pod), done).is_break() {
            break;
        }
    }
    Ok(())
}
