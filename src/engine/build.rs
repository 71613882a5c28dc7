//! Building an image: the stages of a Dockerfile, one step after the other.
//!
//! ```text
//! make ── worker    stages that need nothing of each other, each in a child of its own
//! make ── stage ─┬─ run     RUN: a container without a name, which ends with this process; its output comes by pipes
//!                └─ files   COPY, ADD, WORKDIR, keeping layers: children that are root in the root namespace
//! tmp/scratch-PID-N/  locked while this process lives; a sweeper removes it afterwards
//!   step-N/           the overlay of a step: upper, work, merged
//! ```

mod agent;
mod archive;
mod event;
mod explain;
mod files;
mod foreign;
mod image;
mod imports;
mod input;
mod inputs;
mod kept;
mod keys;
mod lookup;
mod make;
mod mounts;
mod overlay;
mod prepare;
mod present;
mod remote;
mod request;
mod result;
mod run;
mod scene;
mod schedule;
mod shared;
mod sources;
mod stage;
mod waiting;
mod worker;

pub(crate) use event::{BuildEvent, Failed, Outcome, StepTitle, Stream};
pub(crate) use explain::explain;
pub(crate) use make::{Made, make};
pub(crate) use request::{BuildRequest, BuildSecret, Changes, Debugger, Export, Inherited, Squash};
use scene::Scene;
