//! `--userns`, `--uidmap`, `--gidmap`, `--subuidname`, `--subgidname`: which IDs the container has.
//!
//! ```text
//! mode               IDs of the container are IDs of the user's root namespace, where 0 is the user
//! host, private      0… → 0…
//! keep-id            0… → 1…,  the user's own ID → 0, those above it unchanged
//! nomap              0… → 1…
//! auto               0… → a range that no other container with `auto` has
//! --uidmap A:B:N     A… → B…, N of them
//! ```
//! Source: podman-run(1), `--userns` and `--uidmap`.

use super::namespaces::Shared;
use super::user_options::{AutoOptions, KeepOptions};
use super::{Error, Facts, ImageDefaults, Request, UserNamespace, id_ranges};
use crate::types::{IdMaps, IdRange, Invalid, NamespaceKind};

/// The least number of IDs that `auto` gives to a container. Source: containers-storage.conf(5),
/// `auto-userns-min-size`.
const AUTO_SIZE: u32 = 1024;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) namespace: UserNamespace,
    /// The IDs that the user has in the container, for a program that nobody gave a user.
    pub(super) own_ids: Option<(u32, u32)>,
}

/// The value of `--userns`, else that of the variable that podman takes it from; `None` if other options set the maps.
pub(super) fn mode<'a>(request: &'a Request, environment: &'a [(String, String)]) -> Result<Option<&'a str>, Error> {
    let others = [
        ("--uidmap", !request.uidmap.is_empty()),
        ("--gidmap", !request.gidmap.is_empty()),
        ("--subuidname", request.subuidname.is_some()),
        ("--subgidname", request.subgidname.is_some()),
    ];
    let other = others.into_iter().find_map(|(name, is_given)| is_given.then_some(name));
    match (&request.userns, other) {
        (Some(_), Some(other)) => Err(Error::Exclusive { options: ["--userns", other] }),
        (Some(mode), None) => Ok(Some(mode)),
        (None, Some(_)) => Ok(None),
        (None, None) => {
            let set = environment.iter().find(|(name, _)| name == "PODMAN_USERNS");
            Ok(Some(set.map_or("host", |(_, value)| value.as_str())))
        }
    }
}

/// Whether IDs of other containers must be looked up.
pub(super) fn needs_free_ids(mode: &str) -> bool {
    mode.split(':').next() == Some("auto")
}

/// Whether the user must be looked up.
pub(super) fn keeps_user(request: &Request, mode: &str) -> bool {
    mode.split(':').next() == Some("keep-id") || request.subuidname.is_some() || request.subgidname.is_some()
}

/// The user namespace of the request.
pub(super) fn user_namespace(
    request: &Request,
    image: &ImageDefaults,
    facts: &Facts,
    shared: &Shared,
) -> Result<Chosen, Error> {
    if let Some(joined) = shared.namespaces.joined.get(&NamespaceKind::User) {
        // What is at a path is as the user's root namespace, or the start fails.
        let maps = shared.user_of(facts).map(|other| other.user_namespace.maps.clone()).unwrap_or_default();
        return Ok(chosen(&joined.to_string(), maps));
    }
    let Some(mode) = mode(request, &facts.environment)? else { return Ok(chosen("private", options(request, facts)?)) };
    let (word, rest) = mode.split_once(':').map_or((mode, None), |(word, rest)| (word, Some(rest)));
    let refused = |reason: &str| Error::option("--userns")(Invalid::new("user namespace", mode, reason));
    match (word, rest) {
        ("" | "host", None) => Ok(chosen("", IdMaps::default())),
        ("private", None) => Ok(chosen("private", IdMaps::default())),
        ("keep-id", rest) => keep_id(&KeepOptions::read(rest.unwrap_or_default()).map_err(|e| refused(&e))?, facts),
        ("nomap", None) => {
            several(facts, "--userns")?;
            Ok(chosen("private", without_user(facts)))
        }
        ("auto", rest) => {
            several(facts, "--userns")?;
            let asked = AutoOptions::read(rest.unwrap_or_default()).map_err(|e| refused(&e))?;
            let maps = auto(&asked, request, image, facts)?;
            Ok(Chosen { namespace: UserNamespace { is_auto: true, ..namespace("private", maps) }, own_ids: None })
        }
        _ => {
            Err(refused("must be host, keep-id[:OPTIONS], nomap, auto[:OPTIONS], private, container:NAME or ns:/PATH"))
        }
    }
}

fn namespace(mode: &str, maps: IdMaps) -> UserNamespace {
    UserNamespace { mode: mode.to_owned(), maps, is_auto: false }
}

fn chosen(mode: &str, maps: IdMaps) -> Chosen {
    Chosen { namespace: namespace(mode, maps), own_ids: None }
}

/// Fails if containers have only one ID: it is the user's own, so no map without the user can have any.
fn several(facts: &Facts, option: &'static str) -> Result<(), Error> {
    match &facts.ids.single {
        None => Ok(()),
        Some(sentence) => Err(Error::OneId { option, sentence: sentence.clone() }),
    }
}

