use super::*;

fn mount(text: &str) -> Result<Mount, String> {
    let word = Word { text: text.to_owned(), span: Span::default() };
    let expand = |value: &str| Ok(value.replace("$V", "expanded"));
    read(&word, &expand).map_err(|problem| match problem.hint {
        Some(hint) => format!("{} ({hint})", problem.message),
        None => problem.message,
    })
}

fn bind(target: &str, source: Option<&str>, from: Option<&str>, is_writable: bool) -> Mount {
    let owned = |text: &str| text.to_owned();
    let kind = MountKind::Bind { from: from.map(owned), source: source.map(owned), is_writable };
    Mount { kind, target: Some(target.to_owned()) }
}

#[test]
fn binds_are_read_only_unless_they_are_asked_to_be_writable() {
    for (text, expected) in [
        ("target=/x", bind("/x", None, None, false)),
        ("type=bind,dst=/x,src=a,from=b", bind("/x", Some("a"), Some("b"), false)),
        ("TYPE=BIND,Destination=/x,rw", bind("/x", None, None, true)),
        ("target=/x,readwrite=true,ro", bind("/x", None, None, false)),
        ("target=/x,ro=false", bind("/x", None, None, true)),
        ("target=/$V,from=$V", bind("/expanded", None, Some("$V"), false)),
        ("\"target=/a,b\",source=\"\"", bind("/a,b", Some("\"\""), None, false)),
        ("target=/x,target=/y", bind("/y", None, None, false)),
        ("target=/x,z", bind("/x", None, None, false)),
        ("target=/x,Z,relabel=shared", bind("/x", None, None, false)),
        ("from=b,source=/x,rw", bind(".", Some("/x"), Some("b"), true)),
    ] {
        assert_eq!(mount(text), Ok(expected), "{text}");
    }
}

#[test]
fn the_other_types_have_their_own_keys() {
    let owner = Owner { mode: Some(0o440), uid: Some(1), gid: Some(2) };
    let text = |text: &str| Some(text.to_owned());
    for (words, kind, target) in [
        (
            "type=cache,target=/c,id=i,sharing=locked,from=f,source=s,mode=0440,uid=1,gid=2,ro",
            MountKind::Cache {
                id: text("i"),
                sharing: Sharing::Locked,
                from: text("f"),
                source: text("s"),
                is_read_only: true,
                owner,
            },
            text("/c"),
        ),
        ("type=tmpfs,target=/t,size=1m", MountKind::Tmpfs { size: Some(1 << 20) }, text("/t")),
        (
            "type=secret,id=s,required,mode=440,uid=1,gid=2",
            MountKind::Secret { id: text("s"), env: None, is_required: true, owner },
            None,
        ),
        (
            "type=secret,src=s,env=E,target=/s",
            MountKind::Secret { id: text("s"), env: text("E"), is_required: false, owner: Owner::default() },
            text("/s"),
        ),
        ("type=ssh,required=false", MountKind::Ssh { id: None, is_required: false, owner: Owner::default() }, None),
    ] {
        assert_eq!(mount(words), Ok(Mount { kind, target }), "{words}");
    }
}

#[test]
fn what_is_unknown_or_out_of_place_is_an_error() {
    for (text, expected) in [
        ("type=bnid,target=/x", "there is no mount type `bnid` (did you mean `bind`?)"),
        ("type=volume", "there is no mount type `volume` (it is one of bind, cache, tmpfs, secret, ssh)"),
        ("target=/x,sorce=y", "a mount has no key `sorce` (did you mean `source`?)"),
        ("target=/x,propagation=shared", "a mount has no key `propagation`"),
        ("target=/x,relabel=z", "`relabel` of a mount must be shared or private, not `z`"),
        ("target", "`target` of a mount needs a value: `target=…`"),
        (
            "type=tmpfs,target=/x,sharing=locked",
            "a mount of type tmpfs has no `sharing` (only mounts of type cache have it)",
        ),
        (
            "target=/x,mode=0400",
            "a mount of type bind has no `mode` (only mounts of type cache and secret and ssh have it)",
        ),
        ("target=/x,ro=maybe", "`readonly` of a mount must be true or false, not `maybe`"),
        (
            "type=cache,target=/x,sharing=lokced",
            "`sharing` of a mount must be shared, private or locked, not `lokced` (did you mean `locked`?)",
        ),
        ("type=cache,target=/x,mode=9", "`mode` of a mount must be octal, such as 0400, not `9`"),
        ("type=cache,target=/x,uid=+1", "`uid` of a mount must be a number, not `+1`"),
        ("type=tmpfs,target=/x,size=big", "`size` of a mount must be a size, such as 64m, not `big`"),
        ("type=secret", "a mount of type secret needs `id`, `target` or `env`"),
        ("type=secret,id=a,src=b", "`id` and `source` of a secret are the same; give one of them"),
        ("target=/x,", "in a mount a field is empty"),
        ("\"target=/x", "in a mount a quote is not closed"),
        ("\"target=/x\"y", "in a mount a quote ends before its field"),
    ] {
        assert_eq!(mount(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn variables_are_checked_later_except_in_from() {
    let word = |text: &str| Word { text: text.to_owned(), span: Span::default() };
    assert!(check(&word("target=$X,type=$Y")).is_ok());
    assert!(check(&word("target=/x,from=$X")).is_err_and(|problem| problem.message.contains("cannot have a variable")));
    assert!(check(&word("target=/x,nope=1")).is_err());
    assert_eq!(source_of(&word("target=/x,from=base")).as_deref(), Some("base"));
    assert_eq!(source_of(&word("target=/x")), None);
}
