//! Real work in a build, on Debian: users, packages, and a program that is compiled in one stage and runs in another.

use std::fs;
use std::time::Duration;

use crate::build::write;
use crate::support::image::{gzip, hex};
use crate::support::registry::test_images;
use crate::support::{Lab, Layer, Page, Registry, Web};

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
         FROM {debian}\nRUN groupadd -r nodejs && useradd -r -g nodejs nodejs\n\
         COPY --from=build --chown=nodejs:nodejs /srv/app/out /out\n\
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
    assert_eq!(play(&["stat", "-c", "%U:%G", "/out"]), "nodejs:nodejs\n");
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

/// Instructions that install packages, with apt's caches shared between stages and with later builds.
fn apt(packages: &str) -> String {
    format!(
        "COPY apt /etc/apt/\n\
         RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
         --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
         apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages}\n"
    )
}

/// What they copy: where the mirror is.
fn settings(lab: &Lab, web: &Web) {
    write(lab, "apt/sources.list", &format!("deb [trusted=yes] {} ./\n", web.url("/")));
    // The host's settings in the image may name a proxy.
    let settings = "Acquire::http::Proxy \"DIRECT\";\nDPkg::Options:: \"--force-unsafe-io\";\n";
    write(lab, "apt/apt.conf.d/95test", settings);
    write(lab, "apt/apt.conf.d/docker-clean", "");
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
    // Two stages that install side by side.
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
    settings(&lab, &web);
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

/// The source of a Python package, as an index has it: it says itself how it is built, and needs nothing for that.
fn source(name: &str, needs: &str, program: &str) -> Vec<u8> {
    let backend = format!(
        r#"import zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    info = "{name}-1.0.dist-info"
    files = {{
        "{name}.py": open("{name}.py").read(),
        info + "/METADATA": "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}",
        info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: own\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        info + "/entry_points.txt": "[console_scripts]\n{name}-tool = {name}:main\n",
    }}
    files[info + "/RECORD"] = "".join(path + ",,\n" for path in [*files, info + "/RECORD"])
    wheel = "{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(directory + "/" + wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel
"#
    );
    let project = format!(
        "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\
         [project]\nname = \"{name}\"\nversion = \"1.0\"\n"
    );
    let about = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
    let at = |file: &str| format!("{name}-1.0/{file}");
    let archive = Layer::new()
        .directory(&at(""), 0o755)
        .file(&at("PKG-INFO"), 0o644, about.as_bytes())
        .file(&at("pyproject.toml"), 0o644, project.as_bytes())
        .file(&at("backend.py"), 0o644, backend.as_bytes())
        .file(&at(&format!("{name}.py")), 0o644, program.as_bytes());
    gzip(&archive.bytes())
}

/// Puts packages into an index for pip. Source: PyPA's "Simple repository API".
fn index(web: &Web, packages: &[(&str, Vec<u8>)]) {
    for (name, archive) in packages {
        let file = format!("{name}-1.0.tar.gz");
        let line = format!("<a href=\"/files/{file}#sha256={}\">{file}</a>\n", hex(archive));
        let headers = vec!["Content-Type: text/html".to_owned()];
        web.page(&format!("/simple/{name}/"), Page { body: line.into_bytes(), headers, ..Page::default() });
        web.page(&format!("/files/{file}"), Page { body: archive.clone(), ..Page::default() });
    }
}

#[test]
fn pip_builds_and_installs_what_an_index_has_and_it_runs_in_another_stage() {
    only!(Full);
    require!(program "docker-registry");
    let has_python = |images: &std::path::Path| {
        let listed = fs::read_to_string(images.join("mirror/Packages")).unwrap_or_default();
        listed.contains("\nPackage: python3-venv\n")
    };
    require!(test_images().is_some_and(|images| has_python(&images)), "the mirror has no Python");
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    let debian = registry.image("debian:latest");
    let web = Web::new();
    mirror(&web);
    settings(&lab, &web);
    let greeter = "import greeting\ndef main():\n    print(greeting.TEXT, __import__('app').WHOM)\n";
    let greeting = source("greeting", "", "TEXT = 'hello'\n");
    index(&web, &[("greeting", greeting), ("greeter", source("greeter", "Requires-Dist: greeting\\n", greeter))]);
    let text = format!(
        "FROM {debian} AS python\n{}\
         FROM python AS built\nWORKDIR /app\nRUN python3 -m venv venv\nCOPY requirements.txt .\n\
         RUN --mount=type=cache,target=/root/.cache/pip venv/bin/pip install --disable-pip-version-check \
         --index-url {} -r requirements.txt\n\
         COPY app.py .\n\
         FROM python\nCOPY --from=built /app /app\nENV PYTHONPATH=/app PATH=/app/venv/bin:$PATH\n\
         USER nobody\nCMD greeter-tool\n",
        apt("python3-venv"),
        web.url("/simple/"),
    );
    write(&lab, "Dockerfile", &text);
    write(&lab, "requirements.txt", "greeter == 1.0\n");
    write(&lab, "app.py", "WHOM = 'from pip'\n");
    let build = || {
        let command = lab.rc(["build", "-q", "-t", "localhost/made", "--network", "host"]);
        // Python compiles what is installed: on a machine that is busy with other things that takes minutes.
        let command = command.deadline(Duration::from_secs(600));
        command.arg(lab.work("context")).run().exits(0).stdout();
        lab.rc(["run", "--rm", "--network", "none", "localhost/made"]).run().exits(0).stdout()
    };
    assert_eq!(build(), "hello from pip\n");
    // What is installed is where it was when only the program is another one.
    let asked = web.asked().len();
    write(&lab, "app.py", "WHOM = 'again'\n");
    assert_eq!(build(), "hello again\n");
    assert_eq!(web.asked().len(), asked);
    registry.stop();
}
