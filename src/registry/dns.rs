use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::Reach;
use super::error::innermost;

/// Resolves names: `localhost` by itself (RFC 6761, so that plain http to it stays on this host), other names with
/// `/etc/hosts` and the servers of `/etc/resolv.conf`. glibc's resolver would load NSS modules, which a static binary
/// cannot do.
#[derive(Clone, Default)]
pub(super) struct Dns {
    // Created at the first lookup: reading the two files takes longer than a pull from loopback may need.
    resolver: Arc<OnceLock<TokioResolver>>,
}

impl Dns {
    /// The addresses of `name`.
    pub(super) async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        self.ask(name).await.map_err(|error| LookupError { host: name.to_owned(), cause: cause(&error) })
    }

    async fn ask(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let resolver = match self.resolver.get() {
            Some(resolver) => resolver,
            None => {
                let made = new_resolver()?;
                self.resolver.get_or_init(|| made)
            }
        };
        Ok(resolver.lookup_ip(name).await?.iter().collect())
    }
}

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub(super) struct LookupError {
    /// The name: that of a proxy, if one is used.
    pub(super) host: String,
    cause: String,
}

/// The resolver's error in plain words; its own texts show its data structures.
fn cause(error: &NetError) -> String {
    match error {
        _ if error.is_no_records_found() => "no such host".to_owned(),
        NetError::Timeout => "the name servers in `/etc/resolv.conf` do not answer".to_owned(),
        NetError::NoConnections => "`/etc/resolv.conf` names no name server that can be reached".to_owned(),
        NetError::Io(error) => crate::sys::fs::plain(error),
        other => innermost(other),
    }
}

/// Without a readable resolv.conf there are no servers, and only `/etc/hosts` is used; rc asks no default server.
fn new_resolver() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
        TokioResolver::builder_with_config(
            ResolverConfig::from_parts(None, Vec::new(), Vec::new()),
            TokioRuntimeProvider::default(),
        )
    });
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    builder.build()
}

impl Resolve for Dns {
    fn resolve(&self, name: Name) -> Resolving {
        let dns = self.clone();
        Box::pin(async move {
            let addresses = dns.lookup(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// A resolver that limits the addresses of `host` to those that a registry at `registry` may send us to: the check and
/// the connection use the same answer, so that a name server cannot give a public address to one and 127.0.0.1 to the
/// other. Other names (a proxy's) pass unchecked.
pub(super) struct GuardedDns {
    pub(super) dns: Dns,
    pub(super) host: String,
    pub(super) registry: Reach,
}

/// Says that every address of a token server is nearer than a registry may send us.
#[derive(Debug, thiserror::Error)]
#[error("its address is not public")]
pub(super) struct TooNear;

impl Resolve for GuardedDns {
    fn resolve(&self, name: Name) -> Resolving {
        let dns = self.dns.clone();
        let guarded = name.as_str() == self.host;
        let registry = self.registry;
        Box::pin(async move {
            let mut addresses = dns.lookup(name.as_str()).await?;
            if guarded {
                addresses.retain(|address| registry.may_send_to(Reach::of(*address)));
                if addresses.is_empty() {
                    return Err(TooNear.into());
                }
            }
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::net::{DnsError, NoRecords};
    use hickory_resolver::proto::op::{Query, ResponseCode};

    use super::*;

    #[test]
    fn causes_are_plain_words() {
        let none = NoRecords::new(Query::new(), ResponseCode::NXDomain);
        for (error, expected) in [
            (NetError::Dns(DnsError::NoRecordsFound(none)), "no such host"),
            (NetError::Timeout, "the name servers in `/etc/resolv.conf` do not answer"),
            (NetError::NoConnections, "`/etc/resolv.conf` names no name server that can be reached"),
            (NetError::from(std::io::Error::from_raw_os_error(libc::ENETUNREACH)), "network is unreachable"),
        ] {
            assert_eq!(cause(&error), expected);
        }
    }
}
