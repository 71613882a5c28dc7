//! Which images may come into the store.

use super::context::Context;
use crate::image::trust::Policy;
pub(crate) use crate::image::trust::Verdict;
use crate::registry::Server;
use crate::types::{Report, ReportKind};

/// The policy: the user's, or else that of the host.
pub(crate) fn trust(context: &Context) -> Result<Policy, Report> {
    let (own, host) = context.places.policies();
    Ok(Policy::read(&own.into_iter().chain([host]).collect::<Vec<_>>())?)
}

/// Sets what is done with images of a registry or a part of it, or with all others (`default`), in the user's policy,
/// which begins as that of the host.
pub(crate) fn set_trust(context: &Context, scope: &str, verdict: Verdict) -> Result<(), Report> {
    let server = if scope == "default" { None } else { Some(Server::parse(scope)?) };
    let (Some(own), _) = context.places.policies() else {
        return Err(Report::new(ReportKind::Unavailable, "there is no directory for the user's policy"));
    };
    let mut policy = trust(context)?;
    let scope = server.map_or_else(|| scope.to_owned(), |server| server.to_string());
    Ok(policy.set(&scope, verdict, &own)?)
}
