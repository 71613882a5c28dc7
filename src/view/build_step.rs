//! A step of a build, and what becomes of it.

use serde_json::{Value, json};

use crate::build::reason::Reason;

/// The columns of `build --explain`.
pub(crate) const BUILD_STEP_COLUMNS: [&str; 4] = ["STEP", "CACHED", "LAST", "REASON"];

/// How many characters of a step are shown.
const WIDTH: usize = 60;

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuildStep {
    /// Its stage.
    pub(crate) stage: String,
    /// Its number in the stage, from 1.
    pub(crate) number: usize,
    /// How many steps the stage has.
    pub(crate) of: usize,
    /// The instruction.
    pub(crate) text: String,
    /// Why it is not in the cache; `None` if it is.
    pub(crate) reason: Option<Reason>,
    /// The cache of others that has it, if the own one does not.
    pub(crate) from: Option<String>,
    /// How long it took, in milliseconds, if that is known.
    pub(crate) took: Option<u64>,
}

impl BuildStep {
    /// The cells under [`BUILD_STEP_COLUMNS`].
    pub(crate) fn cells(&self) -> [String; 4] {
        let line = self.text.lines().next().unwrap_or_default();
        let mut title = format!("[{} {}/{}] {line}", self.stage, self.number, self.of);
        if let Some((end, _)) = title.char_indices().nth(WIDTH) {
            title.truncate(end);
            title.push_str("...");
        }
        let took = self.took.map(|took| format!("{}.{}s", took / 1000, took % 1000 / 100)).unwrap_or_default();
        let cached = match (&self.reason, &self.from) {
            (Some(_), _) => "no".to_owned(),
            (None, Some(place)) => format!("in {place}"),
            (None, None) => "yes".to_owned(),
        };
        [title, cached, took, self.reason.as_ref().map(ToString::to_string).unwrap_or_default()]
    }

    /// It as an object. `Cause` is the reason with all files.
    pub(crate) fn object(&self) -> Value {
        json!({
            "Stage": self.stage,
            "Step": self.number,
            "Of": self.of,
            "Instruction": self.text,
            "Cached": self.reason.is_none(),
            "From": self.from,
            "Reason": self.reason.as_ref().map(ToString::to_string),
            "Cause": self.reason,
            "Milliseconds": self.took,
        })
    }

    /// All steps as the object of `build --explain=json`. Version 1: later versions only add keys.
    pub(crate) fn all(steps: &[Self]) -> Value {
        json!({ "Version": 1, "Steps": steps.iter().map(Self::object).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_row_and_an_object() {
        let mut step = BuildStep {
            stage: "build".to_owned(),
            number: 2,
            of: 5,
            text: "RUN make".to_owned(),
            reason: None,
            from: None,
            took: Some(1250),
        };
        assert_eq!(step.cells(), ["[build 2/5] RUN make", "yes", "1.2s", ""].map(str::to_owned));
        step.from = Some("h.io/cache".to_owned());
        assert_eq!(step.cells()[1], "in h.io/cache");
        step.reason = Some(Reason::After("step 1".to_owned()));
        assert_eq!(step.cells()[1..], ["no", "1.2s", "after step 1"].map(str::to_owned));
        step.text = "x".repeat(100);
        assert!(step.cells()[0].ends_with("x..."), "{:?}", step.cells());
        assert_eq!(step.object()["Cause"], json!({ "after": "step 1" }));
        assert_eq!(BuildStep::all(&[])["Version"], json!(1));
    }
}
