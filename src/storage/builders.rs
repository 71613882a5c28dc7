//! Names of builders: scripts give some to `buildx`, and each of them is rc's only builder.
//!
//! ```text
//! builders/NAME       an empty file
//! builders/.in-use    the name of the one in use
//! ```

use std::path::PathBuf;

use super::{Error, Store};
use crate::sys::fs::{self, Durability};
use crate::types::Name;

/// The most bytes of a name.
const LIMIT: u64 = 128;

impl Store {
    fn builders_path(&self) -> PathBuf {
        self.root.join("builders")
    }

    fn builder_in_use_path(&self) -> PathBuf {
        self.builders_path().join(".in-use")
    }

    /// The names that were given, in order.
    pub(crate) fn builders(&self) -> Result<Vec<Name>, Error> {
        let paths = fs::paths_in(self.builders_path())?;
        let name = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
        let mut names: Vec<Name> = paths.iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    /// Gives the builder a name. Returns whether it is new.
    pub(crate) fn add_builder(&self, name: &Name) -> Result<bool, Error> {
        fs::create_dir_all(self.builders_path())?;
        match fs::create_new(self.builders_path().join(name.as_str())) {
            Ok(_) => Ok(true),
            Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a name away. Returns whether there was one.
    pub(crate) fn remove_builder(&self, name: &Name) -> Result<bool, Error> {
        match fs::remove_file(self.builders_path().join(name.as_str())) {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The name in use, if it was given and not taken away.
    pub(crate) fn builder_in_use(&self) -> Result<Option<Name>, Error> {
        let text = match fs::read_record(self.builder_in_use_path(), LIMIT) {
            Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(self.builders()?.into_iter().find(|name| name.as_str() == text))
    }

    /// Makes a name the one in use; `None` is that of the builder itself.
    pub(crate) fn use_builder(&self, name: Option<&Name>) -> Result<(), Error> {
        fs::create_dir_all(self.builders_path())?;
        let text = name.map_or("", Name::as_str);
        Ok(fs::replace(self.builder_in_use_path(), text.as_bytes(), Durability::Volatile)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_use_until_it_is_taken_away() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let name = |text: &str| text.parse::<Name>().expect("a name");
        assert_eq!((store.builders().expect("lists"), store.builder_in_use().expect("reads")), (Vec::new(), None));
        assert!(store.add_builder(&name("b")).expect("added") && store.add_builder(&name("a")).expect("added"));
        assert!(!store.add_builder(&name("a")).expect("looked up"));
        store.use_builder(Some(&name("a"))).expect("used");
        assert_eq!(store.builders().expect("lists"), [name("a"), name("b")]);
        assert_eq!(store.builder_in_use().expect("reads"), Some(name("a")));
        assert!(store.remove_builder(&name("a")).expect("removed") && !store.remove_builder(&name("a")).expect("gone"));
        assert_eq!(store.builder_in_use().expect("reads"), None);
    }
}
