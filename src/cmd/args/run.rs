use super::{ContainerArgs, Explain, PreserveArgs};
use crate::plan::{self, Request};
use crate::types::Report;

/// The options of `run`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct RunArgs {
    /// Remove the image, too, when the container is removed, unless another one uses it; implies --rm
    #[arg(long)]
    rmi: bool,
    /// Proxy received signals to the process (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sig_proxy: Option<bool>,
    #[command(flatten)]
    preserve: PreserveArgs,
    #[command(flatten)]
    container: ContainerArgs,
}

impl RunArgs {
    /// Whether `--quiet` suppresses the progress of a pull.
    pub(crate) fn is_quiet(&self) -> bool {
        self.container.is_quiet()
    }

    /// `--rmi`.
    pub(crate) fn removes_image(&self) -> bool {
        self.rmi
    }

    /// `--explain`.
    pub(crate) fn explain(&self) -> Option<Explain> {
        self.container.explain()
    }

    /// The request, as [`ContainerArgs::into_request`].
    pub(crate) fn into_request(self, typed: &[String]) -> Result<Request, Report> {
        let request = self.container.into_request(typed)?;
        if request.detach && self.rmi {
            return Err(plan::Error::Exclusive { options: ["--detach", "--rmi"] }.into());
        }
        if request.detach && !request.attach.is_empty() {
            return Err(plan::Error::Exclusive { options: ["--attach", "--detach"] }.into());
        }
        let auto_remove = request.auto_remove || self.rmi;
        Ok(Request { auto_remove, sig_proxy: self.sig_proxy, descriptors: self.preserve.into_requests(), ..request })
    }
}
