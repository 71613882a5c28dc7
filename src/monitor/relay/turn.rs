//! How much is moved before others have their turn.

/// Bytes that are moved at once.
pub(super) const CHUNK: usize = 256 * 1024;

/// How often that is done before commands are heard again: a pipe holds no more (pipe(7), `pipe-max-size`).
pub(super) const TURNS: u32 = 64;
