//! Sending blobs and manifests.
//!
//! ```text
//! HEAD blob ── there? done
//!   └─ POST uploads/?mount=DIGEST&from=REPOSITORY ── 201: done; 202: a session
//!        └─ PATCH session: the content ─→ PUT session?digest=DIGEST
//!             └─ broken: GET session says how much has arrived; PATCH the rest
//! ```
//!
//! Source: distribution-spec, "Push". One PATCH has the whole content, as with docker and podman: not every registry
//! takes several.

use bytes::Bytes;
use reqwest::header::{LOCATION, RANGE};
use reqwest::{Method, Response, Url};

use super::address::authority;
use super::body::Source;
use super::client::{Answer, Client};
use super::error::Error;
use super::transport::{Content, Request};
use crate::types::Digest;

/// So many other repositories are asked for a blob.
const MOST_SOURCES: usize = 3;

/// How a blob came into the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It was sent.
    Sent,
    /// It was there.
    Present,
    /// The registry had it in another repository.
    Mounted,
}

/// An upload that the registry has begun.
struct Session {
    url: Url,
    /// Nothing has been sent yet.
    is_new: bool,
}

impl Client {
    /// Brings a blob into the repository: sends it unless it is there, or in one of the repositories `sources` of the
    /// same registry. Continues after a broken connection.
    ///
    /// On failure the registry may keep a part of the blob for a while, without a name.
    pub(crate) async fn upload(&self, blob: &Source, sources: &[String]) -> Result<Arrival, Error> {
        let digest = &blob.descriptor.digest;
        let mut session = match self.find_or_begin(digest, sources).await? {
            Ok(arrival) => return Ok(arrival),
            Err(session) => session,
        };
        let mut failures = 0;
        loop {
            let Err(error) = self.send_blob(&mut session, blob).await else { return Ok(Arrival::Sent) };
            if let Some(source) = blob.take_failure() {
                return Err(Error::Source { digest: digest.clone(), source });
            }
            let is_lost = matches!(error, Error::NotFound { .. } | Error::Status { status: 416, .. });
            let is_busy = matches!(error, Error::Status { status: 429 | 500 | 502 | 503 | 504, .. });
            if failures == self.transport().retries() || !(is_lost || is_busy || error.is_transient()) {
                if let Some(session) = session {
                    self.cancel(session).await;
                }
                return Err(Error::Upload { digest: digest.clone(), source: Box::new(error) });
            }
            if is_lost {
                session = None;
            }
            self.transport().back_off(failures, &error).await;
            failures += 1;
            // The answer may have been lost, not the request.
            if self.has_blob(digest).await.unwrap_or(false) {
                return Ok(Arrival::Sent);
            }
        }
    }

    /// Brings a blob into the repository without sending it, as [`Client::upload`] does; `None` if it must be sent.
    pub(crate) async fn find_blob(&self, digest: &Digest, sources: &[String]) -> Result<Option<Arrival>, Error> {
        match self.find_or_begin(digest, sources).await? {
            Ok(arrival) => Ok(Some(arrival)),
            Err(session) => {
                if let Some(session) = session {
                    self.cancel(session).await;
                }
                Ok(None)
            }
        }
    }

    /// How a blob that need not be sent is there; otherwise the upload that was begun while the registry was asked.
    async fn find_or_begin(
        &self,
        digest: &Digest,
        sources: &[String],
    ) -> Result<Result<Arrival, Option<Session>>, Error> {
        if self.has_blob(digest).await? {
            return Ok(Ok(Arrival::Present));
        }
        let mut session = None;
        for source in sources.iter().take(MOST_SOURCES) {
            match self.begin(Some((digest, source))).await? {
                None => return Ok(Ok(Arrival::Mounted)),
                Some(begun) => {
                    if let Some(earlier) = session.replace(begun) {
                        self.cancel(earlier).await;
                    }
                }
            }
        }
        Ok(Err(session))
    }

    /// Puts a manifest under a tag or its digest.
    ///
    /// Twice if it is refused: distribution's filesystem driver reads the links of blobs without a lock, so that it may
    /// find one half written that another push of the same blob is making.
    pub(crate) async fn put_manifest(
        &self,
        selector: &str,
        media_type: &str,
        bytes: Vec<u8>,
        subject: &str,
    ) -> Result<(), Error> {
        let bytes = Bytes::from(bytes);
        match self.put_manifest_once(selector, media_type, bytes.clone(), subject).await {
            Err(error @ Error::Status { status: 400, .. }) => self.transport().back_off(0, &error).await,
            other => return other,
        }
        self.put_manifest_once(selector, media_type, bytes, subject).await
    }

    async fn put_manifest_once(
        &self,
        selector: &str,
        media_type: &str,
        bytes: Bytes,
        subject: &str,
    ) -> Result<(), Error> {
        let url = self.url(&format!("{}/manifests/{selector}", self.repository())).await?;
        let content = Content::Bytes { bytes, media_type: media_type.to_owned() };
        let answer = self.exchange(Request { method: Method::PUT, content, ..Request::get(url) }).await?;
        self.expect(answer, subject).await.map(drop)
    }

