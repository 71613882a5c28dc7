//! Lists of images for several platforms: entries of index.json beside those of images, which do not see them.

use std::collections::BTreeMap;

use super::index::{REF_NAME, is_list};
use super::{Descriptor, Error, IndexEntry, Store};
use crate::types::{Digest, ImageReference};

impl Store {
    /// All lists, in the order of index.json.
    pub(crate) fn lists(&self) -> Result<Vec<IndexEntry>, Error> {
        Ok(self.entries()?.into_iter().filter(|entry| is_list(&entry.manifest)).collect())
    }

    /// Makes `name` name this list, instead of the list or the image that has it, unless the list that has it is not
    /// `old` any more; returns whether it did. The list must be in the store; the caller holds `begin_ingest`.
    pub(crate) fn put_list(
        &self,
        name: &ImageReference,
        list: &Descriptor,
        old: Option<&Digest>,
    ) -> Result<bool, Error> {
        let wanted = name.to_string();
        let mut is_current = false;
        let mut entry = list.clone();
        entry.annotations = BTreeMap::from([(REF_NAME.to_owned(), wanted.clone())]);
        self.change_index(|entries| {
            let is_it = |other: &Descriptor| is_list(other) && other.annotations.get(REF_NAME) == Some(&wanted);
            is_current = entries.iter().find(|other| is_it(other)).map(|other| &other.digest) == old;
            if !is_current {
                return;
            }
            entries.retain(|other| !is_it(other));
            for other in entries.iter_mut().filter(|other| other.annotations.get(REF_NAME) == Some(&wanted)) {
                other.annotations.remove(REF_NAME);
            }
            entries.push(entry);
        })?;
        Ok(is_current)
    }

    /// Removes a list; its images stay. Returns whether it existed.
    pub(crate) fn remove_list(&self, name: &ImageReference) -> Result<bool, Error> {
        let wanted = name.to_string();
        let mut found = false;
        self.change_index(|entries| {
            entries.retain(|other| {
                let is_it = is_list(other) && other.annotations.get(REF_NAME) == Some(&wanted);
                found |= is_it;
                !is_it
            });
        })?;
        Ok(found)
    }
}
