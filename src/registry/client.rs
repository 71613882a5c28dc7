use reqwest::header::{CONTENT_TYPE, LINK};
use reqwest::{Response, Url};
use serde::Deserialize;
use sha2::{Digest as _, Sha256, Sha512};

use super::address::authority;
use super::auth::Auth;
use super::manifest::{ACCEPT, Descriptor};
use super::options::Options;
use super::transport::{Request, Transport};
use super::{Error, MANIFEST_LIMIT};
use crate::types::{Algorithm, Digest, ImageReference, json};

/// One repository of one registry. The first request finds out the protocol; later ones are cheap.
pub(crate) struct Client {
    transport: Transport,
    auth: Auth,
    /// `docker.io/library/busybox`, for messages.
    name: String,
    repository: String,
    base: tokio::sync::OnceCell<Url>,
    /// The protocols to try, in this order.
    pub(super) candidates: Vec<Url>,
}

/// An answer, and whether a password was sent for it.
pub(super) struct Answer {
    pub(super) response: Response,
    pub(super) sent_password: bool,
}

/// A manifest, index or configuration whose digest is right.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// The bytes as received.
    pub(crate) bytes: Vec<u8>,
    /// The digest of the bytes.
    pub(crate) digest: Digest,
    /// The Content-Type as received.
    pub(crate) media_type: String,
}

impl Client {
    /// A client for the repository of `reference`; opens no connection yet.
    pub(crate) fn new(reference: &ImageReference, options: Options) -> Result<Self, Error> {
        let scope = format!("repository:{}:pull", reference.repository());
        Self::of(reference.registry(), reference.repository(), vec![scope], options)
    }

    /// A client that may also push to the repository of `reference`, and mount blobs from the repositories `sources` of
    /// the same registry.
    pub(crate) fn for_push(reference: &ImageReference, sources: &[String], options: Options) -> Result<Self, Error> {
        let own = format!("repository:{}:pull,push", reference.repository());
        let others = sources.iter().map(|name| format!("repository:{name}:pull"));
        Self::of(reference.registry(), reference.repository(), std::iter::once(own).chain(others).collect(), options)
    }

    /// A client for a registry as such, without a repository: to log in, or to list repositories.
    pub(crate) fn for_registry(registry: &str, scopes: Vec<String>, options: Options) -> Result<Self, Error> {
        Self::of(registry, "", scopes, options)
    }

    fn of(registry: &str, repository: &str, scopes: Vec<String>, options: Options) -> Result<Self, Error> {
        let transport = Transport::new(&options);
        let host = match registry {
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        let url = |scheme: &str| {
            format!("{scheme}://{host}/v2/")
                .parse::<Url>()
                .map_err(|error| Error::Setup { host: host.to_owned(), cause: error.to_string() })
        };
        let mut candidates = vec![url("https")?];
        let bare = candidates[0].host_str().unwrap_or_default();
        if transport.allows_http(bare) {
            candidates.push(url("http")?);
        }
        let name = if repository.is_empty() { registry.to_owned() } else { format!("{registry}/{repository}") };
        Ok(Self {
            transport,
            auth: Auth::new(options.credentials, scopes),
            name,
            repository: repository.to_owned(),
            base: tokio::sync::OnceCell::new(),
            candidates,
        })
    }

    /// Fetches the manifest or index that a tag or digest names; with a digest, the bytes have it.
    pub(crate) async fn manifest(&self, reference: &ImageReference) -> Result<Document, Error> {
        let selector = match (reference.digest(), reference.tag()) {
            // The digest decides, whatever the tag refers to by now (safety.md R6).
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or("latest").to_owned(),
        };
        let response = self.get(&format!("manifests/{selector}"), Some(ACCEPT), 0, &reference.to_string()).await?;
        self.document(response, reference.digest(), "manifest").await
    }

    /// Fetches a manifest that an index names: its digest and size are right.
    pub(crate) async fn manifest_of(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        let path = format!("manifests/{}", descriptor.digest);
        let response = self.get(&path, Some(ACCEPT), 0, &self.subject(&descriptor.digest)).await?;
        let document = self.document(response, Some(&descriptor.digest), "manifest").await?;
        check_size(descriptor, document.bytes.len() as u64)?;
        Ok(document)
    }

    /// Fetches a small blob (a configuration) as a whole: its digest and size are right.
    pub(crate) async fn configuration(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        let path = format!("blobs/{}", descriptor.digest);
        let response = self.get(&path, None, 0, &self.subject(&descriptor.digest)).await?;
        let document = self.document(response, Some(&descriptor.digest), "configuration").await?;
        check_size(descriptor, document.bytes.len() as u64)?;
        Ok(document)
    }

    /// All tags of the repository.
    ///
    /// Follows `Link` for as long as the registry has more, up to 100 000 tags.
    pub(crate) async fn tags(&self) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let mut tags = Vec::new();
        let mut path = "tags/list".to_owned();
        loop {
            let response = self.get(&path, None, 0, &self.name).await?;
            let next = response.headers().get(LINK).and_then(|link| link.to_str().ok()).and_then(next_query);
            let body = self.transport.read_json(response, "list of tags", MANIFEST_LIMIT).await?;
            let page: Page = json::from_slice(&body).map_err(|source| Error::Manifest {
                subject: self.name.clone(),
                fault: super::manifest::Fault::Json { what: "list of tags", source },
            })?;
            let page = page.tags.unwrap_or_default();
            let is_empty = page.is_empty();
            tags.extend(page);
            match next {
                Some(query) if !is_empty && tags.len() < 100_000 => path = format!("tags/list?{query}"),
                _ => return Ok(tags),
            }
        }
    }

