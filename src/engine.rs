//! What rc does: one function for each use case, for the command line and for every other front end.
//!
//! A use case takes a [`Context`] (where things are, and how the user wants them) and a request as data, and gives typed
//! results or a [`Report`](crate::types::Report). One that works on several things, or for long, tells an [`Observer`] how it
//! goes. Nothing in here parses a command line, prints, or looks at the environment, the standard descriptors, the working
//! directory or the time zone of this process: a front end hands them over as values ([`Caller`]).

mod context;
mod create;
mod facts;
mod image;
mod observer;
mod pull;
mod run;
mod start;
mod sweep;

pub(crate) use context::{Caller, Context};
pub(crate) use create::create;
pub(crate) use facts::block_device;
pub(crate) use image::inside;
pub(crate) use observer::Observer;
pub(crate) use pull::{Pull, pull};
pub(crate) use run::{Started, run};
pub(crate) use start::start;
pub(crate) use sweep::{in_use, sweep, sweep_all, sweep_soon};
