/// What `--explain` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Explain {
    /// Lines for people.
    Text,
    /// An object.
    Json,
    /// The `config.json` of an OCI bundle.
    Spec,
}

/// `--explain`.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ExplainArgs {
    /// Print what would be done, and do nothing: text, json, or spec for another OCI runtime (default: text)
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    #[arg(hide_possible_values = true)]
    pub(super) explain: Option<Explain>,
}
