//! `rc build`: the language, and what a step copies and depends on. Only `copy` opens files, of a context or a stage.

/// `--cache-from` and `--cache-to`.
pub(crate) mod cache;
/// What a cache outside the store says of itself.
pub(crate) mod cache_config;
/// Modes for `COPY --chmod` and `ADD --chmod`.
pub(crate) mod chmod;
/// What COPY and ADD take and write.
pub(crate) mod copy;
/// Fields separated by commas.
mod csv;
/// The language: from the text of a Dockerfile to steps and the configuration of an image.
pub(crate) mod dockerfile;
/// URLs of git repositories, as contexts and as sources of ADD.
pub(crate) mod git;
/// `.dockerignore` and `.containerignore`.
pub(crate) mod ignore;
/// Keys of the cache.
pub(crate) mod key;
/// Contexts, also those that have names.
pub(crate) mod named;
/// `--output`.
pub(crate) mod output;
/// Why a step is not in the cache.
pub(crate) mod reason;
/// `--ssh`, and what of an agent's protocol gets through.
pub(crate) mod ssh;
/// Times of files.
pub(crate) mod times;
