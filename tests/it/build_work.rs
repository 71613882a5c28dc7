//! Real work in a build, on Debian: users, packages, and a program that is compiled in one stage and runs in another.

use std::fs;

use crate::build::write;
use crate::support::registry::test_images;
use crate::support::{Lab, Registry};

#[test]
fn debian_s_tools_work_in_steps() {
    only!(Full);
    require!(program "docker-registry");
    require!(test_images().is_some(), "the test images are not made");
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    let debian = registry.image("debian:latest");
    // A package that is made and installed in the image needs no mirror.
    let text = format!(
        "FROM {debian} AS build\n\
         RUN useradd --create-home --uid 1234 app && install -d -o app -g app -m 750 /srv/app\n\
         RUN mkdir -p /pkg/DEBIAN /pkg/usr/bin && printf 'Package: hello-rc\\nVersion: 1\\nArchitecture: all\\n\
         Maintainer: x <x@x>\\nDescription: x\\n' >/pkg/DEBIAN/control \
         && printf '#!/bin/sh\\necho hello from a package\\n' >/pkg/usr/bin/hello-rc \
         && chmod 755 /pkg/usr/bin/hello-rc \
         && dpkg-deb --build /pkg /hello.deb\n\
         RUN --mount=type=cache,target=/var/cache/apt,sharing=locked dpkg -i /hello.deb \
         && dpkg -s hello-rc >/dev/null\n\
         USER app\nWORKDIR /srv/app\nRUN hello-rc >out && perl -e 'print \"perl $]\\n\"' >>out; id -un >>out\n\
         FROM {debian}\nCOPY --from=build --chown=nobody:nogroup /srv/app/out /out\n\
         COPY --from=build /usr/bin/hello-rc /usr/bin/\nRUN hello-rc | tr a-z A-Z >/upper\n"
    );
    write(&lab, "Dockerfile", &text);
    fs::write(lab.work("context/.dockerignore"), "").expect("written");
    lab.rc(["build", "-q", "-t", "localhost/made", "--network", "none"])
        .arg(lab.work("context"))
        .run()
        .exits(0)
        .stdout();
    let play = |words: &[&str]| {
        lab.rc(["run", "--rm", "--network", "none", "localhost/made"]).args(words).run().exits(0).stdout()
    };
    let out = play(&["cat", "/out"]);
    assert!(out.starts_with("hello from a package\n") && out.ends_with("app\n"), "{out}");
    assert_eq!(play(&["cat", "/upper"]), "HELLO FROM A PACKAGE\n");
    assert_eq!(play(&["stat", "-c", "%U:%G", "/out"]), "nobody:nogroup\n");
    registry.stop();
}
