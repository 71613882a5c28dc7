//! Not yet built.

pub mod stub;
