//! Subordinate IDs that two users share: each of them can read and change the files of the other's containers.

use std::path::Path;

use super::grant::{Host, SUBGID, SUBUID, lines};

/// A sentence for each two lines of `/etc/subuid` or `/etc/subgid` whose ranges overlap and whose owners differ; an
/// error if rc cannot know.
pub(crate) fn shared_ids() -> Result<Vec<String>, String> {
    Host::read(Path::new("/"))?.shared()
}

impl Host {
    fn shared(&self) -> Result<Vec<String>, String> {
        if let Some(source) = &self.nss {
            return Err(format!("subordinate IDs come from `{source}`"));
        }
        let mut sentences = Vec::new();
        for (path, text) in [(SUBUID, &self.subuid), (SUBGID, &self.subgid)] {
            let all = lines(path, text.as_deref())?;
            for (index, (owner, range)) in all.iter().enumerate() {
                let others = all[..index].iter().filter(|(other, _)| self.number(other) != self.number(owner));
                for (other, (from, to)) in others {
                    let (first, end) = (range.0.max(*from), range.1.min(*to));
                    if first < end {
                        sentences.push(format!("{other} and {owner} share {first}-{} in {path}", end - 1));
                    }
                }
            }
        }
        Ok(sentences)
    }

    /// A user's number, by which a line may name it as well; a name that the host does not know is itself.
    fn number(&self, user: &str) -> String {
        let number = self.passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == user).then(|| fields.nth(1))?
        });
        number.unwrap_or(user).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_lines_of_two_users_are_named() {
        let of = |subuid: &str, subgid: &str| {
            let passwd = "ann:x:1000:1000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n".to_owned();
            let (subuid, subgid) = (Some(subuid.to_owned()), Some(subgid.to_owned()));
            Host { subuid, subgid, passwd, ..Host::default() }.shared()
        };
        for (subuid, expected) in [
            ("ann:100000:65536\nbob:165536:65536\n", &[][..]),
            ("ann:100000:65536\nbob:100000:65536\n", &["ann and bob share 100000-165535 in /etc/subuid"]),
            ("ann:100000:65536\nbob:165535:65536\n", &["ann and bob share 165535-165535 in /etc/subuid"]),
            // One user, by name and by number.
            ("ann:100000:65536\n1000:100000:65536\n", &[]),
            ("ann:100000:10\n1001:100005:1\n", &["ann and 1001 share 100005-100005 in /etc/subuid"]),
            ("", &[]),
        ] {
            let expected: Vec<String> = expected.iter().map(|&text| text.to_owned()).collect();
            assert_eq!(of(subuid, ""), Ok(expected), "{subuid:?}");
        }
        assert_eq!(of("", "ann:5:5\neve:7:1\n"), Ok(vec!["ann and eve share 7-7 in /etc/subgid".to_owned()]));
        assert!(of("ann 5 5\n", "").is_err());
        assert!(Host { nss: Some("sss".to_owned()), ..Host::default() }.shared().is_err());
    }
}
