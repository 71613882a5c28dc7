//! Simple signing: an OpenPGP message whose content names an image and the digest of its manifest. Source:
//! containers-signature(5).

use serde::Deserialize;

use super::identity::Identity;
use super::{gpgv, requirement::SignedBy};
use crate::registry::digest_of;
use crate::types::{Digest, ImageReference, json};

/// The value of `critical.type`.
const TYPE: &str = "atomic container signature";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    critical: Critical,
    #[serde(rename = "optional")]
    _optional: Optional,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    r#type: String,
    image: Image,
    identity: Identified,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    manifest: Digest,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identified {
    #[serde(rename = "docker-reference")]
    reference: String,
}

/// Unknown members are no mistake here, but those that are known must have the right type.
#[derive(Debug, Deserialize)]
struct Optional {
    #[serde(rename = "creator")]
    _creator: Option<String>,
    #[serde(rename = "timestamp")]
    _timestamp: Option<i64>,
}

/// What is signed, and what it is called; archives have no names.
pub(super) struct Signed<'s> {
    pub(super) manifest: &'s [u8],
    pub(super) image: Option<&'s ImageReference>,
}

/// Checks a signature against a requirement; `keyrings` are its keys.
pub(super) fn check(
    signature: &[u8],
    required: &SignedBy,
    keyrings: &[Vec<u8>],
    signed: &Signed<'_>,
) -> Result<(), gpgv::Error> {
    // Binary, and no armored text, no signature of another format. Source: container-libs, `FromBlob`.
    if signature.first().is_none_or(|byte| byte & 0x80 == 0) {
        return Err(gpgv::Error::Bad("it is no OpenPGP message".to_owned()));
    }
    let content = gpgv::open(signature, keyrings)?;
    let identity = required.signed_identity.clone().unwrap_or_default();
    check_content(&content, &identity, signed).map_err(gpgv::Error::Bad)
}

fn check_content(content: &[u8], identity: &Identity, signed: &Signed<'_>) -> Result<(), String> {
    let content: Content = json::from_slice(content).map_err(|error| format!("its content is invalid: {error}"))?;
    let Content { critical: Critical { r#type, image, identity: Identified { reference } }, _optional: _ } = content;
    if r#type != TYPE {
        return Err(format!("it is a `{}`, not an `{TYPE}`", r#type.escape_debug()));
    }
    if digest_of(signed.manifest, image.manifest.algorithm()) != image.manifest {
        return Err(format!("it is for another manifest, `{}`", image.manifest));
    }
    if !identity.matches(&reference, signed.image) {
        return Err(format!("it is for `{}`", reference.escape_debug()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_is_read_strictly() {
        let manifest = b"{}";
        let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let good = format!(
            r#"{{"critical":{{"type":"{TYPE}","image":{{"docker-manifest-digest":"{digest}"}},
            "identity":{{"docker-reference":"h.io/a:1"}}}},"optional":{{"creator":"x","timestamp":1,"more":[]}}}}"#
        );
        let image = "h.io/a:1".parse().expect("a name");
        let signed = Signed { manifest, image: Some(&image) };
        let check = |text: &str| check_content(text.as_bytes(), &Identity::default(), &signed);
        assert_eq!(check(&good), Ok(()));
        for (from, to, reason) in [
            (TYPE, "cosign container image signature", "it is a `cosign container image signature`"),
            ("44136f", "54136f", "it is for another manifest"),
            ("h.io/a:1", "h.io/a:2", "it is for `h.io/a:2`"),
            (r#""optional""#, r#""critical":{},"optional""#, "its content is invalid"),
            (r#""optional""#, r#""more":1,"optional""#, "its content is invalid: unknown field `more`"),
            (r#""identity""#, r#""more":1,"identity""#, "its content is invalid: unknown field `more`"),
            (r#""timestamp":1"#, r#""timestamp":"1""#, "its content is invalid: invalid type"),
            ("sha256:", "md5:", "its content is invalid"),
            (r#""optional""#, r#""options""#, "its content is invalid"),
        ] {
            let error = check(&good.replacen(from, to, 1)).expect_err(to);
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
