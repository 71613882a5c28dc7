//! Unique names for files that are created in or moved to `tmp/` and `trash/`.

use std::sync::atomic::{AtomicU32, Ordering};

/// A name that no other thread or process on this host uses now.
pub(super) fn unique(kind: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    format!("{kind}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}
