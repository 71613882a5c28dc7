//! The names that an image has had: what podman calls its names history.
//!
//! Names that an image has now are in its entries, the latest last. If it has had others, an annotation of one of its
//! entries has all of them, the latest first.

use std::collections::HashMap;

use super::{Descriptor, REF_NAME, is_list};
use crate::types::Digest;

/// The annotation with all names, the latest first, a space between two.
const NAMES: &str = "io.rc.names";

/// The most names that are kept of an image.
const MOST: usize = 64;

/// All names that an image has had, the latest first, by its entries.
pub(crate) fn history<'a>(entries: impl Iterator<Item = &'a Descriptor>) -> Vec<String> {
    let entries: Vec<&Descriptor> = entries.collect();
    let kept = entries.iter().filter_map(|entry| entry.annotations.get(NAMES));
    joined(current(&entries), kept.flat_map(|names| names.split(' ')).map(str::to_owned))
}

fn current(entries: &[&Descriptor]) -> Vec<String> {
    entries.iter().rev().filter_map(|entry| entry.annotations.get(REF_NAME)).cloned().collect()
}

/// What is kept in its order, with what it lacks before it.
fn joined(current: Vec<String>, kept: impl Iterator<Item = String>) -> Vec<String> {
    let kept: Vec<String> = kept.collect();
    let mut all: Vec<String> = current.into_iter().filter(|name| !kept.contains(name)).collect();
    all.extend(kept);
    all
}

/// Brings the annotations of the images up to date whose entries have changed.
pub(super) fn keep_history(before: &[Descriptor], after: &mut [Descriptor]) {
    let old = by_image(before);
    let changed: Vec<(Digest, Vec<String>)> = {
        let new = by_image(after);
        let is_changed = |digest: &Digest, entries: &Vec<&Descriptor>| old.get(digest) != Some(entries);
        let changed = new.iter().filter(|(digest, entries)| is_changed(digest, entries));
        changed.map(|(digest, entries)| ((*digest).clone(), names(old.get(digest), entries))).collect()
    };
    for (digest, names) in changed {
        let mut entries = after.iter_mut().filter(|entry| entry.digest == digest);
        let first = entries.next();
        entries.for_each(|entry| drop(entry.annotations.remove(NAMES)));
        if let Some(first) = first {
            first.annotations.remove(NAMES);
            if !names.is_empty() {
                first.annotations.insert(NAMES.to_owned(), names.join(" "));
            }
        }
    }
}

/// What the annotation of an image has to be; empty if it needs none.
fn names(old: Option<&Vec<&Descriptor>>, new: &[&Descriptor]) -> Vec<String> {
    let had = old.map(|entries| current(entries)).unwrap_or_default();
    let now = current(new);
    let past = old.map(|entries| history(entries.iter().copied())).unwrap_or_default();
    // A name that was given once more, whether it was still there or not, is the latest again.
    let added = &now[..(0..now.len()).find(|&first| is_in_order(&now[first..], &had)).unwrap_or(now.len())];
    let rest = past.into_iter().filter(|name| !added.contains(name));
    let mut all: Vec<String> = added.iter().cloned().chain(rest).collect();
    if all.len() == now.len() {
        return Vec::new();
    }
    all.truncate(MOST);
    all
}

/// Whether all of these are among the others, in the same order.
fn is_in_order(names: &[String], others: &[String]) -> bool {
    let mut others = others.iter();
    names.iter().all(|name| others.any(|other| other == name))
}

fn by_image(entries: &[Descriptor]) -> HashMap<&Digest, Vec<&Descriptor>> {
    let mut all: HashMap<&Digest, Vec<&Descriptor>> = HashMap::new();
    for entry in entries.iter().filter(|entry| !is_list(entry)) {
        all.entry(&entry.digest).or_default().push(entry);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::store;
    use crate::types::ImageReference;

    #[test]
    fn an_image_knows_its_names_of_the_past_wherever_they_went() {
        let (_home, store) = store();
        let image = |digit: &str| {
            let digest = format!("sha256:{}", digit.repeat(64)).parse().expect("a digest");
            Descriptor::new("application/vnd.oci.image.manifest.v1+json", digest, 3)
        };
        let name = |text: &str| text.parse::<ImageReference>().expect("a name");
        let (a, b) = (image("a"), image("b"));
        let of = |image: &Descriptor| {
            let index = store.index().expect("an index");
            let entries = index.iter().map(|entry| &entry.manifest).filter(|entry| entry.digest == image.digest);
            let annotated = entries.clone().filter(|entry| entry.annotations.contains_key(NAMES)).count();
            (history(entries).join(" ").replace("h.io/", ""), annotated)
        };
        let tag = |text: &str, image: &Descriptor| store.tag(&name(text), image, None).expect("tagged");
        tag("h.io/one:1", &a);
        tag("h.io/two:1", &a);
        assert_eq!(of(&a), ("two:1 one:1".to_owned(), 0));
        store.untag(&name("h.io/two:1")).expect("untagged");
        assert_eq!(of(&a), ("two:1 one:1".to_owned(), 1));
        // Another image takes the last name.
        tag("h.io/one:1", &b);
        assert_eq!((of(&a), of(&b)), (("two:1 one:1".to_owned(), 1), ("one:1".to_owned(), 0)));
        tag("h.io/one:1", &a);
        assert_eq!((of(&a), of(&b)), (("one:1 two:1".to_owned(), 1), ("one:1".to_owned(), 1)));
        tag("h.io/two:1", &a);
        assert_eq!(of(&a), ("two:1 one:1".to_owned(), 0));
        // A name that is given once more is the latest again.
        tag("h.io/one:1", &a);
        assert_eq!(of(&a), ("one:1 two:1".to_owned(), 0));
        store.untag(&name("h.io/two:1")).expect("untagged");
        tag("h.io/four:1", &a);
        tag("h.io/one:1", &a);
        assert_eq!(of(&a), ("one:1 four:1 two:1".to_owned(), 1));
        tag("h.io/three:1", &b);
        assert_eq!(of(&b), ("three:1 one:1".to_owned(), 1));
        (0..100).for_each(|number| {
            tag(&format!("h.io/x:{number}"), &b);
            store.untag(&name(&format!("h.io/x:{number}"))).expect("untagged");
        });
        assert!(of(&b).0.starts_with("x:99 x:98 ") && of(&b).0.split(' ').count() <= MOST + 1);
    }
}
