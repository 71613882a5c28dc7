use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH, LOCATION, RANGE,
    RETRY_AFTER,
};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::address::{Reach, authority, is_exempt, is_loopback, literal};
use super::body::Source;
use super::dns::{Dns, GuardedDns, LookupError, TooNear};
use super::error::innermost;
use super::options::{Backoff, Options};
use super::tls::{Trust, is_self_signed};
use super::{Error, Notices, SMALL_LIMIT, TlsVerify};
use crate::types::json;

/// The maximum number of redirects for one request.
const REDIRECTS: usize = 5;
/// The longest `Retry-After` that rc waits for; if a server asks for more, the command fails.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// So many times longer than a stall a registry may take for its answer after it has got content.
const LAST_WORD: u32 = 5;
/// The fewest bytes within a stall timeout that keep a connection alive.
const SIGN_OF_LIFE: usize = 4 << 10;

/// Sends requests according to the rules: time limits, retries, redirects that send no secret to another origin, TLS.
pub(super) struct Transport {
    trust: Trust,
    pub(super) dns: Dns,
    verify: TlsVerify,
    stall: Duration,
    backoff: Backoff,
    retries: u32,
    notices: Notices,
    clients: Mutex<HashMap<ClientKey, reqwest::Client>>,
}

/// What needs a client of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ClientKey {
    authority: String,
    https: bool,
    verified: bool,
    guarded: bool,
}

/// The kind of server that a request is for, which decides what is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// The registry that the user named, and the servers that it redirects to for content: everything that arrives has
    /// a digest.
    Registry,
    /// A token server that a registry at this reach has named. It gets secrets, so TLS is always verified, unless it is
    /// the registry's own host.
    Realm { registry: Reach, same_host: bool },
    /// Any server of the web, which may send us to others at this reach: what arrives may have no digest.
    Anybody(Reach),
}

/// The body of a request.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// None.
    None,
    /// `application/x-www-form-urlencoded`.
    Form(String),
    /// A document; without a type it is empty.
    Bytes { bytes: Bytes, media_type: String },
    /// A blob from byte `offset` on. Such a request is not repeated: nobody knows how much of it has arrived.
    Blob { source: Source, offset: u64 },
}

/// A request; cheap to repeat.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) accept: Option<&'static str>,
    /// The server's word for content that is here already.
    pub(super) known: Option<HeaderValue>,
    /// The first requested byte, if not all are requested.
    pub(super) from: u64,
    /// Its body.
    pub(super) content: Content,
    pub(super) audience: Audience,
}

impl Request {
    /// A plain GET.
    pub(super) fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            authorization: None,
            accept: None,
            known: None,
            from: 0,
            content: Content::None,
            audience: Audience::Registry,
        }
    }
}

