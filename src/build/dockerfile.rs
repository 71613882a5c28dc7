//! The language of Dockerfiles: BuildKit's, with all errors of a file at once.
//!
//! ```text
//! text ── lines ─→ logical lines ── words, heredoc ─→ words ── parse ─→ instructions ── file ─→ Dockerfile
//! Dockerfile, what the caller gives ── scope, expand; stages ─→ graph ── fold ─→ steps, configurations: Plan
//! ```

mod checks;
mod copy;
/// Stages, steps and configurations.
pub(crate) mod evaluate;
mod expand;
/// Whole files.
pub(crate) mod file;
mod findings;
mod flags;
mod fold;
mod given;
mod health;
mod heredoc;
/// Instructions as typed.
pub(crate) mod instruction;
mod lines;
/// `RUN --mount`.
pub(crate) mod mount;
/// What a file offers to its caller.
pub(crate) mod outline;
mod parse;
mod pattern;
mod read;
/// Checks by their names.
pub(crate) mod rules;
/// Variables.
pub(crate) mod scope;
/// Texts and places in them.
pub(crate) mod source;
/// Stages and what they need of each other.
pub(crate) mod stages;
/// What is left to do.
pub(crate) mod steps;
mod words;
