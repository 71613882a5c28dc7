//! Goldens: tests/fixtures/dockerfile. Each has a Dockerfile, a line `====`, and what becomes of it. With
//! RC_GOLDENS=DIRECTORY the outcomes are written there; RC_FUZZ_SECONDS=N mutates them for longer.

use std::time::{Duration, Instant};

use super::super::outline::{Wanted, outline, targets};
use super::super::scope::Platform;
use super::super::source::Source;
use super::super::stages::{BaseImage, Origin};
use super::super::steps::{Action, CopyStep, RunStep};
use super::*;
use crate::sys::cpus::time_of_thread;

macro_rules! goldens {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../../tests/fixtures/dockerfile/", $name, ".txt")))),*]
    };
}

const GOLDENS: [(&str, &str); 15] = goldens! {
    "checks" "circle" "config" "copy" "entrypoint" "errors" "escape" "forward" "here" "heredocs" "onbuild" "run" "skip"
    "stages" "values"
};

/// The words behind `# key: ` in a comment of the file, separated by `separator`.
fn header<'a>(text: &'a str, key: &str, separator: char) -> Vec<&'a str> {
    let prefix = format!("# {key}: ");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
    line.into_iter().flat_map(|line| line.split(separator)).collect()
}

fn outcome(text: &str) -> String {
    let source = Source::new("Dockerfile", text);
    let inputs = Inputs {
        arguments: header(text, "args", ' ')
            .into_iter()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        build_platform: Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: String::new() },
        platform: Platform { os: "linux".to_owned(), architecture: "arm64".to_owned(), variant: "v8".to_owned() },
        target: header(text, "target", ' ').first().map(|name| (*name).to_owned()),
        ..Inputs::default()
    };
    let ignore = header(text, "ignore", '|').join("\n");
    let ignore = Ignore::new(&ignore).unwrap_or_default();
    let bases = |name: &str, _: Option<&str>| {
        let given = text.lines().find_map(|line| line.strip_prefix(&format!("# base: {name} ENV=")))?;
        let (env, triggers) = given.split_once(" ONBUILD=")?;
        let on_build = triggers.split('|').map(str::to_owned).collect();
        let settings = ImageSettings { env: vec![env.to_owned()], on_build, ..ImageSettings::default() };
        let platform = Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: String::new() };
        Some(BaseImage { settings, platform })
    };
    let extent = if inputs.target.is_some() { Extent::Needed } else { Extent::All };
    let plan = Dockerfile::read(&source).and_then(|file| evaluate(&file, &inputs, &bases, Some(&ignore), extent));
    match plan {
        Ok(plan) => shown(&source, &plan),
        Err(problems) => {
            let line = |problem: &Problem| {
                let at = source.position(problem.span.start);
                let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                format!("error {}:{} {}{hint}\n", at.line, at.column, problem.message)
            };
            problems.iter().map(line).collect()
        }
    }
}

fn shown(source: &Source, plan: &Plan) -> String {
    let mut lines = Vec::new();
    for (index, stage) in &plan.stages {
        let base = match &plan.graph.nodes[*index].base {
            Base::Scratch => "scratch".to_owned(),
            Base::Stage(other) => format!("stage {other}"),
            Base::Image { name, .. } => name.clone(),
        };
        let platform = plan.graph.nodes[*index].platform.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        lines.push(format!("stage {index}: {base}{platform}"));
        let json = serde_json::to_string(&stage.settings).expect("JSON");
        lines.push(format!("  {json}"));
        lines.extend(stage.author.as_ref().map(|author| format!("  author {author}")));
        for entry in &stage.history {
            let step = entry.step.map(|step| format!(" [{step}]")).unwrap_or_default();
            lines.push(format!("  history{step} {:?}", entry.created_by));
        }
        for step in &stage.steps {
            let (first, last) = source.lines(step.span);
            lines.push(format!("  step {first}-{last} {:?}", step.text));
            match &step.action {
                Action::Workdir { path, .. } => lines.push(format!("    workdir {path}")),
                Action::Run(run) => lines.extend(run_lines(run)),
                Action::Copy(copy) => lines.extend(copy_lines(copy)),
            }
        }
    }
    lines.push(format!("order {:?} target {}", plan.graph.order, plan.graph.target));
    for warning in &plan.warnings {
        let (first, last) = source.lines(warning.span);
        lines.push(format!("warning {first}-{last} {}: {}", warning.rule.name, warning.message));
    }
    lines.extend(plan.warnings_are_errors.then(|| "warnings are errors".to_owned()));
    lines.extend(plan.foreign_syntax.iter().map(|name| format!("foreign syntax {name}")));
    lines.extend(plan.unused.iter().map(|name| format!("unused {name}")));
    lines.join("\n") + "\n"
}