    /// Asks the registry whether it accepts the credentials; one that asks for none accepts all.
    ///
    /// Fails with `Login` if they are wrong. Source: distribution-spec, "Determining Support".
    pub(crate) async fn check_login(&self) -> Result<(), Error> {
        let base = self.base().await?.clone();
        let answer = self.exchange(Request::get(base)).await?;
        match answer.response.status().as_u16() {
            200..300 => Ok(()),
            401 => Err(Error::Login {
                host: authority(answer.response.url()),
                message: self.transport.message(answer.response).await,
            }),
            _ => Err(self.refusal(answer, &self.name).await),
        }
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// `docker.io/library/busybox@sha256:…`, for messages.
    pub(super) fn subject(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.name)
    }

    /// Sends GET for `path` of the repository, authenticates if the registry asks for it, and returns a successful
    /// answer.
    pub(super) async fn get(
        &self,
        path: &str,
        accept: Option<&'static str>,
        from: u64,
        subject: &str,
    ) -> Result<Response, Error> {
        let url = self.url(&format!("{}/{path}", self.repository)).await?;
        let request = Request { accept, from, ..Request::get(url) };
        let answer = self.exchange(request).await?;
        match answer.response.status().as_u16() {
            200 | 206 => Ok(answer.response),
            _ => Err(self.refusal(answer, subject).await),
        }
    }

    /// The URL of a path below `/v2/`.
    pub(super) async fn url(&self, path: &str) -> Result<Url, Error> {
        let base = self.base().await?;
        base.join(path).map_err(|error| Error::Setup { host: authority(base), cause: error.to_string() })
    }

    /// Registry and repository, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name of the repository in the registry.
    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    /// Sends a request, and authenticates if the registry asks for it. May return any status.
    pub(super) async fn exchange(&self, mut request: Request) -> Result<Answer, Error> {
        let base = self.base().await?;
        // An upload may go on elsewhere, where nobody may see our secrets.
        let is_ours = request.url.origin() == base.origin();
        request.authorization = if is_ours { self.auth.header().await } else { None };
        let mut response = self.transport.send(&request).await?;
        // A second challenge answers what was sent for the first; a token may have expired in between.
        if is_ours && response.status() == 401 && response.url().origin() == request.url.origin() {
            let used = request.authorization.take();
            let answer = self.auth.answer(&self.transport, base, response.headers(), used.as_ref()).await?;
            if let Some(header) = answer {
                request.authorization = Some(header);
                response = self.transport.send(&request).await?;
            } else {
                request.authorization = used;
            }
        }
        let sent_password = request.authorization.is_some_and(|sent| sent.as_bytes().starts_with(b"Basic "));
        Ok(Answer { response, sent_password })
    }

    /// The error that an answer other than the expected one is.
    pub(super) async fn refusal(&self, answer: Answer, subject: &str) -> Error {
        let Answer { response, sent_password } = answer;
        let host = authority(response.url());
        let subject = subject.to_owned();
        match response.status().as_u16() {
            404 => Error::NotFound { subject },
            status @ (401 | 403) => {
                let with_credentials = self.auth.has_credentials();
                let message = self.transport.message(response).await;
                if status == 401 && sent_password {
                    return Error::Login { host, message };
                }
                Error::Denied { subject, message, with_credentials }
            }
            status => {
                let message = self.transport.message(response).await;
                Error::Status { host, status, subject, message }
            }
        }
    }

    /// `https://HOST/v2/`, or http if that is allowed and the server does not support https.
    async fn base(&self) -> Result<&Url, Error> {
        self.base.get_or_try_init(|| self.find_base()).await
    }

    async fn find_base(&self) -> Result<Url, Error> {
        let [https, http] = &self.candidates[..] else { return Ok(self.candidates[0].clone()) };
        // HTTPS first, as in docker: a registry that supports it never gets plain HTTP. A bad certificate is no reason
        // to fall back to it, only a server that does not support TLS at all.
        let outcome = self.transport.send_once(&Request::get(https.clone())).await;
        match outcome {
            Ok(_) => Ok(https.clone()),
            Err(Error::Connect { .. } | Error::PlainHttp { .. } | Error::Broken { .. } | Error::Stalled { .. }) => {
                Ok(http.clone())
            }
            Err(error) => Err(error),
        }
    }

    async fn document(
        &self,
        response: Response,
        expected: Option<&Digest>,
        what: &'static str,
    ) -> Result<Document, Error> {
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.to_owned();
        let bytes = self.transport.read_json(response, what, MANIFEST_LIMIT).await?;
        let algorithm = expected.map_or(Algorithm::Sha256, Digest::algorithm);
        let digest = digest_of(&bytes, algorithm);
        match expected {
            Some(expected) if *expected != digest => Err(Error::Digest { expected: expected.clone(), actual: digest }),
            _ => Ok(Document { bytes, digest, media_type }),
        }
    }
}

/// The digest of a document.
pub(crate) fn digest_of(bytes: &[u8], algorithm: Algorithm) -> Digest {
    match algorithm {
        Algorithm::Sha256 => Digest::sha256(Sha256::digest(bytes).into()),
        Algorithm::Sha512 => Digest::sha512(Sha512::digest(bytes).into()),
    }
}

fn check_size(descriptor: &Descriptor, actual: u64) -> Result<(), Error> {
    let Descriptor { digest, size, .. } = descriptor;
    if actual == *size {
        return Ok(());
    }
    Err(Error::Size { digest: digest.clone(), declared: *size, longer: actual > *size })
}

/// The query of `<…?last=x&n=y>; rel="next"`. Only the query: the next page comes from the same repository, wherever
/// the link points.
pub(super) fn next_query(link: &str) -> Option<String> {
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    let query = target.split_once('?')?.1;
    rest.contains("next").then(|| query.split('#').next().unwrap_or_default().to_owned())
}
