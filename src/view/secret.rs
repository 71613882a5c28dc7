//! Secrets: the row of `secret ls`, the object of `secret inspect`. Values only by `--showsecret`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Listed, human};
use crate::storage::secrets::SecretRecord;

/// The columns of `secret ls` without `--format`.
pub(crate) const SECRET_COLUMNS: [&str; 5] = ["ID", "NAME", "DRIVER", "CREATED", "UPDATED"];

/// A secret.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretRow<'a> {
    /// Its record.
    pub(crate) record: &'a SecretRecord,
    /// The time from which ages count back.
    pub(crate) now: Timestamp,
}

impl SecretRow<'_> {
    /// The cells under [`SECRET_COLUMNS`].
    pub(crate) fn cells(&self) -> [String; 5] {
        let ago = |time: &str| human::ago(time, self.now);
        let record = self.record;
        [record.id.clone(), record.name.to_string(), "file".to_owned(), ago(&record.created), ago(&record.updated)]
    }
}

/// The object of `secret inspect`, with the value if it is to be shown.
pub(crate) fn secret(record: &SecretRecord, value: Option<&[u8]>) -> Value {
    let mut object = super::inspect::object(json!({
        "ID": record.id,
        "CreatedAt": record.created,
        "UpdatedAt": record.updated,
        "Spec": {
            "Name": record.name,
            "Driver": { "Name": "file", "Options": {} },
            "Labels": record.labels,
        },
    }));
    object.extend(value.map(|value| ("SecretData".to_owned(), json!(String::from_utf8_lossy(value)))));
    Value::Object(object)
}

/// The lines of `secret inspect --pretty`. Source: podman.
pub(crate) fn secret_lines(record: &SecretRecord, value: Option<&[u8]>) -> Vec<String> {
    let mut lines = vec![
        format!("ID:              {}", record.id),
        format!("Name:            {}", record.name),
        "Labels:".to_owned(),
    ];
    lines.extend(record.labels.iter().map(|(name, value)| format!(" - {name}={value}")));
    lines.extend([
        "Driver:          file".to_owned(),
        format!("Created at:      {}", record.created),
        format!("Updated at:      {}", record.updated),
    ]);
    lines.extend(value.map(|value| format!("Secret Data:     {}", String::from_utf8_lossy(value))));
    lines
}

impl Listed for SecretRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("CreatedAt", "CREATED"),
        ("Driver", "DRIVER"),
        ("ID", "ID"),
        ("Labels", "LABELS"),
        ("Name", "NAME"),
        ("UpdatedAt", "UPDATED"),
    ];

    const DOCKER: &'static [&'static str] = &["CreatedAt", "Driver", "ID", "Labels", "Name", "UpdatedAt"];

    fn json(&self) -> impl Serialize {
        secret(self.record, None)
    }

    fn fields(&self) -> impl Serialize {
        json!({
            "CreatedAt": human::ago(&self.record.created, self.now),
            "Driver": "file",
            "ID": self.record.id,
            "Labels": self.record.labels,
            "Name": self.record.name,
            "UpdatedAt": human::ago(&self.record.updated, self.now),
        })
    }
}
