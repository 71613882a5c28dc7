use std::path::PathBuf;

use crate::plan::{ExecRequest, Request, TextFile};
use crate::sys::fs::{self, PathError};

/// The options for a program, in a new container or in a running one.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ProcessArgs {
    /// Run in the background and print the ID
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Override the key sequence for detaching: `ctrl-X` or characters, separated by commas
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<String>,
    /// Set environment variables: NAME=VALUE, or NAME or NAME* to copy the caller's
    #[arg(short, long, value_name = "ENV", allow_hyphen_values = true)]
    pub(crate) env: Vec<String>,
    /// Read in a file of environment variables
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// Make STDIN available to the contained process
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Allocate a pseudo-TTY
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Username or UID (format: NAME|UID[:GROUP|GID])
    #[arg(short, long, value_name = "USER", allow_hyphen_values = true)]
    pub(crate) user: Option<String>,
    /// Working directory inside the container
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
}

impl ProcessArgs {
    /// Fills in the program's part of a new container's request. Fails if an environment file cannot be read.
    pub(super) fn fill(self, request: &mut Request) -> Result<(), PathError> {
        request.detach = self.detach;
        request.detach_keys = self.detach_keys;
        request.env = self.env;
        request.env_files = read_all(&self.env_file)?;
        request.interactive = self.interactive;
        request.tty = self.tty;
        request.user = self.user;
        request.working_dir = self.workdir;
        Ok(())
    }

    /// The request of `exec` for `command`. Fails if an environment file cannot be read.
    pub(crate) fn into_exec_request(self, command: Vec<String>) -> Result<ExecRequest, PathError> {
        Ok(ExecRequest {
            command,
            detach: self.detach,
            interactive: self.interactive,
            tty: self.tty,
            detach_keys: self.detach_keys,
            env: self.env,
            env_files: read_all(&self.env_file)?,
            user: self.user,
            working_dir: self.workdir,
            privileged: false,
        })
    }
}

/// Reads the files that an option names, which may be pipes (`<(…)`).
pub(in crate::cmd) fn read_all(paths: &[PathBuf]) -> Result<Vec<TextFile>, PathError> {
    paths
        .iter()
        .map(|path| Ok(TextFile { path: path.display().to_string(), text: fs::read_to_string(path)? }))
        .collect()
}
