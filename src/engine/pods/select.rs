use std::path::PathBuf;

use super::super::observer::Observer;
use super::super::select::id_in;
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

/// A pod of a selection, under the name that the selection has; `None` if it is missing and that is no failure.
pub(super) type Selected = (String, Result<Option<Pod>, Report>);

impl PodSelection {
    /// The selected pods; the newest first if it is all.
    pub(super) fn find(&self, store: &Store) -> Result<Vec<Selected>, Report> {
        let mut words = self.names.clone();
        for file in &self.files {
            match id_in(file) {
                Err(error) if self.ignore && error.is_not_found() => {}
                other => words.push(other?),
            }
        }
        let invalid = |message: &str| Err(Report::new(ReportKind::Invalid, message));
        let is_of_all = self.all || self.latest;
        match (is_of_all, words.is_empty()) {
            (true, false) if self.latest => return invalid("pods cannot be named together with --latest"),
            (true, false) => return invalid("pods cannot be named together with --all"),
            (false, true) if self.files.is_empty() => return invalid("no pod was named"),
            _ => {}
        }
        if is_of_all {
            let all = pod::list(store)?;
            if self.latest && all.is_empty() {
                return Err(Report::new(ReportKind::NotFound(Thing::Pod), "no pods exist"));
            }
            let most = if self.latest { 1 } else { usize::MAX };
            return Ok(all.into_iter().take(most).map(|pod| (pod.id().to_string(), Ok(Some(pod)))).collect());
        }
        let found = |word: String| {
            let pod = match pod::find(store, &word) {
                Err(report) if self.ignore && report.kind == ReportKind::NotFound(Thing::Pod) => Ok(None),
                other => other.map(Some),
            };
            (word, pod)
        };
        Ok(words.into_iter().map(found).collect())
    }
}

/// Does something to each selected pod, one after the other; a failure does not stop the others. The observer gets the
/// results under the names that the selection has.
pub(super) fn each(
    store: &Store,
    selection: &PodSelection,
    observer: &mut dyn Observer,
    mut act: impl FnMut(&Pod, &mut dyn Observer) -> Result<(), Report>,
) -> Result<(), Report> {
    for (name, found) in selection.find(store)? {
        let done = match found {
            Ok(Some(pod)) => act(&pod, observer).map(|()| true),
            Ok(None) => Ok(false),
            Err(report) => Err(report),
        };
        if observer.item(&name, done).is_break() {
            break;
        }
    }
    Ok(())
}
