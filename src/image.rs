//! Images: what registries and archives give, joined with the store.

mod config;
mod error;
/// Images in the store.
pub mod local;
/// What a pull tells whoever shows it.
pub mod progress;
/// From a registry into the store.
pub mod pull;

pub use config::{Config, History, RootFs, Settings};
pub use error::Error;
