//! What is left to do of a stage: the steps that make layers, and the configuration.

use std::collections::BTreeMap;

use super::instruction::{Network, Security};
use super::mount::Mount;
use super::scope::Scope;
use super::source::Span;
use super::stages::Origin;
use crate::build::chmod::Mode;
use crate::types::ImageSettings;

/// A stage, folded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Folded {
    /// The defaults of the image.
    pub(crate) settings: ImageSettings,
    /// `MAINTAINER`.
    pub(crate) author: Option<String>,
    /// What makes layers.
    pub(crate) steps: Vec<Step>,
    /// The history of the stage itself.
    pub(crate) history: Vec<Entry>,
    /// The variables at its end.
    pub(crate) scope: Scope,
    /// The stage says where its program runs: a relative WORKDIR means what it says.
    pub(crate) has_workdir: bool,
    /// The defaults of the base are known, and so are all variables.
    pub(crate) is_known: bool,
}

/// An entry of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What was done, as `history` shows it.
    pub(crate) created_by: String,
    /// The step, by its place among the stage's; `None` if it changes the configuration alone.
    pub(crate) step: Option<usize>,
}

/// A step that may make a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The instruction.
    pub(crate) span: Span,
    /// The instruction as typed, on one line.
    pub(crate) text: String,
    /// What it does.
    pub(crate) action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// RUN.
    Run(Box<RunStep>),
    /// COPY and ADD.
    Copy(Box<CopyStep>),
    /// WORKDIR: a directory that is made if it is missing.
    Workdir {
        /// It, absolute.
        path: String,
        /// USER, to whom it belongs then; empty for root.
        user: String,
    },
}

/// RUN, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunStep {
    /// The program with its arguments.
    pub(crate) argv: Vec<String>,
    /// The program, if it is in the Dockerfile: its path is [`SCRIPTS`] and its name.
    pub(crate) script: Option<Script>,
    /// `NAME=value`: ENV, and the declared arguments that have a value.
    pub(crate) env: Vec<String>,
    /// Proxies that the caller gives, without being declared: in the environment, but in no key and no history.
    pub(crate) proxies: BTreeMap<String, String>,
    /// USER; empty for root.
    pub(crate) user: String,
    /// WORKDIR, absolute.
    pub(crate) directory: String,
    /// `--mount`.
    pub(crate) mounts: Vec<StepMount>,
    /// `--network`.
    pub(crate) network: Network,
    /// `--security`.
    pub(crate) security: Security,
    /// `--device`.
    pub(crate) devices: Vec<Device>,
}

/// Where scripts of here-documents are.
pub(crate) const SCRIPTS: &str = "/dev/pipes";

/// A here-document that begins with `#!`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    /// One component.
    pub(crate) name: String,
    /// What it says.
    pub(crate) content: String,
}

/// A mount with what it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepMount {
    /// The mount. Its target is absolute.
    pub(crate) mount: Mount,
    /// The stage or image; `None` is the context, or nothing.
    pub(crate) origin: Option<Origin>,
    /// The flag.
    pub(crate) span: Span,
}

/// `--device=NAME[,required]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// The name of a device for containers (CDI).
    pub(crate) name: String,
    /// Without it the step fails.
    pub(crate) is_required: bool,
    /// The flag.
    pub(crate) span: Span,
}

/// COPY or ADD, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyStep {
    /// The stage or image; `None` is the context.
    pub(crate) origin: Option<Origin>,
    /// What is copied, as typed and expanded.
    pub(crate) sources: Vec<String>,
    /// Files whose content is in the Dockerfile.
    pub(crate) documents: Vec<Script>,
    /// Where to, absolute. With a `/` at its end it is a directory.
    pub(crate) destination: String,
    /// `--chown`.
    pub(crate) chown: Option<String>,
    /// `--chmod`.
    pub(crate) chmod: Option<Mode>,
    /// `--link`.
    pub(crate) link: bool,
    /// `--parents`.
    pub(crate) parents: bool,
    /// `--exclude`.
    pub(crate) exclude: Vec<String>,
    /// What only ADD has.
    pub(crate) add: Option<AddStep>,
}

/// What only ADD has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AddStep {
    /// `--keep-git-dir`.
    pub(crate) keep_git_dir: Option<bool>,
    /// `--checksum`.
    pub(crate) checksum: Option<String>,
    /// `--unpack`.
    pub(crate) unpack: Option<bool>,
}
