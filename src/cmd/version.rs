//! `version`: which rc this is.

use crate::ui::view::version;
use crate::ui::{self, Format, format};

/// Display the rc version information
#[derive(Debug, Default, clap::Args)]
pub struct VersionArgs {
    /// Change the output format to JSON or a Go template
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    pub format: Option<String>,
}

/// Shows rc's version.
pub fn show(args: &VersionArgs) -> Result<(), format::Error> {
    let mut out = ui::out();
    match args.format.as_deref().and_then(Format::parse) {
        Some(Format::Json) => Format::Json.object(&mut out, &version())?,
        Some(template) => template.object(&mut out, &version().for_templates())?,
        None => version().lines().iter().try_for_each(|line| out.line(line))?,
    }
    Ok(out.finish()?)
}
