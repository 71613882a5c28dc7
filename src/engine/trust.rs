//! Which images may come into the store.

use std::path::PathBuf;

use super::context::Context;
use crate::image::trust::{Policy, Requirement, signed_by};
use crate::registry::{Server, Stores};
use crate::types::{Report, ReportKind};

/// What is required of images.
#[derive(Debug, Clone)]
pub(crate) enum Trusted {
    /// Nothing.
    Accept,
    /// They are rejected.
    Reject,
    /// A signature by a key of each of these files.
    SignedBy(Vec<PathBuf>),
}

/// The policy: the user's, or else that of the host.
pub(crate) fn trust(context: &Context) -> Result<Policy, Report> {
    let (own, host) = context.places.policies();
    Ok(Policy::read(&own.into_iter().chain([host]).collect::<Vec<_>>())?)
}

/// Where signatures are.
pub(crate) fn stores(context: &Context) -> Result<Stores, Report> {
    Ok(Stores::read(&context.places)?)
}

/// Sets what is required of images of a registry or a part of it, or of all others (`default`), in the user's policy,
/// which begins as that of the host.
pub(crate) fn set_trust(context: &Context, scope: &str, trusted: Trusted) -> Result<(), Report> {
    let server = if scope == "default" { None } else { Some(Server::parse(scope)?) };
    let (Some(own), _) = context.places.policies() else {
        return Err(Report::new(ReportKind::Unavailable, "there is no directory for the user's policy"));
    };
    let mut policy = trust(context)?;
    let scope = server.map_or_else(|| scope.to_owned(), |server| server.to_string());
    let requirements = match trusted {
        Trusted::Accept => vec![Requirement::InsecureAcceptAnything],
        Trusted::Reject => vec![Requirement::Reject],
        Trusted::SignedBy(keys) => keys.iter().map(|key| signed_by(key)).collect::<Result<_, _>>()?,
    };
    Ok(policy.set(&scope, requirements, &own)?)
}
