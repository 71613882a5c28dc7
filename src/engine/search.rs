//! Searching registries.

use super::context::Context;
use super::registry::{self as connection, Connection};
use crate::registry::{self, Client, Credentials, Hit, Server};
use crate::types::{ImageReference, Invalid, Report};

/// A repository that was found, and where.
#[derive(Debug)]
pub(crate) struct Found {
    /// The registry.
    pub(crate) index: String,
    /// The whole name of the repository.
    pub(crate) name: String,
    /// What the registry says of it.
    pub(crate) hit: Hit,
}

/// Searches for repositories: `[REGISTRY/]TERM`; without a registry, in each of those in which short names are
/// searched, docker.io if no file says otherwise. At most `limit` of each, and a failure for each that did not answer.
///
/// Fails if none has answered.
pub(crate) fn search(
    context: &Context,
    typed: &str,
    limit: usize,
    connection: &Connection,
) -> Result<(Vec<Found>, Vec<Report>), Report> {
    let (named, term) = split(typed);
    let registries: Vec<&str> = match named {
        Some(registry) => vec![registry],
        None => context.registries.get()?.searched().collect(),
    };
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for registry in &registries {
        match search_in(context, registry, term, limit, connection) {
            Ok(mut some) => found.append(&mut some),
            Err(report) => failures.push(report),
        }
    }
    if failures.len() == registries.len()
        && let Some(report) = failures.pop()
    {
        return Err(report);
    }
    Ok((found, failures))
}

fn search_in(
    context: &Context,
    registry: &str,
    term: &str,
    limit: usize,
    connection: &Connection,
) -> Result<Vec<Found>, Report> {
    let server = Server::parse(registry)?;
    let options = options(context, &server, connection)?;
    let fail = |error: registry::Error| {
        let message = format!("cannot search `{server}`: {error}");
        Report::from(error).with_message(message)
    };
    let hits = registry::block_on(registry::search(server.registry(), term, limit, options));
    let hits = hits.and_then(|answer| answer).map_err(fail)?;
    let found = |hit: Hit| {
        let is_short = server.registry() == "docker.io" && !hit.name.contains('/');
        let path = if is_short { "library/" } else { "" };
        Found { index: server.registry().to_owned(), name: format!("{}/{path}{}", server.registry(), hit.name), hit }
    };
    Ok(hits.into_iter().map(found).collect())
}

/// Lists tags of a repository: its whole name, and at most `limit` tags.
pub(crate) fn search_tags(
    context: &Context,
    typed: &str,
    limit: usize,
    connection: &Connection,
) -> Result<(String, Vec<String>), Report> {
    let names = context.registries.get()?.pulled(typed)?;
    let Some(reference) = names.first() else { return Err(Invalid::new("repository", typed, "names nothing").into()) };
    let server = Server::parse(&reference.name())?;
    let options = options(context, &server, connection)?;
    let fail = |error: registry::Error| {
        let message = format!("cannot list the tags of `{}`: {error}", reference.name());
        Report::from(error).with_message(message)
    };
    let client = Client::new(reference, options).map_err(fail)?;
    let mut tags = registry::block_on(client.tags()).and_then(|answer| answer).map_err(fail)?;
    // Registries list them in any order.
    tags.sort();
    tags.truncate(limit);
    Ok((reference.name(), tags))
}

/// The registry, if one is named, and the rest.
fn split(typed: &str) -> (Option<&str>, &str) {
    match typed.split_once('/') {
        Some((host, rest)) if !ImageReference::is_short(typed) => (Some(host), rest),
        _ => (None, typed),
    }
}

fn options(context: &Context, server: &Server, connection: &Connection) -> Result<registry::Options, Report> {
    let credentials = match &connection.credentials {
        Some(given) => Some(given.clone()),
        None => Credentials::of_server(server, connection.authfile.as_deref(), &context.places)?,
    };
    connection::options_for(context, server.registry(), connection, credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_may_begin_with_a_registry() {
        for (typed, expected) in [
            ("alpine", (None, "alpine")),
            ("library/alpine", (None, "library/alpine")),
            ("quay.io/podman", (Some("quay.io"), "podman")),
            ("quay.io/", (Some("quay.io"), "")),
            ("localhost:5000/a/b", (Some("localhost:5000"), "a/b")),
            ("localhost/a", (Some("localhost"), "a")),
        ] {
            assert_eq!(split(typed), expected, "{typed}");
        }
    }
}
