//! Images: what registries and archives give, joined with the store.

mod change;
mod config;
mod error;
/// Images from a file system in an archive.
pub mod import;
/// Images from archives.
pub mod load;
/// Images in the store.
pub mod local;
mod make;
/// What a pull tells whoever shows it.
pub mod progress;
/// From a registry into the store.
pub mod pull;
/// Images to archives.
pub mod save;

pub use config::{Config, History, RootFs, Settings};
pub use error::Error;
