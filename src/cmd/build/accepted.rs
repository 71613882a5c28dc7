//! Options whose promise always holds, and those that only ask for nothing.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::Error;

/// Options of docker and podman that change nothing here.
#[derive(Debug, Default, clap::Args)]
pub(super) struct AcceptedArgs {
    /// Name the builder: default, or a name that `buildx create` has given it
    #[arg(long, value_name = "NAME")]
    builder: Option<String>,
    /// Compress the context (accepted for compatibility: rc does not send it anywhere)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    compress: Option<bool>,
    /// Write more messages (accepted for compatibility: rc has no others)
    #[arg(short = 'D', long)]
    debug: bool,
    /// Annotate the image with the time of its creation: false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    created_annotation: Option<bool>,
    /// Do not compress layers (accepted for compatibility: the store has them without compression)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_compression: Option<bool>,
    /// Skip image verification (accepted for compatibility: rc always verifies digests)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: Option<bool>,
    /// Remove what steps have left, even if the build fails (accepted for compatibility: rc always does)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    force_rm: Option<bool>,
    /// Label the image with the version of the builder: false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    identity_label: Option<bool>,
    /// How steps are confined: default, oci or rootless (accepted for compatibility: rc has one way)
    #[arg(long, value_name = "TYPE")]
    isolation: Option<String>,
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
    /// Build no stage that the target does not need (accepted for compatibility: rc never does)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    skip_unused_stages: Option<bool>,
    /// The user namespace of steps: host, container or private (accepted for compatibility: files have the same owners)
    #[arg(long, value_name = "NAMESPACE")]
    userns: Option<String>,
}

impl AcceptedArgs {
    /// Refuses what rc cannot do, and says what has no effect.
    pub(super) fn check(&self, ctx: &Ctx) -> Result<(), Error> {
        if self.builder.is_some() {
            engine::builder(&ctx.engine, self.builder.as_deref())?;
        }
        for (name, value) in [("--provenance", &self.provenance), ("--sbom", &self.sbom)] {
            if value.as_ref().is_some_and(|value| !matches!(value.as_str(), "false" | "none" | "disabled=true")) {
                return Err(
                    Error::new(format!("`{name}`: rc makes no attestations")).with_hint(format!("{name}=false"))
                );
            }
        }
        for (name, value, hint) in [
            ("--created-annotation", self.created_annotation, "annotate it: `--annotation NAME=VALUE`"),
            ("--identity-label", self.identity_label, "label it: `--label NAME=VALUE`"),
        ] {
            if value == Some(true) {
                return Err(Error::new(format!("`{name}`: rc says in no image what has built it")).with_hint(hint));
            }
        }
        if self.skip_unused_stages == Some(false) {
            let error = Error::new("`--skip-unused-stages=false`: rc builds what the target needs");
            return Err(error.with_hint("build each of the others by its name: `--target STAGE`"));
        }
        if let Some(other) =
            self.userns.as_deref().filter(|text| !matches!(*text, "" | "host" | "container" | "private"))
        {
            let error = Error::new(format!(
                "`--userns {}`: rc builds with the IDs of its root namespace",
                other.escape_debug()
            ));
            return Err(error.with_hint("give files other owners: `COPY --chown`, `RUN chown`"));
        }
        match self.isolation.as_deref() {
            None | Some("" | "default" | "oci" | "rootless") => Ok(()),
            Some(other) => {
                let error = Error::new(format!("`--isolation {}`: rc confines all steps", other.escape_debug()));
                Err(error.with_hint("for one that needs more: RUN --security=insecure, --allow security.insecure"))
            }
        }
    }
}
