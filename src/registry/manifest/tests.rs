use super::*;

const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn hex(digit: &str) -> String {
    format!("sha256:{}", digit.repeat(64))
}

fn descriptor(media_type: &str, digest: &str, size: impl std::fmt::Display) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

fn image(config: &str, layer: &str) -> String {
    format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#)
}

fn plain() -> String {
    image(&descriptor(OCI_CONFIG, &hex("a"), 2), &descriptor(GZIP, &hex("b"), 3))
}

fn fault(text: &str, declared: &str) -> String {
    Kind::parse(text.as_bytes(), declared).map_or_else(|fault| fault.to_string(), |_| "accepted".to_owned())
}

#[test]
fn both_families_are_read_whatever_they_are_declared_as() {
    for declared in
        [OCI_MANIFEST, DOCKER_MANIFEST, "", "application/json", "application/vnd.oci.image.manifest.v1+json; a=b"]
    {
        let Ok(Kind::Manifest(manifest)) = Kind::parse(plain().as_bytes(), declared) else { panic!("{declared}") };
        assert_eq!((manifest.layers.len(), manifest.config.size), (1, 2));
    }
    let docker = descriptor("application/vnd.docker.container.image.v1+json", &hex("a"), 2);
    let layer = descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", &hex("b"), 3);
    assert_eq!(fault(&image(&docker, &layer), DOCKER_MANIFEST), "accepted");
    assert_eq!(fault(r#"{"schemaVersion":2,"manifests":[]}"#, OCI_INDEX), "accepted");
    assert_eq!(fault(r#"{"schemaVersion":2,"manifests":[]}"#, DOCKER_LIST), "accepted");
}

#[test]
fn ambiguous_documents_are_refused() {
    // I3
    let both = plain().replace(r#""layers""#, r#""manifests":[],"layers""#);
    assert_eq!(fault(&both, OCI_MANIFEST), "ambiguous manifest: it has both `layers` and `manifests`");
    let lying = plain().replacen('{', &format!(r#"{{"mediaType":"{OCI_INDEX}","#), 1);
    for declared in ["", OCI_INDEX, OCI_MANIFEST] {
        assert!(fault(&lying, declared).starts_with("ambiguous manifest: it was sent as"), "{declared}");
    }
    assert!(fault(&plain(), OCI_INDEX).contains("calls itself `an image manifest`"));
    assert!(fault(&plain(), "text/html").contains("ambiguous"));
    assert!(fault(r#"{"schemaVersion":2,"manifests":[]}"#, OCI_MANIFEST).contains("calls itself `an index`"));
    let twice = plain().replacen('{', r#"{"layers":[],"#, 1);
    assert!(fault(&twice, "").contains("duplicate field `layers`"));
    assert_eq!(fault("{}", ""), "it is neither an image manifest nor an index");
    assert_eq!(fault(r#"{"layers":[]}"#, ""), "it is neither an image manifest nor an index");
}

#[test]
fn digests_and_sizes_that_cannot_be_are_refused() {
    // I1, I4
    for digest in [
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        &hex("a")[..70],
        &hex("A"),
        "sha256:../../x",
        &format!("sha256:{}", "../".repeat(21) + "x"),
        "",
    ] {
        assert!(fault(&image(&descriptor(OCI_CONFIG, digest, 2), ""), "").contains("invalid digest"), "{digest}");
        assert!(fault(&plain().replace(&hex("b"), digest), "").contains("invalid digest"), "{digest}");
        let entry = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor(OCI_MANIFEST, digest, 2));
        assert!(fault(&entry, "").contains("invalid digest"), "{digest}");
    }
    let sha512 = format!("sha512:{}", "a".repeat(128));
    assert_eq!(fault(&image(&descriptor(OCI_CONFIG, &sha512, 2), ""), ""), "accepted");
    for size in ["-1", "1e3", "\"2\"", "18446744073709551616", "null"] {
        assert!(fault(&image(&descriptor(OCI_CONFIG, &hex("a"), size), ""), "").contains("cannot be read"), "{size}");
    }
    // I5
    let large = image(&descriptor(OCI_CONFIG, &hex("a"), 64 << 20), "");
    assert_eq!(fault(&large, ""), "its configuration is declared to have 67108864 bytes, more than 4194304");
}

#[test]
fn what_rc_cannot_run_is_named() {
    // I2, I8
    for declared in [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ] {
        assert_eq!(fault("{}", declared), "unsupported manifest: schema 1, ask the publisher to re-push");
    }
    assert!(fault(r#"{"schemaVersion":1,"fsLayers":[]}"#, "").contains("schema 1"));
    let encrypted = plain().replace(GZIP, &format!("{GZIP}+encrypted"));
    assert_eq!(fault(&encrypted, ""), format!("layer `{}` is encrypted, which rc does not support", hex("b")));
    assert!(fault(&plain().replace(GZIP, "text/plain"), "").contains("unsupported media type `text/plain`"));
    let artifact = plain().replace(OCI_CONFIG, "application/vnd.oci.empty.v1+json");
    assert_eq!(fault(&artifact, ""), "it is not a container image but `application/vnd.oci.empty.v1+json`");
}

#[test]
fn deep_nesting_ends_in_an_error() {
    // I6
    let deep = "[".repeat(200_000);
    assert!(fault(&deep, "").contains("nested more than 64 levels deep"));
    let inside = plain().replacen('{', &format!(r#"{{"annotations":{deep}{},"#, "]".repeat(200_000)), 1);
    assert!(fault(&inside, "").contains("nested more than 64 levels deep"));
    let unknown = plain().replacen('{', &format!(r#"{{"unknown":{deep}{},"#, "]".repeat(200_000)), 1);
    assert!(fault(&unknown, "").contains("nested more than 64 levels deep"));
}

#[test]
fn layers_and_diff_ids_must_be_as_many() {
    // I2
    let Ok(Kind::Manifest(manifest)) = Kind::parse(plain().as_bytes(), "") else { panic!("a manifest") };
    let diff_id: Digest = hex("c").parse().expect("a digest");
    for (count, good) in [(0, false), (1, true), (2, false)] {
        assert_eq!(manifest.with_diff_ids(&vec![diff_id.clone(); count]).is_ok(), good, "{count}");
    }
}

fn entry(digit: &str, platform: &str, annotation: &str) -> String {
    let end = format!(r#","platform":{platform},"annotations":{{{annotation}}}}}"#);
    descriptor(OCI_MANIFEST, &hex(digit), 5).trim_end_matches('}').to_owned() + &end
}

fn choose(entries: &[String], platform: &str) -> Result<String, String> {
    let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
    let Ok(Kind::Index(index)) = Kind::parse(text.as_bytes(), OCI_INDEX) else { panic!("an index: {text}") };
    let platform = platform.parse().expect("a platform");
    let chosen = index.choose(&platform).map_err(|fault| fault.to_string())?;
    Ok(chosen.digest.hex()[..1].to_owned())
}

#[test]
fn the_best_platform_is_chosen_and_attestations_never_are() {
    // I8
    let amd64 = r#"{"os":"linux","architecture":"amd64"}"#;
    let arm = |variant: &str| format!(r#"{{"os":"linux","architecture":"arm","variant":"{variant}"}}"#);
    let entries = [
        entry("a", amd64, r#""vnd.docker.reference.type":"attestation-manifest""#),
        entry("b", r#"{"os":"unknown","architecture":"unknown"}"#, ""),
        entry("c", amd64, ""),
        entry("d", &arm("v5"), ""),
        entry("e", &arm("v7"), ""),
    ];
    assert_eq!(choose(&entries, "linux/amd64").as_deref(), Ok("c"));
    assert_eq!(choose(&entries, "linux/arm/v7").as_deref(), Ok("e"));
    assert_eq!(choose(&entries, "linux/arm/v6").as_deref(), Ok("d"));
    assert_eq!(
        choose(&entries, "linux/s390x"),
        Err("it has no image for linux/s390x, only for linux/amd64, linux/arm/v5, linux/arm/v7".to_owned())
    );
    let many = vec![entry("b", r#"{"os":"unknown","architecture":"unknown"}"#, ""); 10_000];
    assert!(choose(&many, "linux/amd64").is_err());
}