fn total(ranges: &[IdRange]) -> u32 {
    ranges.iter().map(|range| range.count).fold(0, u32::saturating_add)
}

/// With one ID, the container shows it as the program's.
fn keep_id(asked: &KeepOptions, facts: &Facts) -> Result<Chosen, Error> {
    let ids = &facts.ids;
    let (uid, gid) = (asked.uid.unwrap_or(ids.uid), asked.gid.unwrap_or(ids.gid));
    if ids.single.is_some() {
        return Ok(Chosen { own_ids: Some((uid, gid)), ..chosen("private", IdMaps::default()) });
    }
    let most = asked.size.unwrap_or(u32::MAX);
    let maps =
        IdMaps { uids: around(uid, total(&ids.users).min(most)), gids: around(gid, total(&ids.groups).min(most)) };
    Ok(Chosen { own_ids: Some((uid, gid)), ..chosen("private", maps) })
}

/// `count` IDs, of which `own` is the user. Source: podman, `GetKeepIDMapping`.
fn around(own: u32, count: u32) -> Vec<IdRange> {
    let others = count.saturating_sub(1);
    let below = IdRange { inside: 0, outside: 1, count: own.min(others) };
    let user = IdRange { inside: own, outside: 0, count: 1 };
    let above =
        IdRange { inside: own.saturating_add(1), outside: own.saturating_add(1), count: others.saturating_sub(own) };
    [below, user, above].into_iter().filter(|range| range.count > 0).collect()
}

/// All IDs but the user's.
fn without_user(facts: &Facts) -> IdMaps {
    let all = |ranges: &[IdRange]| vec![IdRange { inside: 0, outside: 1, count: total(ranges).saturating_sub(1) }];
    IdMaps { uids: all(&facts.ids.users), gids: all(&facts.ids.groups) }
}

/// `--uidmap`, `--gidmap`, `--subuidname`, `--subgidname`: what is given for one kind of ID alone is for both.
fn options(request: &Request, facts: &Facts) -> Result<IdMaps, Error> {
    let ids = &facts.ids;
    for (option, name) in [("--subuidname", &request.subuidname), ("--subgidname", &request.subgidname)] {
        let Some(name) = name else { continue };
        if request.uidmap.is_empty() && request.gidmap.is_empty() {
            several(facts, option)?;
        } else {
            return Err(Error::Exclusive { options: ["--uidmap", option] });
        }
        let user = facts.found.accounts.get("").and_then(Option::as_ref);
        if user.is_none_or(|user| user.name != *name) && name.parse() != Ok(ids.uid) {
            let reason = "newuidmap and newgidmap give a user only the IDs of its own lines";
            return Err(Error::option(option)(Invalid::new("name", name, reason)));
        }
    }
    if request.subuidname.is_some() || request.subgidname.is_some() {
        return Ok(without_user(facts));
    }
    several(facts, if request.uidmap.is_empty() { "--gidmap" } else { "--uidmap" })?;
    let of = |kind: char, own: &[String], others: &[String]| {
        let texts = if own.is_empty() { others } else { own };
        let extents = if kind == 'u' { &ids.users } else { &ids.groups };
        id_ranges::read(texts, kind, extents).map_err(Error::option(if kind == 'u' { "--uidmap" } else { "--gidmap" }))
    };
    Ok(IdMaps { uids: of('u', &request.uidmap, &request.gidmap)?, gids: of('g', &request.gidmap, &request.uidmap)? })
}

/// A range for this container alone, of the IDs that no other has by `auto`.
fn auto(asked: &AutoOptions, request: &Request, image: &ImageDefaults, facts: &Facts) -> Result<IdMaps, Error> {
    let refused = |reason: String| Error::option("--userns")(Invalid::new("user namespace", "auto", reason));
    let read = |texts: &[String], kind, extents| {
        if texts.is_empty() { Ok(Vec::new()) } else { id_ranges::read_some(texts, kind, extents) }
    };
    let ids = &facts.ids;
    let uids = read(&asked.uidmapping, 'u', &ids.users).map_err(Error::option("--userns"))?;
    let gids = read(&asked.gidmapping, 'g', &ids.groups).map_err(Error::option("--userns"))?;
    // The program's own IDs, if they are numbers.
    let user = request.user.as_deref().unwrap_or(&image.user);
    let needed = user.split(':').filter_map(|word| word.parse::<u32>().ok()).map(|id| id.saturating_add(1)).max();
    let size = asked.size.unwrap_or_else(|| AUTO_SIZE.max(needed.unwrap_or(0)));
    let last = total(&ids.users).min(total(&ids.groups));
    let taken: Vec<IdRange> = facts.found.taken_ids.iter().chain(&uids).chain(&gids).copied().collect();
    let first = id_ranges::free(&taken, size, last)
        .ok_or_else(|| refused(format!("no {size} IDs in a row are left: give a smaller one, `auto:size=N`")))?;
    let fill = |given: Vec<IdRange>| id_ranges::fill(&given, IdRange { inside: 0, outside: first, count: size });
    Ok(IdMaps { uids: fill(uids), gids: fill(gids) })
}

#[cfg(test)]
#[path = "user_namespace/tests.rs"]
mod tests;
