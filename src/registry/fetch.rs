use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};

use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED};
use reqwest::{Response, Url};

use super::address::{Reach, authority, is_loopback, literal};
use super::transport::{Audience, Pace, Request, Transport};
use super::{Error, Options};

/// Who has named a URL, which decides what it may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// The user: it leads anywhere.
    User,
    /// A Dockerfile, which is foreign text: it leads neither to this host nor to link-local addresses, where metadata
    /// services are, by no redirect and no name either.
    Dockerfile,
}

impl NamedBy {
    fn reach(self) -> Reach {
        match self {
            Self::User => Reach::Loopback,
            Self::Dockerfile => Reach::Private,
        }
    }
}

/// A file that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    /// Its URL, http or https.
    pub(crate) url: &'a str,
    /// Who has named it.
    pub(crate) by: NamedBy,
    /// The value of `Authorization`, for the server of the URL and no other.
    pub(crate) authorization: Option<&'a str>,
    /// What the server has said of the content that is here already: nothing is sent again if it is still that.
    pub(crate) etag: Option<&'a str>,
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetched {
    /// The server's word for this content.
    pub(crate) etag: Option<String>,
    /// When the server says that it was changed, in seconds since the epoch.
    pub(crate) modified: Option<i64>,
}

/// Fetches a file by URL into `file`, from its beginning; `None` if it is what `etag` says. A broken connection is
/// opened again, and the file begins anew. On failure a part is in the file.
pub(crate) async fn fetch(wanted: &Wanted<'_>, options: &Options, file: &mut File) -> Result<Option<Fetched>, Error> {
    let setup = |cause: String| Error::Setup { host: wanted.url.to_owned(), cause };
    let url: Url = wanted.url.parse().map_err(|_| setup("it is no URL".to_owned()))?;
    check(&url, wanted.by)?;
    let header = |text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_| setup("a header has control characters".to_owned()))?;
        value.set_sensitive(true);
        Ok::<_, Error>(value)
    };
    let request = Request {
        authorization: wanted.authorization.map(header).transpose()?,
        known: wanted.etag.map(header).transpose()?,
        audience: Audience::Anybody(wanted.by.reach()),
        ..Request::get(url.clone())
    };
    let transport = Transport::new(options);
    let mut attempt = 0;
    loop {
        let error = match receive(&transport, &request, file).await {
            Err(error) if error.is_transient() && attempt < transport.retries() => error,
            // The guard of the connection says it in the words of a token server.
            Err(Error::Realm { host, .. }) => return Err(Error::Near { host }),
            other => return other,
        };
        transport.back_off(attempt, &error).await;
        attempt += 1;
    }
}

/// Fails if the host of a URL is nearer than who has named it may lead to.
pub(super) fn check(url: &Url, by: NamedBy) -> Result<(), Error> {
    let host = url.host_str().unwrap_or_default();
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
        return Err(Error::Setup { host: shown(url), cause: "it is no URL of http or https".to_owned() });
    }
    let is_near = literal(host).is_some_and(|address| !by.reach().may_send_to(Reach::of(address)));
    if by == NamedBy::Dockerfile && (is_near || is_loopback(host)) {
        return Err(Error::Near { host: authority(url) });
    }
    Ok(())
}

/// Fails if a host that a Dockerfile has named is this one, or has no address but link-local ones: for programs that
/// make the connection themselves. They look the name up again, so a name server that gives two answers gets through.
pub(crate) async fn check_host(host: &str) -> Result<(), Error> {
    let near = || Error::Near { host: host.to_owned() };
    let reach = NamedBy::Dockerfile.reach();
    if let Some(address) = literal(host) {
        return if reach.may_send_to(Reach::of(address)) { Ok(()) } else { Err(near()) };
    }
    let addresses = super::dns::Dns::default().lookup(host).await;
    let addresses = addresses.map_err(|error| Error::Lookup { host: host.to_owned(), cause: error.to_string() })?;
    if addresses.iter().all(|address| reach.may_send_to(Reach::of(*address))) { Ok(()) } else { Err(near()) }
}

async fn receive(transport: &Transport, request: &Request, file: &mut File) -> Result<Option<Fetched>, Error> {
    let mut response = transport.send(request).await?;
    let subject = shown(&request.url);
    let host = authority(response.url());
    match response.status().as_u16() {
        200 => {}
        304 => return Ok(None),
        status => return Err(Error::Status { host, status, subject, message: String::new() }),
    }
    let write = |source| Error::Write { subject: subject.clone(), source };
    file.seek(SeekFrom::Start(0)).and_then(|_| file.set_len(0)).map_err(write)?;
    let fetched = described(&response);
    let mut pace = Pace::default();
    while let Some(chunk) = transport.chunk(&mut response, &mut pace, &subject).await? {
        file.write_all(&chunk).map_err(write)?;
    }
    Ok(Some(fetched))
}

fn described(response: &Response) -> Fetched {
    let text = |name: HeaderName| {
        let headers: &HeaderMap = response.headers();
        headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let date = |text: String| jiff::fmt::rfc2822::parse(&text).ok().map(|date| date.timestamp().as_second());
    Fetched { etag: text(ETAG), modified: text(LAST_MODIFIED).and_then(date) }
}

/// A URL for messages: what is after its path, or before its host, may be a secret.
fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), authority(url), url.path())
}
