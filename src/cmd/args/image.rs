use crate::plan::PullPolicy;

/// The options of a pull.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PullArgs {
    /// Specify the platform for selecting the image: OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// Suppress output information when pulling images
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Require HTTPS and verify certificates when contacting registries (default: true, except for loopback)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) tls_verify: Option<bool>,
}

/// Parses `--pull`: podman's words, and those of Kubernetes. Source: containers/common, `ParsePullPolicy`.
pub(in crate::cmd) fn pull_policy(text: &str) -> Result<PullPolicy, String> {
    match text {
        "always" | "Always" => Ok(PullPolicy::Always),
        "missing" | "Missing" | "ifmissing" | "ifMissing" | "ifnotpresent" | "IfNotPresent" => Ok(PullPolicy::Missing),
        "never" | "Never" => Ok(PullPolicy::Never),
        "newer" | "Newer" | "ifnewer" | "IfNewer" => Ok(PullPolicy::Newer),
        _ => Err("must be always, missing, never or newer".to_owned()),
    }
}
