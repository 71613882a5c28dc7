use crate::types::{Digest, ImageReference};

/// Follows a pull, from several threads at once. Must not block for long: it is called between pieces of data.
pub(crate) trait Progress: Send + Sync {
    /// The pull of the image's manifest starts.
    fn start(&self, reference: &ImageReference);
    /// A layer's blob starts to arrive; `size` is its length in bytes. Not called for a layer that is already in the
    /// store.
    fn begin(&self, layer: &Digest, size: u64);
    /// This many more bytes of a layer have arrived. The bytes of an earlier attempt come as one large step.
    fn advance(&self, layer: &Digest, bytes: u64);
    /// A layer is done: unpacked, checked and named.
    fn finish(&self, layer: &Digest, outcome: Outcome);
    /// The registry keeps rc waiting, or a request is repeated; one sentence.
    fn waits(&self, _text: &str) {}
}

/// How a layer got into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was pulled now.
    Fetched,
    /// Its blob was already there, or another pull has just finished it.
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
