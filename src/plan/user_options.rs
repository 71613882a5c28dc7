//! The options of `--userns keep-id` and `--userns auto`.

/// `keep-id:uid=UID,gid=GID,size=N`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeepOptions {
    /// The user's ID in the container.
    pub(super) uid: Option<u32>,
    /// The ID of its group.
    pub(super) gid: Option<u32>,
    /// The most IDs of the container.
    pub(super) size: Option<u32>,
}

/// `auto:size=N,uidmapping=A:B:N,gidmapping=A:B:N`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AutoOptions {
    /// How many IDs.
    pub(super) size: Option<u32>,
    /// Ranges of user IDs that the container has in any case.
    pub(super) uidmapping: Vec<String>,
    /// Ranges of group IDs.
    pub(super) gidmapping: Vec<String>,
}

impl KeepOptions {
    /// Fails with the reason.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut read = Self::default();
        for (key, value) in pairs(text)? {
            match key {
                "uid" => read.uid = Some(id(key, value)?),
                "gid" => read.gid = Some(id(key, value)?),
                "size" => read.size = Some(size(value)?),
                _ => return Err(format!("keep-id has no option `{}`: it has uid, gid and size", key.escape_debug())),
            }
        }
        Ok(read)
    }
}

impl AutoOptions {
    /// Fails with the reason.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut read = Self::default();
        for (key, value) in pairs(text)? {
            match key {
                "size" => read.size = Some(size(value)?),
                "uidmapping" => read.uidmapping.push(value.to_owned()),
                "gidmapping" => read.gidmapping.push(value.to_owned()),
                _ => {
                    let known = "it has size, uidmapping and gidmapping";
                    return Err(format!("auto has no option `{}`: {known}", key.escape_debug()));
                }
            }
        }
        Ok(read)
    }
}

fn pairs(text: &str) -> Result<Vec<(&str, &str)>, String> {
    let words = text.split(',').filter(|word| !word.is_empty());
    words.map(|word| word.split_once('=').ok_or_else(|| format!("`{}` needs a value", word.escape_debug()))).collect()
}

fn id(key: &str, text: &str) -> Result<u32, String> {
    // 4294967295 means "no ID" to the kernel.
    text.parse().ok().filter(|id| *id < u32::MAX).ok_or_else(|| format!("`{key}` must be a number"))
}

fn size(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|size| *size > 0).ok_or_else(|| "`size` must be a number above 0".to_owned())
}
