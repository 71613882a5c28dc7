//! What a user must hear while a registry keeps rc waiting.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Hears one sentence.
type Listener = dyn Fn(&str) + Send + Sync;

/// Tells somebody that a registry keeps rc waiting, and that a request is repeated. Without a listener nothing is told.
#[derive(Clone)]
pub(crate) struct Notices {
    /// How long a server may be silent before that is told.
    pub(super) after: Duration,
    listener: Option<Arc<Listener>>,
}

impl Notices {
    /// Tells `listener`, from any thread, one sentence at a time.
    pub(crate) fn to(listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { listener: Some(Arc::new(listener)), ..Self::default() }
    }

    /// The same, after another time of silence.
    #[cfg(test)]
    pub(super) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    pub(super) fn tell(&self, text: &str) {
        if let Some(listener) = &self.listener {
            listener(text);
        }
    }
}

impl Default for Notices {
    fn default() -> Self {
        Self { after: Duration::from_secs(10), listener: None }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").field("after", &self.after).finish_non_exhaustive()
    }
}
