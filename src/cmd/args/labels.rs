use std::path::PathBuf;

use super::process::read_all;
use crate::plan::Request;
use crate::types::Report;

/// Options for labels.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct LabelArgs {
    /// Set metadata on the container
    #[arg(short, long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Read in a line-delimited file of labels
    #[arg(long, value_name = "FILE")]
    label_file: Vec<PathBuf>,
}

impl LabelArgs {
    /// Fails if a file cannot be read.
    pub(crate) fn fill(self, request: &mut Request) -> Result<(), Report> {
        request.labels = self.label;
        request.label_files = read_all(&self.label_file)?;
        Ok(())
    }
}
