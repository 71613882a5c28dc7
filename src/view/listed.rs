//! The two shapes of a row.

use serde::Serialize;

/// A row of a listing (`ps`, `images`, `volume ls` …), in its two shapes.
pub(crate) trait Listed {
    /// Every field of [`Listed::fields`], and its heading in `table`.
    const HEADINGS: &'static [(&'static str, &'static str)];

    /// The row for `--format json`: podman's names and types.
    fn json(&self) -> impl Serialize;

    /// The row for templates and for `{{json .}}`: the names of docker and podman in templates.
    fn fields(&self) -> impl Serialize;
}
