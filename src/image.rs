//! Images: joins registries and archives with the store.

/// Images that were built.
pub(crate) mod built;
/// Caches of builds outside the store.
pub(crate) mod cache;
mod change;
/// Images of containers.
pub(crate) mod commit;
mod config;
mod error;
mod foreign;
mod format;
/// Images from an archive of a filesystem.
pub(crate) mod import;
/// Lists of images for several platforms.
pub(crate) mod list;
/// Images from archives.
pub(crate) mod load;
/// Images in the store.
pub(crate) mod local;
/// Where images come from and go to.
pub(crate) mod location;
mod make;
/// The progress of a pull, for its display.
pub(crate) mod progress;
/// From a registry into the store.
pub(crate) mod pull;
/// From the store to a registry.
pub(crate) mod push;
/// Images with other layers for archives.
pub(crate) mod repack;
/// Images to archives and directories.
pub(crate) mod save;
/// Signatures of images that are pushed.
pub(crate) mod sign;
/// Which images may come into the store.
pub(crate) mod trust;

pub(crate) use config::{Config, History, RootFs};
pub(crate) use error::Error;
