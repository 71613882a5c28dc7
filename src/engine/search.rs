//! Searching registries.

use super::context::Context;
use super::registry::{self as connection, Connection};
use crate::registry::{self, Client, Credentials, Hit, Server};
use crate::types::{ImageReference, Report};

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

/// Searches for repositories: `[REGISTRY/]TERM`, docker.io without a registry. At most `limit`.
pub(crate) fn search(
    context: &Context,
    typed: &str,
    limit: usize,
    connection: &Connection,
) -> Result<Vec<Found>, Report> {
    let (registry, term) = split(typed);
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
    let reference: ImageReference = typed.parse()?;
    let server = Server::parse(&reference.name())?;
    let options = options(context, &server, connection)?;
    let fail = |error: registry::Error| {
        let message = format!("cannot list the tags of `{}`: {error}", reference.name());
        Report::from(error).with_message(message)
    };
    let client = Client::new(&reference, options).map_err(fail)?;
    let mut tags = registry::block_on(client.tags()).and_then(|answer| answer).map_err(fail)?;
    // Registries list them in any order.
    tags.sort();
    tags.truncate(limit);
    Ok((reference.name(), tags))
}

/// The registry and the rest: the part before the first `/` is a registry if it has a dot or a port.
fn split(typed: &str) -> (&str, &str) {
    match typed.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
        _ => ("docker.io", typed),
    }
}

fn options(context: &Context, server: &Server, connection: &Connection) -> Result<registry::Options, Report> {
    let credentials = Credentials::of_server(server, connection.authfile.as_deref(), &context.places)?;
    Ok(connection::options(context, connection, credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_may_begin_with_a_registry() {
        for (typed, expected) in [
            ("alpine", ("docker.io", "alpine")),
            ("library/alpine", ("docker.io", "library/alpine")),
            ("quay.io/podman", ("quay.io", "podman")),
            ("quay.io/", ("quay.io", "")),
            ("localhost:5000/a/b", ("localhost:5000", "a/b")),
            ("localhost/a", ("localhost", "a")),
        ] {
            assert_eq!(split(typed), expected, "{typed}");
        }
    }
}
