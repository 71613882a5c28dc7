//! What a registry has under a name, as `docker buildx imagetools inspect` shows it.

use serde_json::{Value, json};

use crate::types::Digest;

/// Names of fields as templates have them, and as JSON has them. Source: `ocispec.Descriptor`, `ocispec.Image`.
const FIELDS: [(&str, &str); 13] = [
    ("Annotations", "annotations"),
    ("Architecture", "architecture"),
    ("Author", "author"),
    ("Config", "config"),
    ("Created", "created"),
    ("Digest", "digest"),
    ("History", "history"),
    ("Manifests", "manifests"),
    ("MediaType", "mediaType"),
    ("OS", "os"),
    ("Platform", "platform"),
    ("Size", "size"),
    ("Variant", "variant"),
];

/// What a registry has under a name.
#[derive(Debug)]
pub(crate) struct RemoteImage {
    /// The name, complete.
    pub(crate) name: String,
    /// The media type of its manifest, or of the list.
    pub(crate) media_type: String,
    /// The digest of that.
    pub(crate) digest: Digest,
    /// That, as it is there.
    pub(crate) bytes: Vec<u8>,
    /// The same, read.
    pub(crate) document: Value,
}

impl RemoteImage {
    /// What templates and JSON see; `configurations` are those of the image or of the list's images.
    pub(crate) fn object(&self, configurations: Option<Value>) -> Value {
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "digest": self.digest.to_string(),
            "size": self.bytes.len(),
        });
        for field in ["manifests", "annotations"] {
            if let Some(value) = self.document.get(field) {
                manifest[field] = value.clone();
            }
        }
        let mut object = json!({ "Name": self.name, "Manifest": manifest });
        if let Some(configurations) = configurations {
            object["Image"] = configurations;
        }
        object
    }

    /// Lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("Name:      {}", self.name),
            format!("MediaType: {}", self.media_type),
            format!("Digest:    {}", self.digest),
        ];
        let members = self.document["manifests"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !members.is_empty() {
            lines.push(String::new());
            lines.push("Manifests:".to_owned());
        }
        let repository = self.name.split_once('@').map_or(self.name.as_str(), |(name, _)| name);
        for member in members {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let platform = &member["platform"];
            let parts = [&platform["os"], &platform["architecture"], &platform["variant"]].map(text);
            let platform = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("/");
            for (key, value) in [
                ("Name:", format!("{repository}@{}", text(&member["digest"]))),
                ("MediaType:", text(&member["mediaType"])),
                ("Platform:", platform),
            ] {
                lines.push(format!("  {key:<10} {value}"));
            }
            lines.push(String::new());
        }
        lines
    }
}

/// A template with the fields' names as JSON has them, by which rc's objects have them.
pub(crate) fn as_in_json(template: &str) -> String {
    let mut parts = template.split("{{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inner, rest) = part.split_once("}}").unwrap_or((part, ""));
        let mut words: Vec<String> = inner.split('.').map(str::to_owned).collect();
        // What is before the first dot is no field.
        for word in words.iter_mut().skip(1) {
            let end = word.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(word.len());
            if let Some((_, name)) = FIELDS.iter().find(|(field, _)| *field == &word[..end]) {
                *word = format!("{name}{}", &word[end..]);
            }
        }
        text += &format!("{{{{{}", words.join("."));
        if part.contains("}}") {
            text += &format!("}}}}{rest}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_go_are_those_of_json() {
        for (typed, expected) in [
            ("{{.Manifest.Digest}}", "{{.Manifest.digest}}"),
            ("{{json .Manifest}} .Digest", "{{json .Manifest}} .Digest"),
            (
                "{{range .Manifest.Manifests}}{{.Platform.OS}}/{{ .Platform.Architecture }}{{end}}",
                "{{range .Manifest.manifests}}{{.platform.os}}/{{ .platform.architecture }}{{end}}",
            ),
            ("{{.Image.Config.Env}} {{.Name", "{{.Image.config.Env}} {{.Name"),
            ("json", "json"),
        ] {
            assert_eq!(as_in_json(typed), expected, "{typed}");
        }
    }
}
