//! What has become of each step, for `--metadata-file`.

use std::collections::BTreeMap;

use crate::engine::{BuildEvent, Outcome};
use crate::view::BuildStep;

/// The steps of a build.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Those that have ended, in the order of their ends.
    pub(super) steps: Vec<BuildStep>,
    /// The step that each stage takes.
    open: BTreeMap<usize, BuildStep>,
}

impl Journal {
    /// Notes what a stage tells.
    pub(super) fn note(&mut self, stage: usize, event: BuildEvent<'_>) {
        match event {
            BuildEvent::Begun(title) => {
                let step = BuildStep {
                    stage: title.stage.clone(),
                    number: title.number,
                    of: title.of,
                    text: title.text.clone(),
                    reason: None,
                    from: None,
                    took: None,
                };
                self.open.insert(stage, step);
            }
            BuildEvent::Missed(reason) => {
                if let Some(step) = self.open.get_mut(&stage) {
                    step.reason = Some(reason.clone());
                }
            }
            BuildEvent::Ended(outcome) => {
                let Some(mut step) = self.open.remove(&stage) else { return };
                if let Outcome::Done { took } = outcome {
                    step.took = Some(took);
                }
                self.steps.push(step);
            }
            BuildEvent::Output { .. } | BuildEvent::Noted(_) | BuildEvent::Tick => {}
        }
    }
}
