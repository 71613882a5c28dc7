use std::fmt;
use std::str::FromStr;

use super::{Digest, Invalid, serde_as_string};

/// A complete image reference: registry, repository, and a tag or a digest or both.
///
/// A short form is completed as docker does it: no registry is `docker.io`, one component there is `library/NAME`,
/// neither tag nor digest is `:latest`. `Display` gives the whole form (`docker.io/library/busybox:latest`).
/// Source: the grammar of distribution/reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ImageReference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl ImageReference {
    /// Host and port, as `docker.io` or `localhost:5000`.
    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry, as `library/busybox`.
    pub(crate) fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `None` only if there is a digest.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that the manifest must have.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// `registry/repository`, as tables show it.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same repository, with the tag and the digest of another reference.
    pub(crate) fn with_tag_of(&self, other: &Self) -> Self {
        Self { tag: other.tag.clone(), digest: other.digest.clone(), ..self.clone() }
    }

    /// Whether a name, as typed, has no registry.
    pub(crate) fn is_short(typed: &str) -> bool {
        typed.split_once('/').is_none_or(|(host, _)| !(host.contains(['.', ':']) || host == "localhost"))
    }

    /// The names under which policy.json and registries.d may speak of the image, the narrowest first: its whole name,
    /// its repository, what is above that, its host, and the domains above that. Source: containers-policy.json(5).
    pub(crate) fn scopes(&self) -> Vec<String> {
        let (whole, name) = (self.to_string(), self.name());
        let mut scopes = vec![whole];
        let mut rest = name.as_str();
        loop {
            scopes.push(rest.to_owned());
            match rest.rsplit_once('/') {
                Some((above, _)) => rest = above,
                None => break,
            }
        }
        let mut domain = self.registry();
        while let Some((_, above)) = domain.split_once('.') {
            scopes.push(format!("*.{above}"));
            domain = above;
        }
        scopes
    }

    /// As it is when it has been pulled: a tag beside a digest may name another image today, so it does not count.
    pub(crate) fn decided(&self) -> Self {
        match &self.digest {
            Some(digest) => self.with_digest(digest.clone()),
            None => self.clone(),
        }
    }

    /// The same repository, by digest alone.
    pub(crate) fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }
}

impl FromStr for ImageReference {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: &str| Invalid::new("image reference", text, reason);
        if text.is_empty() || text.len() > 512 {
            return Err(invalid("must have 1 to 512 characters"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(|e| invalid(&e.reason))?)),
            None => (text, None),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag {
            let first = tag.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
            let fine = tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
            if !first || !fine || tag.len() > 128 {
                return Err(invalid("a tag matches [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"));
            }
        }
        let (registry, repository) = match path.split_once('/') {
            Some((host, rest)) if !Self::is_short(path) => (host, rest.to_owned()),
            _ => ("docker.io", path.to_owned()),
        };
        let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
        if !is_host(registry) {
            return Err(invalid("the part before the first `/` is not a host name"));
        }
        let repository = if registry == "docker.io" && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository
        };
        if repository.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(invalid("a repository name must be lower case"));
        }
        if !repository.split('/').all(is_component) {
            return Err(invalid("a repository is made of components [a-z0-9]+((.|_|__|-+)[a-z0-9]+)*"));
        }
        let tag = match (tag, &digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("v6", rest.strip_prefix(':').or(if rest.is_empty() { None } else { Some("bad") }))
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.split('.').all(label) && port.is_none_or(|p| p.parse::<u16>().is_ok_and(|p| p > 0))
}

fn is_component(component: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let mut separators =
        component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).filter(|s| !s.is_empty());
    edge(component.bytes().next())
        && edge(component.bytes().last())
        && separators.all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

serde_as_string!(ImageReference);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_completed_as_docker_does() {
        let hex = "a".repeat(64);
        for (typed, whole) in [
            ("busybox", "docker.io/library/busybox:latest".to_owned()),
            ("busybox:1.36", "docker.io/library/busybox:1.36".to_owned()),
            ("user/app", "docker.io/user/app:latest".to_owned()),
            ("localhost/app", "localhost/app:latest".to_owned()),
            ("localhost:5000/a/b:x", "localhost:5000/a/b:x".to_owned()),
            ("[::1]:5000/a", "[::1]:5000/a:latest".to_owned()),
            ("index.docker.io/a", "docker.io/library/a:latest".to_owned()),
            (&format!("ghcr.io/a/b@sha256:{hex}"), format!("ghcr.io/a/b@sha256:{hex}")),
            (&format!("a:t@sha256:{hex}"), format!("docker.io/library/a:t@sha256:{hex}")),
        ] {
            assert_eq!(typed.parse::<ImageReference>().map(|r| r.to_string()), Ok(whole), "{typed}");
        }
    }

    #[test]
    fn hostile_references_are_refused() {
        for bad in [
            "",
            ":x",
            "a:",
            "a/../b",
            "../x",
            "a//b",
            "Busybox",
            "a b",
            "a:b c",
            "a@md5:x",
            "-x",
            "a/-b",
            "a\n",
            "h.x:0/a",
            "h.x:99999/a",
            "a@sha256:../../etc",
            "a___b",
            "[::1/a",
            "a..b/c:",
        ] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad:?}");
        }
    }
}
