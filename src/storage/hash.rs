use sha2::{Digest as _, Sha256, Sha512};

use crate::types::{Algorithm, Digest};

/// A running SHA-256 or SHA-512 (with the CPU's own instructions if it has them).
#[derive(Debug, Clone)]
pub(crate) struct Hasher(State);

#[derive(Debug, Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// Starts a hash.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::new(Sha512::new())),
        })
    }

    /// Takes in the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hash) => hash.update(bytes),
            State::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest of all bytes.
    pub(crate) fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(hash) => Digest::sha256(hash.finalize().into()),
            State::Sha512(hash) => Digest::sha512(hash.finalize().into()),
        }
    }

    /// The SHA-256 of `bytes`.
    pub(crate) fn sha256(bytes: &[u8]) -> Digest {
        Digest::sha256(Sha256::digest(bytes).into())
    }
}
