use std::fs::File;
use std::io::Read as _;

use serde::{Deserialize, Serialize};

use crate::cmd::args::{self, ContainerArgs, RunArgs};
use crate::plan::Request;
use crate::sys::inherited;
use crate::types::{Report, ReportKind, json};

/// The descriptor that rc reads the document from.
const DESCRIPTOR: i32 = 3;

/// A request, and what to do with it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Document {
    pub(super) action: Action,
    pub(super) request: Request,
}

/// What rc does with the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// It creates and starts it.
    Run,
    /// It creates it.
    Create,
}

impl Document {
    /// Reads the document from its descriptor.
    pub(super) fn read() -> Result<Self, Report> {
        let invalid = |reason: String| Report::new(ReportKind::Invalid, format!("cannot read a request: {reason}"));
        let not_open = || invalid(format!("descriptor {DESCRIPTOR} is not open"));
        let source = inherited::take(DESCRIPTOR).ok_or_else(not_open)?;
        let mut text = Vec::new();
        // One byte more than is accepted, so that a document that is too large is refused as that.
        let most = u64::try_from(json::SIZE).unwrap_or(u64::MAX).saturating_add(1);
        File::from(source).take(most).read_to_end(&mut text).map_err(|error| invalid(error.to_string()))?;
        json::from_slice(&text).map_err(|error| invalid(error.to_string()))
    }

    /// The document that does the same as a command line, which begins with `run` or `create`.
    pub(super) fn of_line(words: &[String]) -> Result<Self, Report> {
        let typed: Vec<String> = std::iter::once("rc".to_owned()).chain(words.iter().cloned()).collect();
        let (action, request) = match words.first().map(String::as_str) {
            Some("run") => (Action::Run, parse::<RunArgs>(words)?.into_request(&typed)?),
            Some("create") => (Action::Create, parse::<ContainerArgs>(words)?.into_request(&typed)?),
            _ => return Err(Report::new(ReportKind::Invalid, "the command must be `run` or `create`")),
        };
        Ok(Self { action, request })
    }

    /// As it is read.
    pub(super) fn to_json(&self) -> Result<String, Report> {
        serde_json::to_string(self).map_err(|error| Report::new(ReportKind::Internal, error.to_string()))
    }
}

fn parse<T: clap::Args>(words: &[String]) -> Result<T, Report> {
    let command = clap::Command::new("rc").disable_help_flag(true);
    let matches = args::with_values(T::augment_args(command)).try_get_matches_from(words);
    matches
        .and_then(|matches| T::from_arg_matches(&matches))
        .map_err(|error| Report::new(ReportKind::Invalid, error.to_string().trim_end().to_owned()))
}
