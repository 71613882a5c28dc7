//! The client for registries: the OCI distribution protocol.
//!
//! ```text
//! Client ── Transport ── one reqwest client per origin: certificates, proxy, time limits, redirects, retries
//!   │          └── dns  (a static binary has no NSS: /etc/hosts and resolv.conf by hickory)
//!   ├── auth   challenge → Basic, or a Bearer token from a realm that passed the rules below
//!   ├── manifest  bytes → Manifest or Index, every digest, size and media type checked (pure)
//!   ├── upload blobs and manifests to the registry: mounted, or sent, and continued after a break
//!   ├── fetch  files by URL, for builds
//!   ├── lookaside  signatures beside the registry; extension: those that a registry keeps itself
//!   └── Blob   a stream that resumes by Range, stops at the declared size, and ends only if the digest is right
//! ```
//!
//! A registry's answers are hostile (safety.md I1–I6, R1–R6). `oci-client` was the first choice, but it reads tokens,
//! errors and manifests without a limit, asks any realm for a token, leaves redirects to reqwest's default (which
//! follows https → http) and accepts no rustls configuration, so that `certs.d` cannot be honoured; none of this can be
//! configured. The rest of it, four structs, is not worth its dependencies, so rc uses `reqwest` directly. HTTP/1.1
//! only: every layer then has a connection of its own, and its back-pressure stops no other layer.

mod address;
mod auth;
mod blob;
mod blocking;
mod body;
mod client;
mod credentials;
mod dns;
mod error;
mod extension;
mod fetch;
mod lookaside;
/// Manifests, indexes and image configurations from a registry or an archive, checked.
pub(crate) mod manifest;
mod notice;
mod options;
mod platform;
mod registries;
mod search;
mod short;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;
mod tls;
mod transport;
mod upload;

pub(crate) use blob::Blob;
pub(crate) use blocking::{block_on, workers};
pub(crate) use body::Source;
pub(crate) use client::{Client, Document, digest_of};
pub(crate) use credentials::{Credentials, CredentialsError, Forgotten, Places, Server, forget, forget_all, store};
pub(crate) use error::Error;
pub(crate) use fetch::{NamedBy, Wanted, check_host, fetch};
pub(crate) use lookaside::{Lookaside, LookasideError, SIGNATURES, Stores};
pub(crate) use notice::Notices;
pub(crate) use options::{Backoff, Options};
pub(crate) use platform::Platform;
pub(crate) use registries::{LazyRegistries, Place, RegistriesError};
pub(crate) use search::{Hit, search};
pub(crate) use tls::TlsVerify;
pub(crate) use upload::Arrival;

/// The maximum size of a manifest, an index or a configuration, in bytes. Source: safety.md I5 (c/image iolimits).
pub(crate) const MANIFEST_LIMIT: u64 = 4 << 20;
/// The maximum size of a token, an error body or an auth file, in bytes. Source: safety.md R5.
pub(crate) const SMALL_LIMIT: u64 = 1 << 20;
