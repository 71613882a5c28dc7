/// The options of all commands that remove what nothing uses.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PruneArgs {
    /// Remove only what matches: KEY=VALUE
    #[arg(long = "filter", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub(crate) force: bool,
}
