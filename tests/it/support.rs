//! The tools of every test.
//!
//! ```text
//! let lab = Lab::new();                                  a home, XDG directories and a store of the test's own
//! let image = lab.payload();                             the payload program, imported
//! lab.rc(["run", "--rm", &image, "/payload", "exit", "3"]).run().exits(3);
//! let web = lab.rc(["run", &image, "/payload", "tcp", "80"]).start();
//! web.line("ready");                                     waits for a line of its output
//! web.kill(Signal::TERM); web.wait().exits(143);
//! ```
//! Dropping the `Lab` checks for leaks (`leak.rs`): no process or mount of the test, no container, nothing in the
//! store's `tmp` and `trash`. A missing precondition is a counted skip: `require!`, `skip!` (`skip.rs`). Tests run in
//! parallel, so they share nothing: no port number, no name on the host, no file outside their `Lab`.

#[macro_use]
pub(crate) mod skip;

pub(crate) mod chance;
pub(crate) mod command;
pub(crate) mod image;
pub(crate) mod lab;
mod leak;
pub(crate) mod machines;
#[expect(dead_code, reason = "the unit tests of the program use the rest")]
pub(crate) mod name_server;
pub(crate) mod output;
pub(crate) mod port;
pub(crate) mod processes;
pub(crate) mod registry;
pub(crate) mod repository;
pub(crate) mod terminal;
pub(crate) mod wait;
pub(crate) mod web;

pub(crate) use chance::Chance;
pub(crate) use command::Running;
pub(crate) use image::{Compression, Image, Layer};
pub(crate) use lab::{Lab, address, run};
pub(crate) use output::{Exit, Output};
pub(crate) use registry::Registry;
pub(crate) use repository::Repository;
pub(crate) use rustix::process::Signal;
pub(crate) use skip::Set;
pub(crate) use web::{Page, Web};
