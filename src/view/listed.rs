//! The two shapes of a row.

use serde::Serialize;

/// One row of a listing (`ps`, `images`, `volume ls` …), in its two shapes.
pub(crate) trait Listed {
    /// Every field of [`Listed::fields`], and its heading in `table`.
    const HEADINGS: &'static [(&'static str, &'static str)];

    /// What `--format json` shows: podman's names and types.
    fn json(&self) -> impl Serialize;

    /// What a template sees, and what `{{json .}}` shows: the names that docker and podman have in templates.
    fn fields(&self) -> impl Serialize;
}
