//! `rc build`, the pure part: text in, values out. Nothing here opens a file, asks a registry or starts a program; the
//! caller gives the texts, and paths as strings.

/// Modes for `COPY --chmod` and `ADD --chmod`.
pub(crate) mod chmod;
/// The language: from the text of a Dockerfile to steps and the configuration of an image.
pub(crate) mod dockerfile;
/// URLs of git repositories, as contexts and as sources of ADD.
pub(crate) mod git;
/// `.dockerignore` and `.containerignore`.
pub(crate) mod ignore;
