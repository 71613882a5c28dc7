use std::path::PathBuf;

use crate::engine::{self, PodSelection};
use crate::plan::{self, Request};
use crate::types::Report;

/// The pod of a container.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PodArgs {
    /// Run container in an existing pod, or in a new one: new:NAME
    #[arg(long, value_name = "POD")]
    pod: Option<String>,
    /// Read the pod ID from the file
    #[arg(long, value_name = "FILE")]
    pod_id_file: Option<PathBuf>,
}

impl PodArgs {
    /// Fails if the file cannot be read, or both are given.
    pub(super) fn fill(self, request: &mut Request) -> Result<(), Report> {
        request.pod = match (self.pod, self.pod_id_file) {
            (Some(_), Some(_)) => {
                return Err(plan::Error::Exclusive { options: ["--pod", "--pod-id-file"] }.into());
            }
            (None, Some(file)) => Some(engine::id_in(&file)?),
            (pod, None) => pod.filter(|pod| !pod.is_empty()),
        };
        Ok(())
    }
}

/// The pods of a command.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PodNameArgs {
    /// Apply to all pods
    #[arg(short, long)]
    all: bool,
    /// Act on the latest created pod
    #[arg(short, long)]
    latest: bool,
    /// Read the pod ID from the file
    #[arg(long = "pod-id-file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The pods' names or IDs
    #[arg(value_name = "POD")]
    names: Vec<String>,
}

impl From<PodNameArgs> for PodSelection {
    fn from(args: PodNameArgs) -> Self {
        Self { names: args.names, files: args.files, all: args.all, latest: args.latest, ignore: false }
    }
}
