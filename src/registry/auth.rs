use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Url};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::address::{Reach, authority, literal};
use super::transport::{Audience, Content, Request, Transport};
use super::{Credentials, Error, SMALL_LIMIT};
use crate::types::json;

/// The header that a registry asked for, cached until it expires.
pub(super) struct Auth {
    credentials: Option<Credentials>,
    /// `repository:NAME:pull`: what rc needs, whatever scope the challenge names; none to log in.
    scopes: Vec<String>,
    // Locked while a token is fetched: layers that need one at the same time share one request.
    current: Mutex<Option<Authorization>>,
}

struct Authorization {
    header: HeaderValue,
    expires: Option<Instant>,
}

impl Authorization {
    fn is_fresh(&self) -> bool {
        self.expires.is_none_or(|expires| Instant::now() < expires)
    }
}

/// One way to authenticate that rc knows.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

impl Auth {
    pub(super) fn new(credentials: Option<Credentials>, scopes: Vec<String>) -> Self {
        Self { credentials, scopes, current: Mutex::new(None) }
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// The header to send; `None` if no registry has asked for one yet, or if it has expired.
    pub(super) async fn header(&self) -> Option<HeaderValue> {
        let current = self.current.lock().await;
        current.as_ref().filter(|current| current.is_fresh()).map(|current| current.header.clone())
    }

    /// Answers the challenge of a 401 that came although `used` was sent. `None` if there is nothing better to send.
    pub(super) async fn answer(
        &self,
        transport: &Transport,
        registry: &Url,
        headers: &HeaderMap,
        used: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Error> {
        let mut current = self.current.lock().await;
        if let Some(newer) = current.as_ref().filter(|newer| newer.is_fresh() && Some(&newer.header) != used) {
            return Ok(Some(newer.header.clone()));
        }
        let fail = |reason: String| Error::Challenge { host: authority(registry), reason };
        let made = match choose(headers) {
            None => return Ok(None),
            Some(Err(reason)) => return Err(fail(reason)),
            Some(Ok(Challenge::Basic)) => match &self.credentials {
                Some(Credentials::Password { user, password }) => {
                    let header = basic(user, password);
                    // There is nothing better to send than what was refused.
                    if used == Some(&header) {
                        return Ok(None);
                    }
                    Authorization { header, expires: None }
                }
                Some(Credentials::IdentityToken(_)) => {
                    return Err(fail("it asks for a password, but an identity token is configured".to_owned()));
                }
                None => return Ok(None),
            },
            Some(Ok(Challenge::Bearer { realm, service })) => {
                self.token(transport, registry, &realm, service.as_deref()).await?
            }
        };
        let header = made.header.clone();
        *current = Some(made);
        Ok(Some(header))
    }

    /// Fetches a token. Source: the distribution project's "Token Authentication Specification" and "oauth2".
    async fn token(
        &self,
        transport: &Transport,
        registry: &Url,
        realm: &str,
        service: Option<&str>,
    ) -> Result<Authorization, Error> {
        let (mut url, audience) = check_realm(transport, registry, realm).await?;
        let host = authority(&url);
        let joined = self.scopes.join(" ");
        let mut query: Vec<(&str, &str)> = self.scopes.iter().map(|scope| ("scope", scope.as_str())).collect();
        query.extend(service.map(|service| ("service", service)));
        let mut request = match &self.credentials {
            Some(Credentials::IdentityToken(token)) => {
                // A form takes one field for all of them.
                query.retain(|(name, _)| *name != "scope");
                query.extend((!joined.is_empty()).then_some(("scope", joined.as_str())));
                query.extend([("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "rc")]);
                let mut form = url.clone();
                form.query_pairs_mut().clear().extend_pairs(query);
                let form = form.query().unwrap_or_default().to_owned();
                Request { method: Method::POST, content: Content::Form(form), ..Request::get(url) }
            }
            Some(Credentials::Password { user, password }) => {
                query.push(("account", user));
                url.query_pairs_mut().extend_pairs(query);
                Request { authorization: Some(basic(user, password)), ..Request::get(url) }
            }
            None => {
                url.query_pairs_mut().extend_pairs(query);
                Request::get(url)
            }
        };
        request.audience = audience;
        let response = transport.send(&request).await.map_err(|error| match error {
            Error::Realm { realm, reason, .. } => Error::Realm { realm, host: authority(registry), reason },
            other => other,
        })?;
        let status = response.status();
        if matches!(status.as_u16(), 401 | 403) {
            let with_credentials = self.has_credentials();
            let message = transport.message(response).await;
            // Without a right to the repository the server sends a token that has none; it refuses only a login.
            if with_credentials && status == 401 {
                return Err(Error::Login { host, message });
            }
            let subject = if joined.is_empty() { authority(registry) } else { joined };
            return Err(Error::Denied { subject, message, with_credentials });
        }
        if !status.is_success() {
            let message = transport.message(response).await;
            return Err(Error::Status { host, status: status.as_u16(), subject: "a token".to_owned(), message });
        }
        let body = transport.read_json(response, "token", SMALL_LIMIT).await?;
        read_token(&body).map_err(|reason| Error::Token { realm: host, reason })
    }
}

/// The strongest challenge that rc can answer, or why there is none; `None` if there is no challenge at all.
fn choose(headers: &HeaderMap) -> Option<Result<Challenge, String>> {
    let mut fault = None;
    let mut basic = false;
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let Ok(text) = value.to_str() else { continue };
        let Ok(challenges) = http_auth::parse_challenges(text) else {
            fault = Some("its challenge cannot be parsed".to_owned());
            continue;
        };
        for challenge in challenges {
            let parameter = |name: &str| {
                challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                match parameter("realm") {
                    Some(realm) => return Some(Ok(Challenge::Bearer { realm, service: parameter("service") })),
                    None => fault = Some("its Bearer challenge names no realm".to_owned()),
                }
            } else if challenge.scheme.eq_ignore_ascii_case("basic") {
                basic = true;
            } else {
                fault = Some(format!("it asks for `{}`, but rc supports only Basic and Bearer", challenge.scheme));
            }
        }
    }
    if basic { Some(Ok(Challenge::Basic)) } else { fault.map(Err) }
}

/// Whether rc may ask a token server at all (safety.md R2): over https; over plain http only on loopback for a registry
/// on loopback, or on the registry's own host if nothing is verified; never if it is nearer to us than the registry
/// itself.
pub(super) async fn check_realm(transport: &Transport, registry: &Url, realm: &str) -> Result<(Url, Audience), Error> {
    let short: String = realm.chars().take(200).collect();
    let refuse = |reason| Error::Realm { realm: short.clone(), host: authority(registry), reason };
    let url: Url = realm.parse().map_err(|_| refuse("it is not a URL"))?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| refuse("it has no host"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it carries a user name"));
    }
    let same_host = registry.host_str() == Some(host);
    let home = reach(transport, registry).await;
    let place = if super::address::is_loopback(host) { Some(Reach::Loopback) } else { literal(host).map(Reach::of) };
    if !same_host && place.is_some_and(|place| !home.may_send_to(place)) {
        return Err(refuse("its address is not public"));
    }
    match url.scheme() {
        "https" => {}
        "http" if place == Some(Reach::Loopback) && home == Reach::Loopback && transport.allows_http(host) => {}
        "http" if same_host && transport.is_blind() => {}
        "http" => return Err(refuse("it is plain http")),
        _ => return Err(refuse("it is neither https nor http")),
    }
    Ok((url, Audience::Realm { registry: home, same_host }))
}

/// The reach of the registry: that of the nearest of its addresses. If a name does not resolve on this host, a proxy
/// must resolve it.
async fn reach(transport: &Transport, registry: &Url) -> Reach {
    let host = registry.host_str().unwrap_or_default();
    if let Some(address) = literal(host) {
        return Reach::of(address);
    }
    let found = transport.dns.lookup(host).await.unwrap_or_default();
    let found: Vec<Reach> = found.into_iter().map(Reach::of).collect();
    // Every address must agree before a registry counts as near: one stray record must not give access to the user's
    // network.
    match found.first() {
        Some(first) if found.iter().all(|reach| reach == first) => *first,
        _ => Reach::Public,
    }
}

fn basic(user: &str, password: &str) -> HeaderValue {
    secret("Basic", &STANDARD.encode(format!("{user}:{password}"))).unwrap_or_else(|| HeaderValue::from_static(""))
}

/// A header value that no debug output shows; `None` if `value` is not valid in a header.
fn secret(scheme: &str, value: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {value}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn read_token(body: &[u8]) -> Result<Authorization, String> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
        expires_in: Option<u64>,
    }
    // serde's message could quote the token.
    let answer: Answer = json::from_slice(body).map_err(|_| "it is not a JSON object with a token".to_owned())?;
    let token = answer.token.filter(|token| !token.is_empty()).or(answer.access_token).unwrap_or_default();
    if token.is_empty() {
        return Err("it contains no token".to_owned());
    }
    let header = secret("Bearer", &token).ok_or("its token contains control bytes")?;
    // 60 seconds is the specification's default; a day is as good as forever.
    let lifetime = Duration::from_secs(answer.expires_in.unwrap_or(60).clamp(60, 86_400));
    // Renewed a little early, so that no token expires during a request.
    Ok(Authorization { header, expires: Some(Instant::now() + lifetime.mul_f32(0.9)) })
}