fn origin(origin: Option<&Origin>) -> String {
    match origin {
        None => "context".to_owned(),
        Some(Origin::Stage(index)) => format!("stage {index}"),
        Some(Origin::Image(name)) => format!("image {name}"),
    }
}

fn run_lines(run: &RunStep) -> Vec<String> {
    let mut lines = vec![
        format!("    run {:?} in {} as {:?}", run.argv, run.directory, run.user),
        format!("    env {:?} proxies {:?}", run.env, run.proxies),
        format!("    {:?} {:?}", run.network, run.security),
    ];
    lines.extend(run.script.as_ref().map(|script| format!("    script {script:?}")));
    lines.extend(run.devices.iter().map(|one| format!("    device {} required {}", one.name, one.is_required)));
    lines.extend(run.mounts.iter().map(|one| {
        format!("    mount {:?} from {}: {:?}", one.mount.target, origin(one.origin.as_ref()), one.mount.kind)
    }));
    lines
}

fn copy_lines(copy: &CopyStep) -> Vec<String> {
    let CopyStep { sources, destination, chown, chmod, link, parents, exclude, .. } = copy;
    let mut lines = vec![
        format!("    copy {sources:?} from {} to {destination}", origin(copy.origin.as_ref())),
        format!("    chown {chown:?} chmod {chmod:?} link {link} parents {parents} exclude {exclude:?}"),
    ];
    lines.extend(copy.documents.iter().map(|document| format!("    {document:?}")));
    lines.extend(copy.add.as_ref().map(|add| format!("    {add:?}")));
    lines
}