    /// Whether the repository has a blob.
    async fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        let url = self.url(&format!("{}/blobs/{digest}", self.repository())).await?;
        let answer = self.exchange(Request { method: Method::HEAD, ..Request::get(url) }).await?;
        if answer.response.status() == 404 {
            return Ok(false);
        }
        self.expect(answer, &self.subject(digest)).await.map(|_| true)
    }

    /// Begins an upload; `None` if the registry has mounted the blob from the repository named with it.
    async fn begin(&self, mount: Option<(&Digest, &str)>) -> Result<Option<Session>, Error> {
        let mut url = self.url(&format!("{}/blobs/uploads/", self.repository())).await?;
        if let Some((digest, from)) = mount {
            url.query_pairs_mut().append_pair("mount", &digest.to_string()).append_pair("from", from);
        }
        let content = Content::Bytes { bytes: Bytes::new(), media_type: String::new() };
        let answer = self.exchange(Request { method: Method::POST, content, ..Request::get(url) }).await?;
        let response = self.expect(answer, self.name()).await?;
        if mount.is_some() && response.status() == 201 {
            return Ok(None);
        }
        Ok(Some(Session { url: self.location(&response).await?, is_new: true }))
    }

    async fn send_blob(&self, session: &mut Option<Session>, blob: &Source) -> Result<(), Error> {
        let digest = &blob.descriptor.digest;
        let subject = self.subject(digest);
        let (mut url, offset) = match session.take() {
            Some(Session { url, is_new: true }) => (url, 0),
            Some(Session { url, .. }) => match self.arrived(url, blob).await? {
                Some(found) => found,
                None => (self.fresh().await?, 0),
            },
            None => (self.fresh().await?, 0),
        };
        *session = Some(Session { url: url.clone(), is_new: false });
        if offset < blob.descriptor.size {
            let content = Content::Blob { source: blob.clone(), offset };
            let request = Request { method: Method::PATCH, content, ..Request::get(url) };
            let response = self.expect(self.exchange(request).await?, &subject).await?;
            url = self.location(&response).await?;
            *session = Some(Session { url: url.clone(), is_new: false });
        }
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        let content = Content::Bytes { bytes: Bytes::new(), media_type: "application/octet-stream".to_owned() };
        let answer = self.exchange(Request { method: Method::PUT, content, ..Request::get(url) }).await?;
        self.expect(answer, &subject).await.map(drop)
    }

    async fn fresh(&self) -> Result<Url, Error> {
        match self.begin(None).await? {
            Some(session) => Ok(session.url),
            None => Err(Error::NotFound { subject: self.name().to_owned() }),
        }
    }

    /// How many bytes have arrived, and where to send the rest; `None` if the registry does not know the upload.
    async fn arrived(&self, url: Url, blob: &Source) -> Result<Option<(Url, u64)>, Error> {
        let answer = self.exchange(Request::get(url)).await?;
        if !answer.response.status().is_success() {
            return Ok(None);
        }
        let range = answer.response.headers().get(RANGE).and_then(|range| range.to_str().ok());
        let last = range.and_then(|range| range.rsplit('-').next()?.parse::<u64>().ok());
        // `0-0` is what registries say of one byte, and of none.
        let Some(last) = last.filter(|last| (1..blob.descriptor.size).contains(last)) else { return Ok(None) };
        Ok(Some((self.location(&answer.response).await?, last + 1)))
    }

    /// Lets the registry forget an upload; it forgets by itself some day.
    async fn cancel(&self, session: Session) {
        let request = Request { method: Method::DELETE, ..Request::get(session.url) };
        drop(self.exchange(request).await);
    }

    async fn expect(&self, answer: Answer, subject: &str) -> Result<Response, Error> {
        if answer.response.status().is_success() {
            Ok(answer.response)
        } else {
            Err(self.refusal(answer, subject).await)
        }
    }

    /// Where an upload goes on. A registry behind a proxy that ends TLS often names itself with `http`.
    async fn location(&self, response: &Response) -> Result<Url, Error> {
        let base = self.url("").await?;
        let fail = |reason| Error::Redirect { from: authority(&base), to: String::new(), reason };
        let text = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let text = text.ok_or_else(|| fail("it does not say where an upload goes on"))?;
        let mut url = response.url().join(text).map_err(|_| fail("the target is not a URL"))?;
        if base.scheme() == "https" && url.scheme() == "http" && url.host_str() == base.host_str() {
            url.set_scheme("https").map_err(|()| fail("the target is not a URL"))?;
            url.set_port(base.port()).map_err(|()| fail("the target is not a URL"))?;
        }
        if url.scheme() != "https" && url.origin() != base.origin() {
            return Err(fail("an upload goes on by https, or at the same server"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(fail("it carries a user name"));
        }
        url.set_fragment(None);
        Ok(url)
    }
}
