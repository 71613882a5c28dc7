//! The Dockerfiles, each without its `FROM localhost/base`.

/// A Dockerfile, and what is known to differ.
pub(super) struct Case {
    /// The instructions after FROM.
    pub(super) dockerfile: &'static str,
    /// The ignore file.
    pub(super) ignore: &'static str,
    /// Further words of the command line.
    pub(super) words: &'static [&'static str],
    /// Paths and keys of the configuration that differ, each with the reason.
    pub(super) differs: &'static [(&'static str, &'static str)],
}

const fn case(dockerfile: &'static str) -> Case {
    Case { dockerfile, ignore: "", words: &[], differs: &[] }
}

const fn ignoring(dockerfile: &'static str, ignore: &'static str) -> Case {
    Case { dockerfile, ignore, words: &[], differs: &[] }
}

const fn with(dockerfile: &'static str, words: &'static [&'static str]) -> Case {
    Case { dockerfile, ignore: "", words, differs: &[] }
}

const fn but(dockerfile: &'static str, differs: &'static [(&'static str, &'static str)]) -> Case {
    Case { dockerfile, ignore: "", words: &[], differs }
}

/// What may differ in all of them.
pub(super) const EVERYWHERE: &[(&str, &str)] = &[("/run", "buildah makes and removes `.containerenv` in it")];

/// BuildKit (fsutil, `copy.go`) keeps the bits that buildah takes away from files of the context.
const BITS: &str = "buildah removes setuid and setgid bits, and BuildKit keeps them";

/// What COPY takes.
pub(super) const COPIES: &[Case] = &[
    case("COPY a /\nCOPY a /b\nCOPY a /new/dir/\nCOPY a x private group /several/\n"),
    case("COPY d /d\nCOPY d /e/\nCOPY d/ /f\nCOPY d/. /g\nCOPY sticky empty /h/\n"),
    but("COPY . /all/\n", &[("/all/setuid", BITS), ("/all/docs/inner", BITS)]),
    but("COPY d* /pattern/\nCOPY *i[nt]* /letters/\nCOPY docs/*/c.m? /deep/\n", &[("/pattern/inner", BITS)]),
    case("COPY link /followed\nCOPY links /links\nCOPY links/up /up\n"),
    case("COPY [\"with space\", \"größe\", \"/names/\"]\n"),
    case("COPY --chown=1:2 d /one\nCOPY --chown=web a /two\nCOPY --chown=web:staff links /three\n"),
    case("COPY --chown=web d /made/above/it\nCOPY --chown=33 a /made/too/\n"),
    case("COPY --chmod=0600 a /m\nCOPY --chmod=755 private /n\n"),
    but("COPY setuid /s\nCOPY --chown=web setuid /t\n", &[("/s", BITS), ("/t", BITS)]),
    Case {
        dockerfile: "COPY . /all/\n",
        ignore: "d\n*.tar\n*.t?z\narchive.*\nhard\n",
        words: &[],
        differs: &[("/all/setuid", BITS), ("/all/docs/inner", BITS)],
    },
    Case {
        dockerfile: "COPY . /all/\nCOPY docs /docs\n",
        ignore: "**/*.md\n!docs/inner/keep.md\n# a comment\n\nlinks\n",
        words: &[],
        differs: &[("/all/setuid", BITS), ("/all/docs/inner", BITS), ("/docs/inner", BITS)],
    },
    Case {
        dockerfile: "COPY . /all/\n",
        ignore: "*\n!d\n!docs/b.txt\nd/sub\n",
        words: &[],
        differs: &[("/all/docs", "buildah makes a directory that is ignored anew, and BuildKit keeps its time")],
    },
    ignoring("COPY d /d\n", "/d/one\n ./d/two \n"),
];

/// What COPY writes over, and where.
pub(super) const PLACES: &[Case] = &[
    case("COPY a /etc/\nCOPY a /tmp/\nCOPY d /home\n"),
    case("COPY a /lib/\nCOPY d /lib/d\n"),
    case("COPY a /old/file\nCOPY x /old/link\n"),
    case("COPY d /old\nCOPY d/sub /old/sub\n"),
    case("WORKDIR /w/v\nCOPY a .\nCOPY a ./b\nWORKDIR u\nCOPY d d\n"),
    case("WORKDIR /old/sub\nCOPY a ../up\n"),
    case("USER web\nCOPY a /by-root\nCOPY --chown=web:web a /by-web\n"),
    case("COPY a /../../out\nCOPY ../../a /in\n"),
];

/// ADD, and files of other stages.
pub(super) const ARCHIVES: &[Case] = &[
    case("ADD archive.tar /plain/\nADD archive.tgz /packed\nADD archive.tar.xz archive.tar.bz2 /both/\n"),
    case("ADD a /added\nADD d /d\nADD archive.tar a /mixed/\n"),
    case("COPY archive.tar /copied/\n"),
    case(
        "RUN mkdir -p /out/sub && echo x >/out/f && chown -R 33:34 /out && chmod 700 /out/sub && ln -s f /out/l \
          && ln /out/f /out/h && touch -d @1000000 /out/f\nFROM localhost/base\nCOPY --from=0 /out /out\n\
          COPY --from=0 --chown=1:1 /out/f /g\nCOPY --from=0 /out/l /l\n",
    ),
    case(
        "FROM localhost/base AS files\nRUN mkdir -m 750 /x && touch -d @1000000 /x/y\nFROM scratch\n\
          COPY --from=files /x/y /x/\nCOPY --from=localhost/base /home /home\nCOPY a /a\n",
    ),
    case("RUN echo one >/one\nFROM localhost/base AS two\nCOPY a /two\nCOPY --from=0 one /both/\n"),
    with("COPY a /a\nFROM localhost/base\nCOPY x /x\n", &["--target", "first"]),
];

/// What RUN leaves.
pub(super) const STEPS: &[Case] = &[
    case("RUN echo new >/new && mkdir -p /p/q && chmod 2755 /p && touch -d @5 /p/q && rm /old/file\n"),
    case("RUN rm -rf /old && mkdir /old && echo other >/old/other\nCOPY a /old/a\n"),
    case("RUN ln -s /nowhere /dangling && echo x >/h && ln /h /h2 && chown 33:34 /h && chmod 4711 /h && mkfifo /q\n"),
    case("RUN mv /old/sub /moved && chmod 600 /etc/passwd && chown web:staff /tmp\n"),
    case("ARG V=1\nENV A=$V B=${A:-x}\nRUN echo \"$V $A $B $OF\" >/v\n"),
    with("ARG V=1\nRUN echo \"$V\" >/v\n", &["--build-arg", "V=given"]),
    case("USER web\nWORKDIR /srv/app\nRUN id -u >/tmp/u\nUSER 5:6\nRUN id -g >/tmp/g\n"),
    but(
        "WORKDIR /w\nRUN echo here >file\nSHELL [\"/bin/sh\", \"-e\", \"-c\"]\nRUN echo shell >shell\n",
        &[("Shell", "buildah leaves it out of OCI's configuration, and BuildKit does not")],
    ),
    case("RUN [\"/bin/busybox\", \"touch\", \"-d\", \"@7\", \"/with space\"]\n"),
];

/// What only changes the configuration.
pub(super) const CONFIGURATIONS: &[Case] = &[
    case("CMD echo $HOME\n"),
    case("CMD [\"a\", \"b c\"]\nENTRYPOINT [\"/e\"]\n"),
    case("ENTRYPOINT exec /e\n"),
    case(
        "ENV ONE=1 TWO=\"2 3\" THREE=a\\ b\nENV FOUR all of it\n\
          ENV ONE=again FIVE=${ONE}x SIX=${NONE:-six} SEVEN=${ONE:+x}\n",
    ),
    but(
        "LABEL a=b \"c d\"=\"e f\" of=made\nEXPOSE 80 443/tcp 53/udp 8000-8002\nSTOPSIGNAL SIGINT\n",
        &[("ExposedPorts", "buildah leaves a range as it is, and BuildKit writes each port")],
    ),
    case("VOLUME /data /more\nVOLUME [\"/third\"]\nUSER web:staff\nWORKDIR /x\nWORKDIR y/../z\n"),
    case("ARG NAME=n\nENV N=$NAME\nLABEL n=${N}\nWORKDIR /$N\nEXPOSE ${P:-90}\nUSER ${U:-33}\n"),
    with("LABEL a=b\n", &["--label", "x=y", "--label", "a=c"]),
];
