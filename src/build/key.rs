//! Keys of the cache: what a step depends on, and nothing else. No history, time, label or name of an image is part of
//! a key, so that no image that is pulled can answer for a step (safety.md, B10).

use serde::Serialize;

use crate::storage::Hasher;
use crate::types::Digest;

/// The version of the keys: another one never finds the records of this one.
const VERSION: u32 = 2;

/// What a step depends on, in the order of its JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Keyed<'a, T> {
    version: u32,
    /// `mapped`, or `one` if all files belong to one user: whose IDs these are makes no difference to a layer.
    map: &'a str,
    architecture: &'a str,
    /// No file is newer than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<i64>,
    /// The layers below, lowest first, by their content: a step that was run again and has made the same does not make
    /// the next ones miss.
    layers: &'a [Digest],
    step: &'a T,
}

/// The place of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// `mapped`, or `one` if all files belong to one user.
    pub(crate) map: &'a str,
    /// The architecture of the image.
    pub(crate) architecture: &'a str,
    /// The time, in seconds since the epoch, to which newer files are set.
    pub(crate) newest: Option<i64>,
    /// The diff IDs of the layers below, lowest first.
    pub(crate) layers: &'a [Digest],
}

/// The key of a step at its place.
pub(crate) fn key(place: Place<'_>, step: &impl Serialize) -> Result<Digest, serde_json::Error> {
    let Place { map, architecture, newest, layers } = place;
    let bytes = serde_json::to_vec(&Keyed { version: VERSION, map, architecture, newest, layers, step })?;
    Ok(Hasher::sha256(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_a_key_matters() {
        let layers = [Digest::sha256([1; 32]), Digest::sha256([2; 32])];
        let place = Place { map: "m", architecture: "amd64", newest: None, layers: &layers };
        let made = |place: Place<'_>, step: &str| key(place, &step).expect("a key");
        let first = made(place, "RUN true");
        assert_eq!(made(place, "RUN true"), first);
        for (place, step) in [
            (place, "RUN false"),
            (Place { map: "n", ..place }, "RUN true"),
            (Place { architecture: "arm64", ..place }, "RUN true"),
            (Place { newest: Some(0), ..place }, "RUN true"),
            (Place { layers: &layers[..1], ..place }, "RUN true"),
        ] {
            assert_ne!(made(place, step), first, "{place:?} {step}");
        }
    }
}
