//! Labels: the image's, `--label-file`, `--label`.

use std::collections::BTreeMap;

use super::{Error, Facts, ImageDefaults, Request};
use crate::types::Invalid;

/// The variable with the unit that the caller runs in, and the label of its containers, for `rc auto-update`. Source:
/// podman-auto-update(1).
pub(crate) const UNIT_LABEL: &str = "PODMAN_SYSTEMD_UNIT";

/// Labels by name; requested ones override that of the unit, and the image's.
pub(super) fn labels(
    request: &Request,
    image: &ImageDefaults,
    facts: &Facts,
) -> Result<BTreeMap<String, String>, Error> {
    let mut labels = image.labels.clone();
    let of_unit = facts.environment.iter().find(|(name, _)| name == UNIT_LABEL);
    labels.extend(of_unit.cloned());
    for file in &request.label_files {
        for (number, line) in file.text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) =
                split(line).map_err(|source| Error::File { path: file.path.clone(), line: number + 1, source })?;
            labels.insert(name, value);
        }
    }
    for label in &request.labels {
        let (name, value) = split(label).map_err(Error::option("--label"))?;
        labels.insert(name, value);
    }
    Ok(labels)
}

/// `NAME=value`; without `=` the value is empty.
fn split(label: &str) -> Result<(String, String), Invalid> {
    match label.split_once('=').unwrap_or((label, "")) {
        ("", _) => Err(Invalid::new("label", label, "must have a name")),
        (name, value) => Ok((name.to_owned(), value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::TextFile;
    use super::super::tests::{facts, image};
    use super::*;

    #[test]
    fn what_was_asked_hides_the_images() {
        let image = ImageDefaults {
            labels: [("a", "image"), ("b", "image")].map(|(n, v)| (n.into(), v.into())).into(),
            ..image()
        };
        let request = Request {
            labels: vec!["b=asked".into(), "c".into(), "d=x=y".into()],
            label_files: vec![TextFile { path: "f".into(), text: "# no\nb=file\ne=file\n".into() }],
            ..Request::default()
        };
        let mut facts = facts();
        let expected = [("a", "image"), ("b", "asked"), ("c", ""), ("d", "x=y"), ("e", "file")];
        let mut expected: BTreeMap<String, String> = expected.map(|(n, v)| (n.into(), v.into())).into();
        assert_eq!(labels(&request, &image, &facts).unwrap(), expected);
        facts.environment = [("HOME", "/h"), (UNIT_LABEL, "web.service")].map(|(n, v)| (n.into(), v.into())).into();
        expected.insert(UNIT_LABEL.into(), "web.service".into());
        assert_eq!(labels(&request, &image, &facts).unwrap(), expected);
        let request = Request { labels: vec!["=x".into()], ..Request::default() };
        assert!(labels(&request, &image, &facts).is_err());
    }
}
