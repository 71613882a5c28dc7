//! Images: what registries and archives give, joined with the store.

/// What a pull tells whoever shows it.
pub mod progress;