impl Transport {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            trust: Trust::new(options.cert_dir.clone(), options.places.certs_d()),
            dns: Dns::default(),
            verify: options.tls_verify,
            stall: options.stall,
            backoff: options.backoff,
            retries: options.retries,
            notices: options.notices.clone(),
            clients: Mutex::default(),
        }
    }

    /// Whether plain http to `host` is allowed: on loopback, elsewhere only with `--tls-verify=false` (safety.md R3).
    pub(super) fn allows_http(&self, host: &str) -> bool {
        match self.verify {
            TlsVerify::Default => is_loopback(host),
            TlsVerify::Always => false,
            TlsVerify::Never => true,
        }
    }

    /// Whether nothing is verified.
    pub(super) fn is_blind(&self) -> bool {
        self.verify == TlsVerify::Never
    }

    pub(super) fn retries(&self) -> u32 {
        self.retries
    }

    /// Sends a request, repeats it after 429, 5xx and broken connections, and follows redirects. May return any other
    /// status.
    pub(super) async fn send(&self, request: &Request) -> Result<Response, Error> {
        let mut attempt = 0;
        loop {
            let outcome = self.send_following(request).await;
            let asked = match &outcome {
                Ok(response) if is_worth_another_try(response.status()) => retry_after(response),
                Err(error) if error.is_transient() => None,
                _ => return outcome,
            };
            if attempt == self.retries_of(request) || asked.is_some_and(|wait| wait > LONGEST_WAIT) {
                return outcome;
            }
            let wait = asked.unwrap_or_else(|| self.backoff.after(attempt));
            self.notices.tell(&match &outcome {
                Ok(response) => {
                    let (host, status) = (authority(response.url()), response.status().as_u16());
                    format!("`{host}` answered {status}: trying again in {}", words(wait))
                }
                Err(error) => format!("{error}: trying again"),
            });
            sleep(wait).await;
            attempt += 1;
        }
    }

    /// Waits before the attempt after `attempt`, which counts from 0, because of `error`.
    pub(super) async fn back_off(&self, attempt: u32, error: &Error) {
        self.notices.tell(&format!("{error}: going on where it stopped"));
        sleep(self.backoff.after(attempt)).await;
    }

    fn retries_of(&self, request: &Request) -> u32 {
        if matches!(request.content, Content::Blob { .. }) { 0 } else { self.retries }
    }

    async fn send_following(&self, request: &Request) -> Result<Response, Error> {
        let mut request = request.clone();
        for _ in 0..=REDIRECTS {
            let response = self.send_once(&request).await?;
            let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let Some(location) = response.headers().get(LOCATION).filter(|_| redirects) else { return Ok(response) };
            let target = self.redirect(&request, location)?;
            if target.origin() != request.url.origin() {
                request.authorization = None;
            }
            request.url = target;
        }
        Err(refuse(&request.url, "", "more than 5 in a row"))
    }

    /// The target of a redirect, if rc may follow it.
    fn redirect(&self, request: &Request, location: &HeaderValue) -> Result<Url, Error> {
        let from = &request.url;
        let text = location.to_str().map_err(|_| refuse(from, "", "its target is not text"))?;
        let mut target = from.join(text).map_err(|_| refuse(from, text, "its target is not a URL"))?;
        let to = authority(&target);
        // A name and password in it would be sent as if they were ours.
        if !target.username().is_empty() || target.password().is_some() {
            return Err(refuse(from, &to, "it carries a user name"));
        }
        target.set_fragment(None);
        match (from.scheme(), target.scheme()) {
            (_, "https") => {}
            ("https", "http") => return Err(refuse(from, &to, "it leads from https to plain http")),
            ("http", "http") if matches!(request.audience, Audience::Anybody(_)) => {}
            ("http", "http") if self.allows_http(target.host_str().unwrap_or_default()) => {}
            ("http", "http") => return Err(refuse(from, &to, "plain http needs `--tls-verify=false`")),
            _ => return Err(refuse(from, &to, "it leads to another protocol")),
        }
        match request.content {
            Content::None => {}
            Content::Form(_) => return Err(refuse(from, &to, "a request with a secret in it is not passed on")),
            Content::Bytes { .. } | Content::Blob { .. } => {
                return Err(refuse(from, &to, "an upload is not passed on"));
            }
        }
        if let Audience::Realm { registry, .. } | Audience::Anybody(registry) = request.audience
            && let Some(address) = target.host_str().and_then(literal)
            && !registry.may_send_to(Reach::of(address))
        {
            return Err(refuse(from, &to, "its address is not public"));
        }
        Ok(target)
    }

    /// Sends a request once, and follows no redirect.
    pub(super) async fn send_once(&self, request: &Request) -> Result<Response, Error> {
        let client = self.client(request)?;
        let mut builder = client.request(request.method.clone(), request.url.clone());
        if let Some(authorization) = &request.authorization {
            builder = builder.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(accept) = request.accept {
            builder = builder.header(ACCEPT, accept);
        }
        if let Some(known) = &request.known {
            builder = builder.header(IF_NONE_MATCH, known.clone());
        }
        if request.from > 0 {
            builder = builder.header(RANGE, format!("bytes={}-", request.from));
        }
        builder = match &request.content {
            Content::None => builder,
            Content::Form(form) => builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.clone()),
            Content::Bytes { bytes, media_type } if media_type.is_empty() => {
                builder.header(CONTENT_LENGTH, bytes.len()).body(bytes.clone())
            }
            Content::Bytes { bytes, media_type } => builder.header(CONTENT_TYPE, media_type).body(bytes.clone()),
            Content::Blob { source, offset } => {
                let size = source.descriptor.size;
                if *offset > 0 {
                    builder = builder.header(CONTENT_RANGE, format!("{offset}-{}", size.saturating_sub(1)));
                }
                builder
                    .header(CONTENT_TYPE, "application/octet-stream")
                    .header(CONTENT_LENGTH, size.saturating_sub(*offset))
                    .body(source.body(*offset))
            }
        };
        self.answer(authority(&request.url), builder.send(), &request.content).await
    }

    /// Waits for an answer: as long as a stall may last, or as long as the content of the request moves.
    async fn answer(
        &self,
        host: String,
        sending: impl Future<Output = reqwest::Result<Response>>,
        content: &Content,
    ) -> Result<Response, Error> {
        // Before it answers, a registry may copy what it has got to other servers.
        let limit = |sent: u64| match content {
            Content::Blob { source, .. } if sent == source.descriptor.size => self.stall * LAST_WORD,
            Content::Bytes { .. } => self.stall * LAST_WORD,
            _ => self.stall,
        };
        let position = || match content {
            Content::Blob { source, .. } => source.position(),
            _ => 0,
        };
        let mut sending = pin!(sending);
        let (mut sent, mut since, mut is_noticed) = (position(), Instant::now(), false);
        loop {
            let notice = self.notices.after;
            let wait = if is_noticed || notice >= limit(sent) { limit(sent) } else { notice };
            match timeout_at(since + wait, sending.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => return Err(connection_error(host, &error)),
                Err(_) if position() != sent => (sent, since, is_noticed) = (position(), Instant::now(), false),
                Err(_) if since.elapsed() >= limit(sent) => return Err(self.stalled(host)),
                Err(_) => {
                    is_noticed = true;
                    let time = words(notice);
                    self.notices.tell(&format!("`{host}` has not answered for {time}: still waiting"));
                }
            }
        }
    }

    fn stalled(&self, host: String) -> Error {
        Error::Stalled { host, seconds: self.stall.as_secs() }
    }

    /// The client for a request's origin, created when it is first needed.
    fn client(&self, request: &Request) -> Result<reqwest::Client, Error> {
        let host = request.url.host_str().unwrap_or_default();
        let (verified, guard) = match request.audience {
            Audience::Registry => (!self.is_blind(), None),
            Audience::Anybody(reach) => (!self.is_blind(), (reach != Reach::Loopback).then_some(reach)),
            Audience::Realm { registry, same_host } => {
                (!(self.is_blind() && same_host), (!same_host).then_some(registry))
            }
        };
        let key = ClientKey {
            authority: authority(&request.url),
            https: request.url.scheme() == "https",
            verified,
            guarded: guard.is_some(),
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("rc/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.stall.min(Duration::from_secs(30)))
            // Without https no certificate is read: such a client never opens a TLS connection, except to a proxy.
            .tls_backend_preconfigured(self.trust.config(&key.authority, key.https && verified)?);
        builder = match guard {
            Some(registry) => {
                builder.dns_resolver(Arc::new(GuardedDns { dns: self.dns.clone(), host: host.to_owned(), registry }))
            }
            None => builder.dns_resolver(Arc::new(self.dns.clone())),
        };
        // As in Go: this host is never behind a proxy.
        let port = request.url.port_or_known_default().unwrap_or_default();
        let no_proxy = ["NO_PROXY", "no_proxy"].map(|name| std::env::var(name).unwrap_or_default());
        if is_loopback(host)
            || no_proxy.iter().find(|list| !list.is_empty()).is_some_and(|list| is_exempt(list, host, port))
        {
            builder = builder.no_proxy();
        }
        let setup = |error: reqwest::Error| Error::Setup { host: key.authority.clone(), cause: innermost(&error) };
        let client = builder.build().map_err(setup)?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// Reads a small answer as a whole. It may take as long as two stall timeouts, even if bytes keep arriving.
    pub(super) async fn read(&self, mut response: Response, what: &'static str, limit: u64) -> Result<Vec<u8>, Error> {
        let host = authority(response.url());
        let deadline = Instant::now() + self.stall * 2;
        let mut body = Vec::new();
        let notice = Instant::now() + self.notices.after;
        let mut is_noticed = notice >= deadline;
        loop {
            let until = if is_noticed { deadline } else { notice };
            match timeout_at(until, response.chunk()).await {
                Err(_) if !is_noticed => {
                    is_noticed = true;
                    let time = words(self.notices.after);
                    self.notices.tell(&format!("`{host}` has sent only a part of its {what} in {time}: still waiting"));
                }
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(body),
                Ok(Err(error)) => return Err(connection_error(host, &error)),
                Err(_) => return Err(self.stalled(host)),
            }
            if body.len() as u64 > limit {
                return Err(Error::TooLarge { what, host, limit });
            }
        }
    }

    /// Reads a small JSON document as a whole; fails with `Html` if it is a web page, whatever the status says.
    pub(super) async fn read_json(&self, response: Response, what: &'static str, limit: u64) -> Result<Vec<u8>, Error> {
        let host = authority(response.url());
        let is_page =
            response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let body = self.read(response, what, limit).await?;
        let begins = body.trim_ascii_start().first();
        if begins == Some(&b'<') || (is_page && begins != Some(&b'{')) {
            return Err(Error::Html { host });
        }
        Ok(body)
    }

    /// The registry's message about an error, cut to a line: the first message of its JSON, or nothing.
    pub(super) async fn message(&self, response: Response) -> String {
        #[derive(serde::Deserialize)]
        struct Body {
            #[serde(default)]
            errors: Vec<Entry>,
            #[serde(default)]
            details: String,
        }
        #[derive(serde::Deserialize)]
        struct Entry {
            #[serde(default)]
            message: String,
        }
        let Ok(body) = self.read(response, "error", SMALL_LIMIT).await else { return String::new() };
        let Ok(body) = json::from_slice::<Body>(&body) else { return String::new() };
        let text = body.errors.into_iter().map(|entry| entry.message).next().unwrap_or(body.details);
        text.lines().next().unwrap_or_default().chars().take(200).collect()
    }

    /// The next piece of the body of `subject`. Counts only the time spent waiting for the network, so that a slow
    /// consumer is no stall.
    pub(super) async fn chunk(
        &self,
        response: &mut Response,
        pace: &mut Pace,
        subject: &impl fmt::Display,
    ) -> Result<Option<Bytes>, Error> {
        let mut wait = async |limit: Duration, response: &mut Response| {
            let start = Instant::now();
            let outcome = timeout(limit.saturating_sub(pace.waited), response.chunk()).await;
            pace.waited += start.elapsed();
            outcome
        };
        let after = self.notices.after;
        let mut outcome = wait(after.min(self.stall), response).await;
        let host = |response: &Response| authority(response.url());
        if outcome.is_err() && after < self.stall {
            if !pace.is_noticed {
                pace.is_noticed = true;
                let (host, time) = (host(response), words(after));
                self.notices
                    .tell(&format!("`{host}` has sent almost nothing of `{subject}` for {time}: still waiting"));
            }
            outcome = wait(self.stall, response).await;
        }
        let host = || host(response);
        match outcome {
            Ok(Ok(chunk)) => {
                pace.bytes += chunk.as_ref().map_or(0, Bytes::len);
                if pace.bytes >= SIGN_OF_LIFE {
                    *pace = Pace::default();
                }
                Ok(chunk)
            }
            Ok(Err(error)) => Err(connection_error(host(), &error)),
            Err(_) => Err(self.stalled(host())),
        }
    }
}

/// The pace of a sender: the time waited, and the bytes that arrived in it. One byte a second counts as a stall.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waited: Duration,
    bytes: usize,
    /// The user has been told.
    is_noticed: bool,
}

fn refuse(from: &Url, to: &str, reason: &'static str) -> Error {
    Error::Redirect { from: authority(from), to: to.chars().take(200).collect(), reason }
}

/// `10 seconds`, `1 second`.
fn words(length: Duration) -> String {
    match length.as_secs() {
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

/// 429 and the transient 5xx.
fn is_worth_another_try(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// `Retry-After` in seconds or as a date. Source: RFC 9110, 10.2.3.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(date.timestamp().duration_since(jiff::Timestamp::now()).try_into().unwrap_or(Duration::ZERO))
}

/// Distinguishes what an HTTP stack calls one error. Leaves out URLs: those of a content server are signed.
fn connection_error(host: String, error: &reqwest::Error) -> Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = source {
        if let Some(rustls::Error::InvalidCertificate(cause)) = rustls_error(current) {
            return Error::Certificate { host, cause: certificate_cause(cause) };
        }
        if let Some(cause) = rustls_error(current) {
            return tls_error(host, cause);
        }
        if let Some(error) = current.downcast_ref::<LookupError>() {
            return Error::Lookup { host: error.host.clone(), cause: error.to_string() };
        }
        if current.is::<TooNear>() {
            return Error::Realm { realm: host.clone(), host, reason: "its address is not public" };
        }
        source = current.source();
    }
    let cause = innermost(error);
    if error.is_connect() { Error::Connect { host, cause } } else { Error::Broken { host, cause } }
}

/// rustls' error inside an error: an `io::Error` does not return the error that it wraps as its source, and may wrap
/// another one.
fn rustls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<std::io::Error>() {
        Some(outer) => rustls_error(outer.get_ref()?),
        None => error.downcast_ref(),
    }
}

/// rustls' other errors in plain words.
fn tls_error(host: String, cause: &rustls::Error) -> Error {
    use rustls::{AlertDescription as Alert, Error as E, InvalidMessage};
    let cause = match cause {
        // The first byte is that of `HTTP/1.1 400 Bad Request`.
        E::InvalidMessage(InvalidMessage::InvalidContentType) => return Error::PlainHttp { host },
        E::InvalidMessage(_) => "its answer is not TLS".to_owned(),
        E::AlertReceived(Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateRequired) => {
            "it refuses this client's certificate".to_owned()
        }
        E::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure) | E::PeerIncompatible(_) => {
            "it supports no version or cipher of TLS that rc supports (TLS 1.2 and 1.3)".to_owned()
        }
        E::AlertReceived(Alert::UnrecognisedName) => "it has no certificate for this name".to_owned(),
        other => format!("TLS failed: {other}"),
    };
    Error::Connect { host, cause }
}

/// rustls' certificate errors in plain words; its own texts are names of variants.
fn certificate_cause(cause: &rustls::CertificateError) -> String {
    use rustls::CertificateError as E;
    match cause {
        E::Expired | E::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => "its certificate is not valid yet".to_owned(),
        E::UnknownIssuer => "its certificate comes from an authority that this system does not know".to_owned(),
        E::NotValidForName | E::NotValidForNameContext { .. } => "its certificate is for another name".to_owned(),
        E::Revoked => "its certificate is revoked".to_owned(),
        other if is_self_signed(other) => "its certificate is self-signed".to_owned(),
        other => format!("its certificate is invalid: {other}"),
    }
}
