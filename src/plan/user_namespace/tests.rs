use super::super::tests::{facts, image};
use super::*;

fn range(inside: u32, outside: u32, count: u32) -> IdRange {
    IdRange { inside, outside, count }
}

fn choose(request: &Request, facts: &Facts) -> Result<Chosen, Error> {
    let shared = super::super::namespaces::shared(request, facts, crate::types::Network::None, None)?;
    user_namespace(request, &image(), facts, &shared)
}

fn of(userns: &str) -> Result<Chosen, String> {
    let request = Request { userns: Some(userns.to_owned()), ..Request::default() };
    choose(&request, &facts()).map_err(|error| error.to_string())
}

fn uids(userns: &str) -> Vec<IdRange> {
    of(userns).unwrap().namespace.maps.uids
}

#[test]
fn modes_of_podman() {
    // The facts are those of user 1000 with 65536 subordinate IDs.
    assert_eq!(of("host").unwrap(), chosen("", IdMaps::default()));
    assert_eq!(of("private").unwrap(), chosen("private", IdMaps::default()));
    let kept = vec![range(0, 1, 1000), range(1000, 0, 1), range(1001, 1001, 64536)];
    assert_eq!(uids("keep-id"), kept);
    assert_eq!(of("keep-id").unwrap().own_ids, Some((1000, 1000)));
    assert_eq!(uids("keep-id:uid=2,gid=0"), [range(0, 1, 2), range(2, 0, 1), range(3, 3, 65534)]);
    assert_eq!(of("keep-id:uid=2,gid=0").unwrap().namespace.maps.gids, [range(0, 0, 1), range(1, 1, 65536)]);
    assert_eq!(uids("keep-id:uid=70000"), [range(0, 1, 65536), range(70000, 0, 1)]);
    assert_eq!(uids("keep-id:size=10"), [range(0, 1, 9), range(1000, 0, 1)]);
    assert_eq!(uids("nomap"), [range(0, 1, 65536)]);
    assert_eq!(uids("auto"), [range(0, 1, 1024)]);
    assert_eq!(uids("auto:size=5,uidmapping=2:0:1"), [range(0, 1, 2), range(2, 0, 1), range(3, 4, 2)]);
    for (bad, reason) in [
        ("keep-id:uid", "`uid` needs a value"),
        ("keep-id:uid=x", "`uid` must be a number"),
        ("keep-id:color=red", "keep-id has no option `color`"),
        ("auto:size=0", "`size` must be a number above 0"),
        ("auto:size=65537", "no 65537 IDs in a row are left"),
        ("nomap:x", "must be host, keep-id"),
        ("rootless", "must be host, keep-id"),
    ] {
        let error = of(bad).unwrap_err();
        assert!(error.contains(reason), "{bad}: {error}");
    }
}

#[test]
fn containers_with_auto_share_no_id() {
    let mut facts = facts();
    facts.found.taken_ids = vec![range(0, 1, 1024), range(0, 2049, 10)];
    let request = Request { userns: Some("auto".to_owned()), ..Request::default() };
    let of = |request: &Request| choose(request, &facts).unwrap().namespace.maps.uids;
    assert_eq!(of(&request), [range(0, 1025, 1024)]);
    // A program with a number of its own needs that.
    assert_eq!(of(&Request { user: Some("5000:7".to_owned()), ..request }), [range(0, 2059, 5001)]);
}

#[test]
fn maps_that_are_typed_are_for_both_kinds_of_ids() {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut facts = facts();
    let ann = super::super::HostAccount { name: "ann".to_owned(), ..Default::default() };
    facts.found.accounts = [(String::new(), Some(ann))].into();
    let of = |request: &Request| choose(request, &facts).map(|chosen| chosen.namespace.maps).map_err(|e| e.to_string());
    let both = Request { uidmap: words(&["0:1:10"]), ..Request::default() };
    assert_eq!(of(&both), Ok(IdMaps { uids: vec![range(0, 1, 10)], gids: vec![range(0, 1, 10)] }));
    let each = Request { gidmap: words(&["0:5:3"]), ..both.clone() };
    assert_eq!(of(&each), Ok(IdMaps { uids: vec![range(0, 1, 10)], gids: vec![range(0, 5, 3)] }));
    let own = |name: &str| Request { subuidname: Some(name.to_owned()), ..Request::default() };
    assert_eq!(of(&own("ann")).unwrap().uids, [range(0, 1, 65536)]);
    assert!(of(&own("bob")).unwrap_err().contains("only the IDs of its own lines"));
    let twice = Request { userns: Some("keep-id".to_owned()), ..both };
    assert_eq!(of(&twice).unwrap_err(), "`--userns` and `--uidmap` cannot be used together");
}

#[test]
fn with_one_id_only_keep_id_is_possible() {
    let mut facts = facts();
    facts.ids.single = Some("there is one ID: cure".to_owned());
    let of = |userns: &str| {
        let request = Request { userns: Some(userns.to_owned()), ..Request::default() };
        choose(&request, &facts).map_err(|error| error.to_string())
    };
    assert_eq!(of("keep-id").unwrap(), Chosen { own_ids: Some((1000, 1000)), ..chosen("private", IdMaps::default()) });
    for mode in ["nomap", "auto"] {
        assert!(of(mode).unwrap_err().contains("`--userns` needs more than one ID"), "{mode}");
    }
}

#[test]
fn the_variable_of_podman_is_the_default() {
    let facts = Facts { environment: vec![("PODMAN_USERNS".to_owned(), "keep-id".to_owned())], ..facts() };
    let of = |request: &Request| choose(request, &facts).unwrap().own_ids;
    assert_eq!(of(&Request::default()), Some((1000, 1000)));
    assert_eq!(of(&Request { userns: Some("host".to_owned()), ..Request::default() }), None);
    assert_eq!(of(&Request { uidmap: vec!["0:0:5".to_owned()], ..Request::default() }), None);
}
