//! One file per command: what was typed, and what is done with it.

pub mod args;
