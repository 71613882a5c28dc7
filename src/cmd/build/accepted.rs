//! Options whose promise always holds, and those that only ask for nothing.

use crate::error::Error;

/// Options of docker and podman that change nothing here.
#[derive(Debug, Default, clap::Args)]
pub(super) struct AcceptedArgs {
    /// Compress the context (accepted for compatibility: rc does not send it anywhere)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    compress: Option<bool>,
    /// Remove what steps have left, even if the build fails (accepted for compatibility: rc always does)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    force_rm: Option<bool>,
    /// Store the image (accepted for compatibility: rc always does)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    load: Option<bool>,
    /// Add an attestation of the provenance: false
    #[arg(long, value_name = "BOOL")]
    provenance: Option<String>,
    /// Remove what steps have left (accepted for compatibility: rc always does)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rm: Option<bool>,
    /// Add a list of the software in the image: false
    #[arg(long, value_name = "BOOL")]
    sbom: Option<String>,
}

impl AcceptedArgs {
    /// Refuses what rc cannot do, and says what has no effect.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (name, value) in [("--provenance", &self.provenance), ("--sbom", &self.sbom)] {
            if value.as_ref().is_some_and(|value| !matches!(value.as_str(), "false" | "none" | "disabled=true")) {
                return Err(
                    Error::new(format!("`{name}`: rc makes no attestations")).with_hint(format!("{name}=false"))
                );
            }
        }
        Ok(())
    }
}
