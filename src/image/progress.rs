use crate::types::{Digest, ImageReference};

/// Follows a pull, from several threads at once. Must not block for long: it is called between pieces of data.
pub(crate) trait Progress: Send + Sync {
    /// The image's manifest is about to be fetched.
    fn start(&self, reference: &ImageReference);
    /// A layer's blob begins to arrive; `size` is its length in bytes. A layer that is in the store already does not
    /// begin.
    fn begin(&self, layer: &Digest, size: u64);
    /// So many more bytes of a layer are there. What an earlier try left comes as one large step.
    fn advance(&self, layer: &Digest, bytes: u64);
    /// A layer is done: unpacked, checked and named.
    fn finish(&self, layer: &Digest, outcome: Outcome);
}

/// How a layer came to be in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was fetched now.
    Fetched,
    /// Its blob was there, or another pull has just brought it.
    Present,
}

/// Shows nothing (`-q`).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Silent;

impl Progress for Silent {
    fn start(&self, _: &ImageReference) {}
    fn begin(&self, _: &Digest, _: u64) {}
    fn advance(&self, _: &Digest, _: u64) {}
    fn finish(&self, _: &Digest, _: Outcome) {}
}
