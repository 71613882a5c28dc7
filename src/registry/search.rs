//! Searching a registry: docker.io's own search, which some others have too, and the catalog of all repositories.

use reqwest::header::LINK;
use serde::Deserialize;

use super::address::authority;
use super::client::{Client, next_query};
use super::error::Error;
use super::manifest::Fault;
use super::transport::Request;
use super::{MANIFEST_LIMIT, Options};
use crate::types::json;

/// A repository that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Hit {
    /// Its name in the registry: `library/alpine`, or `alpine` for that.
    pub(crate) name: String,
    /// What it has, in its owner's words.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// How many users like it.
    #[serde(default)]
    pub(crate) star_count: u64,
    /// Whether the registry vouches for it.
    #[serde(default)]
    pub(crate) is_official: bool,
    /// Whether it is built from a public source.
    #[serde(default)]
    pub(crate) is_automated: bool,
}

/// The server that searches docker.io.
const DOCKER_SEARCH: &str = "index.docker.io";

/// Searches `registry` for repositories whose name, or description if it has a search of its own, matches `term`;
/// without a term, all that it lists. At most `limit`.
///
/// Source: docker's registry API v1, "Search"; distribution-spec before 1.0, "Listing Repositories".
pub(crate) async fn search(registry: &str, term: &str, limit: usize, options: Options) -> Result<Vec<Hit>, Error> {
    if !term.is_empty() {
        let server = if registry == "docker.io" { DOCKER_SEARCH } else { registry };
        let client = Client::for_registry(server, Vec::new(), options.clone())?;
        match client.ask(term, limit).await {
            Ok(hits) => return Ok(hits),
            // docker.io has no catalog.
            Err(error) if registry == "docker.io" => return Err(error),
            Err(Error::NotFound { .. } | Error::Status { .. } | Error::Html { .. } | Error::Manifest { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let scope = "registry:catalog:*".to_owned();
    Client::for_registry(registry, vec![scope], options)?.catalog(term, limit).await
}

impl Client {
    async fn ask(&self, term: &str, limit: usize) -> Result<Vec<Hit>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            results: Vec<Hit>,
        }
        let mut url = self.url("/v1/search").await?;
        url.query_pairs_mut().append_pair("q", term).append_pair("n", &limit.to_string());
        let answer: Answer = self.list(Request::get(url)).await?.0;
        Ok(answer.results.into_iter().take(limit).collect())
    }

    async fn catalog(&self, term: &str, limit: usize) -> Result<Vec<Hit>, Error> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            repositories: Option<Vec<String>>,
        }
        let mut hits = Vec::new();
        let mut path = "_catalog".to_owned();
        // So many pages are read before a search ends without enough hits.
        for _ in 0..1000 {
            let (page, next): (Page, _) = self.list(Request::get(self.url(&path).await?)).await?;
            let names = page.repositories.unwrap_or_default();
            let is_empty = names.is_empty();
            let matching = names.into_iter().filter(|name| name.contains(term));
            hits.extend(matching.map(|name| Hit { name, ..Hit::default() }));
            match next {
                Some(query) if !is_empty && hits.len() < limit => path = format!("_catalog?{query}"),
                _ => break,
            }
        }
        hits.truncate(limit);
        Ok(hits)
    }

    /// A JSON document, and the query of its next page.
    async fn list<T: for<'a> Deserialize<'a>>(&self, request: Request) -> Result<(T, Option<String>), Error> {
        let answer = self.exchange(request).await?;
        if !answer.response.status().is_success() {
            return Err(self.refusal(answer, self.name()).await);
        }
        let next = answer.response.headers().get(LINK).and_then(|link| link.to_str().ok()).and_then(next_query);
        let host = authority(answer.response.url());
        let body = self.transport().read_json(answer.response, "list of repositories", MANIFEST_LIMIT).await?;
        let document = json::from_slice(&body).map_err(|source| Error::Manifest {
            subject: host,
            fault: Fault::Json { what: "list of repositories", source },
        })?;
        Ok((document, next))
    }
}
