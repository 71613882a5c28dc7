//! `manifest inspect --verbose`: each image of a list, with its manifest. Source: docker's `manifest inspect`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Add, remote};
use crate::engine::context::Context;
use crate::image::list;
use crate::registry::manifest::{Fault, Kind};
use crate::registry::{self, MANIFEST_LIMIT};
use crate::storage::{self, Descriptor};
use crate::types::{ImageReference, Report, ReportKind, json as reading};

/// Images as docker describes them.
#[derive(Debug)]
pub(crate) enum Described {
    /// The one that has the name.
    Image(Value),
    /// Those of the list that has the name.
    List(Vec<Value>),
}

/// The images of a list of the store, or of what a registry has under a name.
pub(crate) fn described_list(context: &Context, name: &str, how: &Add) -> Result<Described, Report> {
    match list::find(context.store()?, name) {
        Ok(found) => each(context, &found.name, &found.document.manifests, how),
        Err(error) => match Report::from(error) {
            report if matches!(report.kind, ReportKind::NotFound(_)) => of_registry(context, name, how),
            report => Err(report),
        },
    }
}

fn of_registry(context: &Context, typed: &str, how: &Add) -> Result<Described, Report> {
    let typed = typed.strip_prefix("docker://").unwrap_or(typed);
    let (found, name) = remote(context, typed, how, |client, place| {
        registry::block_on(client.manifest(place)).map(|found| found.map(|found| (found, place.clone())))
    })?;
    let refuse = |fault: Fault| {
        let message = format!("`{typed}`: {fault}");
        Report::from(fault).with_message(message)
    };
    match Kind::parse(&found.bytes, &found.media_type).map_err(refuse)? {
        Kind::Manifest(manifest) => {
            let descriptor = Descriptor::new(manifest.media_type, found.digest, found.bytes.len() as u64);
            Ok(Described::Image(described(&name.to_string(), &descriptor, &found.bytes)?))
        }
        Kind::Index(_) => {
            let whole = list::Document::parse(&found.bytes);
            let whole = whole.map_err(|source| refuse(Fault::Json { what: "index", source }))?;
            each(context, &name, &whole.manifests, how)
        }
    }
}

fn each(context: &Context, name: &ImageReference, members: &[Descriptor], how: &Add) -> Result<Described, Report> {
    let store = context.store()?;
    let of_member = |member: &Descriptor| {
        let bytes = match store.read_blob(&member.digest, MANIFEST_LIMIT) {
            Err(storage::Error::NoBlob { .. }) => {
                let whole = name.with_digest(member.digest.clone()).to_string();
                remote(context, &whole, how, |client, place| registry::block_on(client.manifest(place)))?.bytes
            }
            other => other?,
        };
        described(&format!("{name}@{}", member.digest), member, &bytes)
    };
    Ok(Described::List(members.iter().map(of_member).collect::<Result<_, Report>>()?))
}

fn described(name: &str, descriptor: &Descriptor, manifest: &[u8]) -> Result<Value, Report> {
    let damaged = |error: serde_json::Error| Report::new(ReportKind::Damaged, format!("`{name}`: {error}"));
    let document: Value = reading::from_slice(manifest).map_err(damaged)?;
    let key = if descriptor.media_type.contains("docker") { "SchemaV2Manifest" } else { "OCIManifest" };
    Ok(json!({
        "Ref": name,
        "Descriptor": serde_json::to_value(descriptor).map_err(damaged)?,
        "Raw": STANDARD.encode(manifest),
        key: document,
    }))
}
