//! One file per command: what was typed, and what is done with it.

pub mod args;
pub mod inspect;
pub mod logs;
pub mod ps;
pub mod version;
