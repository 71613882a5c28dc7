//! Labels: the image's, `--label-file`, `--label`.

use std::collections::BTreeMap;

use super::{Error, ImageDefaults, Request};
use crate::types::Invalid;

/// Labels by name; requested ones override the image's.
pub(super) fn labels(request: &Request, image: &ImageDefaults) -> Result<BTreeMap<String, String>, Error> {
    let mut labels = image.labels.clone();
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
    use super::super::tests::image;
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
        let expected = [("a", "image"), ("b", "asked"), ("c", ""), ("d", "x=y"), ("e", "file")];
        assert_eq!(labels(&request, &image).unwrap(), expected.map(|(n, v)| (n.into(), v.into())).into());
        let request = Request { labels: vec!["=x".into()], ..Request::default() };
        assert!(labels(&request, &image).is_err());
    }
}
