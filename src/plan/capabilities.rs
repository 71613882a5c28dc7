//! `--cap-add` and `--cap-drop`.

use super::Error;
use crate::types::Invalid;
use crate::types::capability::{ALL, DEFAULT};

/// The capabilities of the program, by number: the default ones, without `drop`, with `add`.
///
/// `ALL` adds or drops every one, and the other list then names the exceptions; a name in both lists is an error.
/// Source: docker and podman, `MergeCapabilities`.
pub(super) fn capabilities(add: &[String], drop: &[String]) -> Result<Vec<String>, Error> {
    let add = Names::read(add).map_err(Error::option("--cap-add"))?;
    let drop = Names::read(drop).map_err(Error::option("--cap-drop"))?;
    if let Some(name) = add.names.iter().find(|name| drop.names.contains(name)) {
        return Err(Error::CapabilityConflict { capability: (*name).to_owned() });
    }
    if add.all && drop.all {
        return Err(Error::CapabilityConflict { capability: "ALL".to_owned() });
    }
    let has = |name: &&str| {
        let base = add.all || (!drop.all && DEFAULT.contains(name));
        (base || add.names.contains(name)) && !drop.names.contains(name)
    };
    Ok(ALL.iter().copied().filter(has).map(str::to_owned).collect())
}

struct Names {
    all: bool,
    names: Vec<&'static str>,
}

impl Names {
    /// Reads names with or without `CAP_`, in any case, one or several to a word.
    fn read(words: &[String]) -> Result<Self, Invalid> {
        let mut read = Self { all: false, names: Vec::new() };
        for word in words.iter().flat_map(|words| words.split(',')) {
            let upper = word.to_ascii_uppercase();
            let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
            if upper == "ALL" {
                read.all = true;
            } else if let Some(known) = ALL.iter().find(|known| known.strip_prefix("CAP_") == Some(bare)) {
                read.names.push(known);
            } else {
                return Err(Invalid::new("capability", word, "no such capability (capabilities(7))"));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(add: &[&str], drop: &[&str]) -> Result<Vec<String>, String> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        capabilities(&owned(add), &owned(drop)).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_and_exceptions() {
        assert_eq!(set(&[], &[]), Ok(DEFAULT.map(str::to_owned).to_vec()));
        assert_eq!(set(&[], &["all"]), Ok(vec![]));
        assert_eq!(set(&["chown", "CAP_NET_RAW"], &["ALL"]), Ok(vec!["CAP_CHOWN".into(), "CAP_NET_RAW".into()]));
        assert_eq!(set(&["ALL"], &["sys_admin"]).map(|caps| caps.len()), Ok(40));
        assert_eq!(set(&[], &["CAP_SETUID,CAP_SETGID"]).map(|caps| caps.len()), Ok(9));
        assert_eq!(set(&["CHOWN"], &[]).map(|caps| caps.len()), Ok(11));
    }

    #[test]
    fn nonsense_is_refused() {
        for (add, drop, error) in [
            (
                &["SYS_ADMINN"][..],
                &[][..],
                "`--cap-add`: invalid capability `SYS_ADMINN`: no such capability (capabilities(7))",
            ),
            (
                &[],
                &["CAP_CAP_CHOWN"],
                "`--cap-drop`: invalid capability `CAP_CAP_CHOWN`: no such capability (capabilities(7))",
            ),
            (&[""], &[], "`--cap-add`: invalid capability ``: no such capability (capabilities(7))"),
            (&["chown"], &["CAP_CHOWN"], "capability `CAP_CHOWN` is both added and dropped"),
            (&["ALL"], &["ALL"], "capability `ALL` is both added and dropped"),
        ] {
            assert_eq!(set(add, drop), Err(error.to_owned()));
        }
    }
}
