//! `--ssh`: agents that steps may ask to sign, and what of their protocol gets through.
//!
//! ```text
//! --ssh default            the agent of SSH_AUTH_SOCK
//! --ssh ID=SOCKET          another one
//! --ssh ID=KEY[,KEY…]      one with the keys in these files
//! ```
//!
//! Source: docker-buildx-build(1), `--ssh`; draft-ietf-sshm-ssh-agent.

use crate::types::Invalid;

/// The longest message. Source: OpenSSH, `AGENT_MAX_LEN`.
const LONGEST: usize = 256 << 10;

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SshAgent {
    /// Its name.
    pub(crate) id: String,
    /// Its socket, or files with keys; none is the socket of the caller's environment.
    pub(crate) places: Vec<String>,
}

impl SshAgent {
    /// Reads `--ssh`.
    pub(crate) fn new(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: &str| Invalid::new("agent", text, reason);
        let (id, places) = text.split_once('=').map_or((text, None), |(id, places)| (id, Some(places)));
        let places: Vec<String> = places.iter().flat_map(|places| places.split(',')).map(str::to_owned).collect();
        if id.is_empty() || places.iter().any(String::is_empty) {
            return Err(invalid("must be ID, ID=SOCKET or ID=KEYFILE"));
        }
        Ok(Self { id: id.to_owned(), places })
    }
}

/// What is done with the beginning of a stream of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// It is not complete.
    Incomplete,
    /// So many bytes are passed on: a request for the list of keys, or to sign.
    Passed(usize),
    /// So many bytes are answered by [`REFUSAL`]: a request that changes the agent, or that nobody knows.
    Refused(usize),
    /// It is no request: the connection ends.
    Nonsense,
}

/// `SSH_AGENT_FAILURE`.
pub(crate) const REFUSAL: [u8; 5] = [0, 0, 0, 1, 5];

/// What is done with the first request in `bytes`.
pub(crate) fn request(bytes: &[u8]) -> Request {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Request::Incomplete };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if !(1..=LONGEST).contains(&length) {
        return Request::Nonsense;
    }
    match rest.get(..length).and_then(<[u8]>::first) {
        None => Request::Incomplete,
        // SSH_AGENTC_REQUEST_IDENTITIES, SSH_AGENTC_SIGN_REQUEST
        Some(11 | 13) => Request::Passed(4 + length),
        Some(_) => Request::Refused(4 + length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_has_a_name_and_maybe_a_socket_or_keys() {
        let agent = |id: &str, places: &[&str]| {
            Ok(SshAgent { id: id.to_owned(), places: places.iter().map(|it| (*it).to_owned()).collect() })
        };
        assert_eq!(SshAgent::new("default"), agent("default", &[]));
        assert_eq!(SshAgent::new("git=/run/x=y"), agent("git", &["/run/x=y"]));
        assert_eq!(SshAgent::new("a=b,c"), agent("a", &["b", "c"]));
        for text in ["", "=x", "a=", "a=b,"] {
            assert!(SshAgent::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_listing_and_signing_get_through() {
        for (bytes, expected) in [
            (&[][..], Request::Incomplete),
            (&[0, 0, 0], Request::Incomplete),
            (&[0, 0, 0, 1], Request::Incomplete),
            (&[0, 0, 0, 1, 11], Request::Passed(5)),
            (&[0, 0, 0, 3, 13, 1], Request::Incomplete),
            (&[0, 0, 0, 3, 13, 1, 2, 0], Request::Passed(7)),
            (&[0, 0, 0, 2, 17, 0], Request::Refused(6)),
            (&[0, 0, 0, 1, 19], Request::Refused(5)),
            (&[0, 0, 0, 1, 27], Request::Refused(5)),
            (&[0, 0, 0, 0, 11], Request::Nonsense),
            (&[0, 4, 0, 1, 11], Request::Nonsense),
            (&[255, 255, 255, 255], Request::Nonsense),
        ] {
            assert_eq!(request(bytes), expected, "{bytes:?}");
        }
    }
}
