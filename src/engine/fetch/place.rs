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
        matches!(self.scheme.as_str(), "https" | "ssh") || self.is_here()
    }

    /// Whether it is this host.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.host.as_str(), "127.0.0.1" | "::1" | "localhost")
    }

    /// The names that a secret for this host has.
    pub(super) fn secrets(&self, before: &str) -> [String; 2] {
        [format!("{before}{}", self.authority), format!("{before}{}", self.host)]
    }
}

/// Where the place in `https://user@host:port/path` or `user@host:path` is; `None` if it is none of these.
///
/// Neither is one whose authority has a character that some programs read as `/` and others leave out (a backslash, a
/// line break): they would disagree about the host, and a secret would go to another one. Source: WHATWG URL,
/// "authority state".
pub(in crate::engine) fn place_of(text: &str) -> Option<Authority> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("ssh", text));
    let is_short = !text.contains("://");
    let end = if is_short { rest.find(':')? } else { rest.find(['/', '?', '#']).unwrap_or(rest.len()) };
    if !rest[..end].bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return None;
    }
    let authority = rest[..end].rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let host = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, _)) => address.to_owned(),
        None if is_short => authority.clone(),
        None => authority.rsplit_once(':').map_or_else(|| authority.clone(), |(host, _)| host.to_owned()),
    };
    (!host.is_empty()).then(|| Authority { scheme: scheme.to_ascii_lowercase(), host, authority })
}

/// A URL without the name and the password in it, which are nobody's who gets the repository or reads a list.
pub(super) fn without_user(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let host = rest[..end].rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{}", &rest[end..])
        }
        _ => url.to_owned(),
    }
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
        let split = [
            "https://evil\\@good/",
            "https://good\\.evil/",
            "https://ev\til/",
            "https://evil\n@good/",
            "https://g\u{f6}od/",
        ];
        for text in ["https:///x", "a/b", ""].into_iter().chain(split) {
            assert_eq!(place_of(text), None, "{text}");
        }
    }

    #[test]
    fn the_client_connects_to_the_same_host_or_there_is_none_for_a_secret() {
        for before in
            ["", "me@", "me:pw@", "evil\\@", "evil/@", "evil?@", "evil#@", "evil\t@", "evil%2f@", "a@b@", "/", "\\"]
        {
            for after in ["", ":8443", "\\x", "/x", "?x", "#x", "\n/x", ".:1/x"] {
                let text = format!("https://{before}good{after}");
                let (Some(place), Ok(url)) = (place_of(&text), reqwest::Url::parse(&text)) else { continue };
                assert_eq!(url.host_str(), Some(place.host.as_str()), "{text}");
            }
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

    #[test]
    fn what_is_kept_of_a_url_has_no_password() {
        for (remote, expected) in [
            ("https://me:secret@h/a.git", "https://h/a.git"),
            ("HTTPS://me:secret@h?a@b", "HTTPS://h?a@b"),
            ("https://h:1/a.git", "https://h:1/a.git"),
            ("https://h", "https://h"),
            ("git@h:a", "git@h:a"),
        ] {
            assert_eq!(without_user(remote), expected);
        }
    }
}
