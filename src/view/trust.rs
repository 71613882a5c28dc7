//! What a policy requires of images.

use crate::image::trust::{Requirement, Row};

/// A requirement as podman's `image trust show --json` has it.
#[derive(Debug, serde::Serialize)]
pub(crate) struct TrustRow<'r> {
    transport: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    repo_name: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    sigstore: &'r str,
    #[serde(rename = "type")]
    kind: &'r str,
    #[serde(skip_serializing_if = "String::is_empty")]
    gpg_id: String,
}

impl<'r> TrustRow<'r> {
    /// The row of a policy; `store` knows where the signatures of a scope are.
    pub(crate) fn of(row: &Row<'r>, store: impl Fn(&str) -> Option<&'r str>) -> Self {
        let (name, repo_name) = match row.scope {
            None => ("* (default)", "default"),
            Some(scope) => (scope, scope),
        };
        let gpg_id = match row.requirement {
            Requirement::SignedBy(signed) => signed.owners().join(", "),
            Requirement::SigstoreSigned(_) => "N/A".to_owned(),
            _ => String::new(),
        };
        let sigstore = store(repo_name).unwrap_or_default();
        Self { transport: row.transport, name, repo_name, sigstore, kind: row.requirement.word(), gpg_id }
    }

    /// The cells of a table: TRANSPORT, NAME, TYPE, ID, STORE.
    pub(crate) fn cells(&self) -> [&str; 5] {
        let name = if self.transport == "all" { "default" } else { self.name };
        [self.transport, name, self.kind, &self.gpg_id, self.sigstore]
    }
}
