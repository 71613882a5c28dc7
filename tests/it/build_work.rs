//! Real work in a build, on Debian: users, packages, and a program that is compiled in one stage and runs in another.

use std::fs;

use crate::build::write;
use crate::support::registry::test_images;
use crate::support::{Lab, Page, Registry, Web};

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

/// Serves the packages of the test images as apt asks for them, at the top.
fn mirror(web: &Web) {
    let packages = test_images().expect("the caller has asked").join("mirror");
    for entry in fs::read_dir(packages).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let name = path.file_name().expect("a name").to_string_lossy().replace('%', "%25").replace('+', "%2b");
            let page = Page { body: fs::read(&path).expect("reads"), ..Page::default() };
            for name in [name.replace('~', "%7e"), name] {
                web.page(&format!("/./{name}"), page.clone());
            }
        }
    }
}

#[test]
fn packages_come_from_a_mirror_and_what_is_compiled_and_installed_with_them_runs_elsewhere() {
    only!(Full);
    require!(program "docker-registry");
    require!(test_images().is_some_and(|images| images.join("mirror/Packages").exists()), "the mirror is not made");
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    let debian = registry.image("debian:latest");
    let web = Web::new();
    mirror(&web);
    // Two stages that install side by side, with apt's caches shared between them and with later builds.
    let apt = |packages: &str| {
        format!(
            "COPY apt /etc/apt/\n\
             RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
             --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
             apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages}\n"
        )
    };
    let text = format!(
        "FROM {debian} AS c\n{}WORKDIR /src\nCOPY greet.c .\n\
         RUN tcc -Wall -Werror -o /usr/local/bin/greet greet.c && greet\n\
         FROM {debian} AS made\n{}WORKDIR /src\nCOPY <<END Makefile\n\
         /said: Makefile\n\techo hello from make >\\$@\nEND\n\
         RUN make && ! make | grep echo\n\
         FROM {debian}\nCOPY --from=c /usr/local/bin/greet /usr/local/bin/\nCOPY --from=made /said /said\n\
         RUN useradd --system greeter && chown greeter /said\n\
         USER greeter\nCMD [\"sh\", \"-c\", \"greet; cat /said\"]\n",
        apt("tcc libc6-dev"),
        apt("make"),
    );
    write(&lab, "Dockerfile", &text);
    write(&lab, "greet.c", "#include <stdio.h>\nint main(void) { return puts(\"hello from C\") < 0; }\n");
    write(&lab, "apt/sources.list", &format!("deb [trusted=yes] {} ./\n", web.url("/")));
    // The host's settings in the image may name a proxy.
    let settings = "Acquire::http::Proxy \"DIRECT\";\nDPkg::Options:: \"--force-unsafe-io\";\n";
    write(&lab, "apt/apt.conf.d/95test", settings);
    write(&lab, "apt/apt.conf.d/docker-clean", "");
    let build = || {
        let command = lab.rc(["build", "--progress", "plain", "-t", "localhost/made", "--network", "host"]);
        command.arg(lab.work("context")).run().exits(0).stderr()
    };
    build();
    lab.rc(["run", "--rm", "--network", "none", "localhost/made"]).run().prints("hello from C\nhello from make\n");
    // Only what the change reaches is taken anew; packages are where they were.
    let asked = web.asked().len();
    write(&lab, "greet.c", "#include <stdio.h>\nint main(void) { return puts(\"goodbye\") < 0; }\n");
    let said = build();
    assert_eq!(said.matches(" DONE ").count(), 5, "{said}");
    lab.rc(["run", "--rm", "--network", "none", "localhost/made"]).run().prints("goodbye\nhello from make\n");
    assert_eq!(web.asked().len(), asked);
    registry.stop();
}
