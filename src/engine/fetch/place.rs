//! The host in a place that a user or a Dockerfile names.

/// Where a place is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Authority {
    /// How it is asked: `https`, `ssh`, ….
    pub(in crate::engine) scheme: String,
    /// Its host.
    pub(in crate::engine) host: String,
    /// The host, and the port if it is named.
    pub(in crate::engine) authority: String,
}

impl Authority {
    /// Whether a secret may be sent there: encrypted, or not off this host.
    pub(super) fn is_private(&self) -> bool {
        matches!(self.scheme.as_str(), "https" | "ssh")
            || matches!(self.host.as_str(), "127.0.0.1" | "::1" | "localhost")
    }

    /// The names that a secret for this host has.
    pub(super) fn secrets(&self, before: &str) -> [String; 2] {
        [format!("{before}{}", self.authority), format!("{before}{}", self.host)]
    }
}

/// Where the place in `https://user@host:port/path` or `user@host:path` is; `None` if it is none of these.
pub(in crate::engine) fn place_of(text: &str) -> Option<Authority> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("ssh", text));
    let is_short = !text.contains("://");
    let end = if is_short { rest.find(':')? } else { rest.find(['/', '?', '#']).unwrap_or(rest.len()) };
    let authority = rest[..end].rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let host = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, _)) => address.to_owned(),
        None if is_short => authority.clone(),
        None => authority.rsplit_once(':').map_or_else(|| authority.clone(), |(host, _)| host.to_owned()),
    };
    (!host.is_empty()).then(|| Authority { scheme: scheme.to_ascii_lowercase(), host, authority })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_is_connected_to() {
        for (text, scheme, host, authority) in [
            ("https://h/x", "https", "h", "h"),
            ("HTTPS://me:pw@Host:8443/x@y", "https", "host", "host:8443"),
            ("http://[::1]:80/x", "http", "::1", "[::1]:80"),
            ("https://h?x", "https", "h", "h"),
            ("https://evil@h#@good/", "https", "h", "h"),
            ("git@h:a/b", "ssh", "h", "h"),
            ("ssh://git@h:22/b", "ssh", "h", "h:22"),
        ] {
            let found = place_of(text).expect(text);
            assert_eq!((&found.scheme[..], &found.host[..], &found.authority[..]), (scheme, host, authority), "{text}");
        }
        for text in ["https:///x", "a/b", ""] {
            assert_eq!(place_of(text), None, "{text}");
        }
    }

    #[test]
    fn secrets_go_encrypted_or_not_off_the_host() {
        for (text, expected) in
            [("https://h/x", true), ("http://h/x", false), ("http://127.0.0.1:1/x", true), ("git://h/x", false)]
        {
            assert_eq!(place_of(text).map(|place| place.is_private()), Some(expected), "{text}");
        }
    }
}
