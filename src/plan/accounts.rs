//! `--passwd`, `--passwd-entry`, `--group-entry`, `--hostuser`: lines that the container's `/etc/passwd` and
//! `/etc/group` get at a start, if no line there has the ID.
//!
//! With `--userns keep-id` the user has a line, as in podman. Source: podman-run(1); podman, `generatePasswdEntry`.

use std::collections::BTreeSet;

use super::user_namespace::Chosen;
use super::{ContainerAccounts, Error, Facts, HostAccount, Mount, Request};
use crate::types::{Account, Invalid};

/// The program of users that have none.
const SHELL: &str = "/bin/sh";

/// The users of the host that must be looked up: `--hostuser`, and the user that runs rc as the empty name.
pub(super) fn needed(request: &Request, own: bool) -> BTreeSet<String> {
    request.host_users.iter().cloned().chain(own.then(String::new)).collect()
}

/// The lines. `user` is that of the program, `working_dir` the home of users that have none in the container.
pub(super) fn accounts(
    request: &Request,
    facts: &Facts,
    chosen: &Chosen,
    program: &Program<'_>,
) -> Result<ContainerAccounts, Error> {
    let mut accounts = ContainerAccounts::default();
    if request.passwd == Some(false) {
        return Ok(accounts);
    }
    for name in &request.host_users {
        let refused = |reason: &str| Error::option("--hostuser")(Invalid::new("user", name, reason));
        match facts.found.accounts.get(name) {
            None => return Err(Error::NotLookedUp("a user")),
            Some(None) => return Err(refused("is not a user of the host")),
            Some(Some(found)) => add(&mut accounts, found, &found.home, None, None)?,
        }
    }
    let own = facts.found.accounts.get("").and_then(Option::as_ref);
    let (passwd, group) = (request.passwd_entry.as_deref(), request.group_entry.as_deref());
    let numbers = numbers(program.user);
    if let Some((uid, gid)) = chosen.own_ids {
        let number = HostAccount { name: uid.to_string(), ..HostAccount::default() };
        let account = HostAccount { uid, gid, ..own.unwrap_or(&number).clone() };
        let home = program.home(&account.home);
        let is_program = numbers.is_some_and(|(user, _)| user == uid);
        let templates = if is_program { (passwd, group) } else { (None, None) };
        add(&mut accounts, &account, home, templates.0, templates.1)?;
    }
    if let Some((uid, gid)) = numbers
        && (passwd.is_some() || group.is_some())
        && chosen.own_ids.is_none_or(|(own, _)| own != uid)
    {
        let comment = "container user".to_owned();
        let account = HostAccount { name: uid.to_string(), uid, gid, comment, home: String::new() };
        add(&mut accounts, &account, program.working_dir, passwd, group)?;
    }
    Ok(accounts)
}

/// What the lines of the program's user depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program<'a> {
    pub(super) user: &'a str,
    pub(super) working_dir: &'a str,
    pub(super) mounts: &'a [Mount],
}