#[test]
fn goldens() {
    let mut differ = Vec::new();
    for (name, text) in GOLDENS {
        let (file, expected) = text.split_once("====\n").unwrap_or((text, ""));
        let found = outcome(file);
        if let Ok(directory) = std::env::var("RC_GOLDENS") {
            #[expect(clippy::disallowed_methods, reason = "a test that writes its own fixtures")]
            std::fs::write(format!("{directory}/{name}.txt"), format!("{file}====\n{found}")).expect("a golden");
        }
        if found != expected {
            differ.push(format!("{name}: expected\n{expected}\nfound\n{found}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Pseudorandom numbers, the same each time. Source: Marsaglia, "Xorshift RNGs".
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).expect("a number")).expect("a number")
    }
}

#[test]
fn mutated_files_neither_panic_nor_take_long() {
    let pieces = [
        "$",
        "${",
        "}",
        "\"",
        "'",
        "\\",
        "\n",
        " ",
        "<<",
        "<<EOF",
        "EOF",
        "--",
        "=",
        "[",
        "]",
        ",",
        "#",
        "FROM ",
        "COPY ",
        "ONBUILD ",
        "RUN --mount=",
        "\\\n",
        "\u{feff}",
        "ä",
        "\0",
        "\t",
        "`",
        "..",
        "/",
        "*",
        "`\n",
        "\r\n",
        ":",
        "@",
        "%",
    ];
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let seconds = std::env::var("RC_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = seconds.map_or(Duration::from_millis(800), Duration::from_secs);
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < time || count < 200 {
        let (_, golden) = GOLDENS[random.below(GOLDENS.len())];
        let mut text: Vec<char> = golden.split("====").next().unwrap_or_default().chars().collect();
        for _ in 0..=random.below(8) {
            let at = random.below(text.len() + 1);
            let end = at + random.below((text.len() - at).min(20) + 1);
            let piece = pieces[random.below(pieces.len())].repeat(1 + random.below(3));
            text.splice(at..end, piece.chars());
        }
        let text: String = text.into_iter().collect();
        let began = time_of_thread();
        drop(outcome(&text));
        assert!((time_of_thread() - began).as_secs() < 5, "{text}");
        count += 1;
    }
}

#[test]
fn a_large_file_is_read_in_linear_time() {
    let size = crate::build::dockerfile::source::FILE_LIMIT / 4;
    for unit in [
        "$",
        "<<",
        "<<a ",
        "${",
        "${A:-",
        "\"",
        "'",
        "\\",
        "\\\n",
        "\n",
        "#\n",
        "# a=b\n",
        "RUN x\n",
        "ENV A=$A$A\n",
        "[",
        "ARG A=1\n",
        "FROM b\n",
        "FROM scratch\n",
        "ONBUILD RUN x\n",
        "EXPOSE 1-65535\n",
        "LABEL a=b c=d\n",
        "--a=b ",
        "COPY <<a /\na\n",
        "RUN --mount=target=/x true\n",
        "FROM x\nONBUILD RUN y\n",
        "ENV A$A=$A\n",
        "\"a\",",
        "RUN <<EOF\n",
    ] {
        for head in ["FROM scratch\nENV A=1\n", "FROM scratch\nRUN ", "FROM scratch\nENV A=", "FROM scratch\nCOPY "] {
            let text = format!("{head}{}", unit.repeat(size / unit.len()));
            let start = time_of_thread();
            drop(outcome(&text));
            let taken = time_of_thread() - start;
            // In an optimized build a tenth of this; what is not linear takes minutes.
            assert!(taken.as_secs() < 6, "{head:?} {unit:?}: {taken:?}");
        }
    }
}

#[test]
fn single_instructions_change_defaults() {
    let base = ImageSettings { env: vec!["A=1".to_owned(), "B=2".to_owned()], ..ImageSettings::default() };
    let changed = |text: &str| apply(text, &base).map_err(|problem| problem.message);
    assert_eq!(changed("ENV A=3 C=$B").map(|found| found.env), Ok(["A=3", "B=2", "C=2"].map(str::to_owned).to_vec()));
    assert_eq!(changed("entrypoint [\"/x\"]").map(|found| found.entrypoint), Ok(vec!["/x".to_owned()]));
    for (text, expected) in [
        ("RUN x", "RUN does not change the configuration"),
        ("ENV A", "ENV needs a value for `A`: `name=value`"),
        ("X y", "there is no instruction `X`"),
        ("", "it must be one instruction"),
    ] {
        assert_eq!(changed(text).map(drop), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn the_outline_says_what_a_build_takes() {
    let text = "# V the version\nARG V=1\n# base what all need\nFROM a:$V AS base\nARG V\nARG W\n\
                RUN --mount=type=secret,id=s,required --mount=type=ssh --mount=type=cache,target=/c true\n\
                RUN --mount=type=secret,id=s --mount=type=secret,target=/run/t --mount=type=secret,env=E true\n\
                FROM b\nARG X\nFROM base AS last\n";
    let source = Source::new("Dockerfile", text);
    let file = Dockerfile::read(&source).expect("a file");
    let inputs = Inputs { arguments: [("W".to_owned(), "w".to_owned())].into(), ..Inputs::default() };
    let plan = evaluate(&file, &inputs, &|_, _| None, None, Extent::Needed).expect("a plan");
    let found = outline(&file, &plan);
    let arguments: Vec<_> = found
        .arguments
        .iter()
        .map(|one| (one.name.as_str(), one.value.as_deref(), one.description.as_deref()))
        .collect();
    assert_eq!(arguments, [("V", Some("1"), Some("the version")), ("W", Some("w"), None)]);
    let names = |list: &[Wanted]| {
        list.iter().map(|one| format!("{}{}", one.name, if one.is_required { "!" } else { "" })).collect::<Vec<_>>()
    };
    assert_eq!(names(&found.secrets), ["s!", "t", "E"]);
    assert_eq!((names(&found.agents), names(&found.caches)), (vec!["default".to_owned()], vec!["/c".to_owned()]));
    let targets = targets(&file);
    let shown: Vec<_> = targets.iter().map(|one| (one.name.as_str(), one.is_default, one.base.as_str())).collect();
    assert_eq!(shown, [("base", false, "a:$V"), ("1", false, "b"), ("last", true, "base")]);
    assert_eq!(targets[0].description.as_deref(), Some("what all need"));
}
