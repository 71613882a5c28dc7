//! A build as BuildKit's status (`--progress rawjson`): a JSON object a line. Source: BuildKit, `client/graph.go`
//! (`SolveStatus`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Display;
use super::step::Step;
use crate::types::Digest;
use crate::ui::json::compact;
use crate::ui::output::err;

/// JSON. Vertices of a build are numbered, and so are their digests.
pub(super) struct Raw {
    /// When each step has begun.
    began: BTreeMap<usize, String>,
}

impl Raw {
    pub(super) fn new() -> Self {
        Self { began: BTreeMap::new() }
    }

    fn vertex(&self, step: &Step) -> Value {
        json!({ "digest": digest(step), "name": step.title(), "started": self.began.get(&step.id) })
    }
}

/// What stands for a step: a digest, as the field is one.
fn digest(step: &Step) -> Digest {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&u64::try_from(step.id).unwrap_or_default().to_be_bytes());
    Digest::sha256(bytes)
}

fn now() -> String {
    Timestamp::now().to_string()
}

fn write(status: &Value) {
    let mut err = err();
    let line = compact(status).unwrap_or_default() + "\n";
    err.raw(line.as_bytes()).and_then(|()| err.finish()).unwrap_or_default();
}

impl Display for Raw {
    fn begin(&mut self, step: &Step) {
        self.began.insert(step.id, now());
        write(&json!({ "vertexes": [self.vertex(step)] }));
    }

    fn note(&mut self, step: &Step, text: &str) {
        let status = json!({
            "id": text,
            "vertex": digest(step),
            "current": 0,
            "timestamp": now(),
            "started": self.began.get(&step.id),
            "completed": now(),
        });
        write(&json!({ "statuses": [status] }));
    }

    fn line(&mut self, step: &Step, is_error: bool, text: &str) {
        let log = json!({
            "vertex": digest(step),
            "stream": if is_error { 2 } else { 1 },
            "data": STANDARD.encode(format!("{text}\n")),
            "timestamp": now(),
        });
        write(&json!({ "logs": [log] }));
    }

    fn end(&mut self, step: &Step, is_cached: bool) {
        let mut vertex = self.vertex(step);
        vertex["completed"] = now().into();
        if is_cached {
            vertex["cached"] = true.into();
        }
        write(&json!({ "vertexes": [vertex] }));
    }

    fn fail(&mut self, step: &Step, message: Option<&str>) {
        let mut vertex = self.vertex(step);
        vertex["completed"] = now().into();
        vertex["error"] = message.unwrap_or("canceled").into();
        write(&json!({ "vertexes": [vertex] }));
    }
}