impl<'a> Program<'a> {
    /// The home on the host if it is mounted in the container, else the working directory.
    fn home(&self, on_host: &'a str) -> &'a str {
        let is_mounted = self.mounts.iter().any(|mount| super::paths::is_within(on_host, &mount.destination));
        if is_mounted && !on_host.is_empty() { on_host } else { self.working_dir }
    }
}

/// The IDs of a user that is given by numbers.
fn numbers(user: &str) -> Option<(u32, u32)> {
    let (user, group) = user.split_once(':').unwrap_or((user, "0"));
    Some((user.parse().ok()?, group.parse().unwrap_or(0)))
}

fn add(
    accounts: &mut ContainerAccounts,
    account: &HostAccount,
    home: &str,
    passwd: Option<&str>,
    group: Option<&str>,
) -> Result<(), Error> {
    let HostAccount { name, uid, gid, comment, .. } = account;
    let line = match passwd {
        Some(template) => replace(
            template,
            &[
                ("$USERNAME", name.as_str()),
                ("$UID", &uid.to_string()),
                ("$GID", &gid.to_string()),
                ("$NAME", comment),
                ("$HOME", home),
            ],
        ),
        None => format!("{name}:*:{uid}:{gid}:{comment}:{home}:{SHELL}"),
    };
    check("--passwd-entry", &line)?;
    accounts.users.push(Account { id: *uid, line });
    let line = match group {
        Some(template) => {
            replace(template, &[("$GROUPNAME", name.as_str()), ("$GID", &gid.to_string()), ("$USERLIST", name)])
        }
        None => format!("{name}:x:{gid}:{name}"),
    };
    check("--group-entry", &line)?;
    accounts.groups.push(Account { id: *gid, line });
    Ok(())
}

/// The names are those of podman. The longest come first, so that none is taken for another.
fn replace(template: &str, values: &[(&str, &str)]) -> String {
    let mut values = values.to_vec();
    values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    values.iter().fold(template.trim_end_matches('\n').to_owned(), |text, (name, value)| text.replace(name, value))
}

/// One line is one line.
fn check(option: &'static str, line: &str) -> Result<(), Error> {
    if line.contains(['\n', '\r', '\0']) || !line.contains(':') {
        return Err(Error::option(option)(Invalid::new("entry", line, "must be one line with fields between colons")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::facts;
    use super::super::{MountKind, UserNamespace};
    use super::*;

    fn chosen(own_ids: Option<(u32, u32)>) -> Chosen {
        Chosen { namespace: UserNamespace::default(), own_ids }
    }

    fn lines(
        request: &Request,
        own_ids: Option<(u32, u32)>,
        user: &str,
        mounts: &[Mount],
    ) -> (Vec<String>, Vec<String>) {
        let mut facts = facts();
        let ann = HostAccount {
            name: "ann".to_owned(),
            uid: 1000,
            gid: 1000,
            comment: "Ann".to_owned(),
            home: "/home/ann".to_owned(),
        };
        facts.found.accounts =
            [(String::new(), Some(ann.clone())), ("ann".to_owned(), Some(ann)), ("x".to_owned(), None)].into();
        let program = Program { user, working_dir: "/work", mounts };
        let accounts = accounts(request, &facts, &chosen(own_ids), &program).unwrap();
        let of = |accounts: Vec<Account>| accounts.into_iter().map(|account| account.line).collect();
        (of(accounts.users), of(accounts.groups))
    }

    #[test]
    fn the_user_has_a_line_with_keep_id() {
        let own = Some((1000, 1000));
        let expected = (vec!["ann:*:1000:1000:Ann:/work:/bin/sh".to_owned()], vec!["ann:x:1000:ann".to_owned()]);
        assert_eq!(lines(&Request::default(), own, "1000:1000", &[]), expected);
        let kind = MountKind::Tmpfs;
        let mount = Mount { kind, destination: "/home".to_owned(), read_only: false, options: Vec::new() };
        let expected = (vec!["ann:*:5:6:Ann:/home/ann:/bin/sh".to_owned()], vec!["ann:x:6:ann".to_owned()]);
        assert_eq!(lines(&Request::default(), Some((5, 6)), "", &[mount]), expected);
        let without = Request { passwd: Some(false), ..Request::default() };
        assert_eq!(lines(&without, own, "1000:1000", &[]), (vec![], vec![]));
        assert_eq!(lines(&Request::default(), None, "1000", &[]), (vec![], vec![]));
    }

    #[test]
    fn entries_may_be_typed() {
        let request = Request {
            passwd_entry: Some("$USERNAME:x:$UID:$GID:$NAME:$HOME:/bin/bash".to_owned()),
            group_entry: Some("$GROUPNAME:x:$GID:$USERLIST".to_owned()),
            ..Request::default()
        };
        let expected = (vec!["7:x:7:8:container user:/work:/bin/bash".to_owned()], vec!["7:x:8:7".to_owned()]);
        assert_eq!(lines(&request, None, "7:8", &[]), expected);
        let expected = (vec!["ann:x:9:9:Ann:/work:/bin/bash".to_owned()], vec!["ann:x:9:ann".to_owned()]);
        assert_eq!(lines(&request, Some((9, 9)), "9:9", &[]), expected);
    }

    #[test]
    fn users_of_the_host_are_added_by_name() {
        let request = Request { host_users: vec!["ann".to_owned()], ..Request::default() };
        let expected = (vec!["ann:*:1000:1000:Ann:/home/ann:/bin/sh".to_owned()], vec!["ann:x:1000:ann".to_owned()]);
        assert_eq!(lines(&request, None, "", &[]), expected);
    }
}
