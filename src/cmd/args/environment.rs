use crate::plan::Request;

/// What changes the variables that the program gets without being asked for them.
#[derive(Debug, Default, clap::Args)]
pub(super) struct EnvironmentArgs {
    /// Use all current host environment variables in the container
    #[arg(long)]
    env_host: bool,
    /// Preprocess environment variables of the image before injecting them into the container
    #[arg(long, value_name = "NAME=WORD")]
    env_merge: Vec<String>,
    /// Unset environment default variables in the container
    #[arg(long, value_name = "NAME")]
    unsetenv: Vec<String>,
    /// Unset all default environment variables in the container
    #[arg(long)]
    unsetenv_all: bool,
}

impl EnvironmentArgs {
    /// Fills in this part of the request.
    pub(super) fn fill(self, request: &mut Request) {
        request.env_host = self.env_host;
        request.env_merge = self.env_merge;
        request.unset_env = self.unsetenv;
        request.unset_env_all = self.unsetenv_all;
    }
}
