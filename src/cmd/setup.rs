//! `rc setup`: what makes rc fit into a user's environment.

pub(crate) mod names;
