//! What a build shows: plain lines, BuildKit's status as JSON, a display that moves on a terminal, and its errors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::build::{build, lab, write};
use crate::support::Lab;

fn fresh(dockerfile: &str) -> Lab {
    lab(&[("Dockerfile", dockerfile)])
}

#[test]
fn plain_lines_are_those_of_buildx() {
    let lab = fresh("FROM localhost/base\nRUN echo one; echo two >&2; printf three\nWORKDIR /w\n");
    let said = build(&lab, &["--progress", "plain"]).exits(0).stderr();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "#1 [stage-0 1/2] RUN echo one; echo two >&2; printf three");
    assert_eq!(lines[1], "#1 not cached: first build here");
    let mut words: Vec<&str> = lines[2..5].iter().filter_map(|line| line.split(' ').nth(2)).collect();
    words.sort_unstable();
    assert_eq!(words, ["one", "three", "two"], "{said}");
    let stamp = lines[2].split(' ').nth(1).expect("a time");
    assert!(stamp.len() == 5 && stamp.starts_with("0."), "{said}");
    assert!(lines[5].starts_with("#1 DONE 0."), "{said}");
    assert_eq!(&lines[6..8], ["", "#2 [stage-0 2/2] WORKDIR /w"]);
    let again = build(&lab, &["--progress", "plain"]).exits(0).stderr();
    assert!(
        again.starts_with(
            "#1 [stage-0 1/2] RUN echo one; echo two >&2; printf three\n#1 CACHED\n\n\
             #2 [stage-0 2/2] WORKDIR /w\n#2 CACHED\n"
        ),
        "{again}"
    );
}

#[test]
fn lines_of_steps_that_run_at_once_do_not_mix() {
    let stage =
        |name: &str| format!("FROM localhost/base AS {name}\nRUN for n in 1 2 3; do echo {name} $n; sleep 0.1; done\n");
    let last = "FROM scratch\nCOPY --from=one /bin/sh /one\nCOPY --from=two /bin/sh /two\n";
    let lab = fresh(&format!("{}{}{last}", stage("one"), stage("two")));
    let said = build(&lab, &["--progress", "plain"]).exits(0).stderr();
    let turns: Vec<&str> =
        said.lines().filter_map(|line| line.split(' ').next()).filter(|word| word.starts_with('#')).collect();
    let mut changes = turns.clone();
    changes.dedup();
    assert!(changes.len() <= 5, "each comes in one piece: {said}");
    for line in ["one 1", "one 3", "two 1", "two 3"] {
        assert_eq!(said.lines().filter(|said| said.ends_with(line)).count(), 1, "{line}: {said}");
    }
}

#[test]
fn raw_json_is_the_status_that_tools_of_buildkit_read() {
    let lab = fresh("FROM localhost/base\nRUN echo out; echo err >&2\n");
    let said = build(&lab, &["--progress", "rawjson"]).exits(0).stderr();
    let all: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let vertex = &all[0]["vertexes"][0];
    assert_eq!(vertex["name"], "[stage-0 1/1] RUN echo out; echo err >&2");
    assert!(vertex["started"].is_string() && vertex["completed"].is_null(), "{said}");
    let digest = &vertex["digest"];
    assert!(digest.as_str().is_some_and(|digest| digest.starts_with("sha256:") && digest.len() == 71), "{said}");
    assert_eq!(all[1]["statuses"][0]["id"], "not cached: first build here");
    let logs: Vec<&Value> = all.iter().filter_map(|status| status["logs"].get(0)).collect();
    let text = |log: &Value| {
        let bytes = STANDARD.decode(log["data"].as_str().expect("text")).expect("base64");
        (log["stream"].as_u64(), String::from_utf8(bytes).expect("text"))
    };
    let mut found: Vec<_> = logs.iter().map(|log| text(log)).collect();
    found.sort();
    assert_eq!(found, [(Some(1), "out\n".to_owned()), (Some(2), "err\n".to_owned())]);
    assert!(logs.iter().all(|log| log["vertex"] == *digest), "{said}");
    let last = &all[all.len() - 1]["vertexes"][0];
    assert!(last["completed"].is_string() && last["cached"].is_null() && last["error"].is_null(), "{said}");
    let again = build(&lab, &["--progress", "rawjson"]).exits(0).stderr();
    let last: Value = serde_json::from_str(again.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["vertexes"][0]["cached"], true);
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN exit 3\n");
    let failed = build(&lab, &["--progress", "rawjson"]).exits(3).stderr();
    assert!(failed.contains("\"error\":\"exit code 3\""), "{failed}");
}

#[test]
fn a_terminal_has_a_display_that_moves() {
    let lab = fresh(
        "FROM localhost/base\nWORKDIR /w\nRUN echo hello; until test -e /proc/no; do sleep 0.2; \
         test -n \"$A\" && exit 0; A=1; done\n",
    );
    let command = lab.rc(["build", "-t", "localhost/made"]).arg(lab.work("context")).env("TERM", "xterm");
    let shown = command.start_on_terminal(24, 80).wait().exits(0).stdout();
    assert!(shown.contains("[+] Building 0.") && shown.contains("(2/2) FINISHED"), "{shown}");
    assert!(shown.contains(" => [stage-0 1/2] WORKDIR /w"), "{shown}");
    assert!(shown.contains("\u{1b}[2m => => not cached: first build here\u{1b}[0m"), "{shown}");
    assert!(shown.contains(" => => # hello"), "{shown}");
    assert!(shown.contains("A\r\u{1b}[J"), "a frame is drawn over the last one: {shown}");
    // The last frame is complete, and each of its lines fits.
    let last = shown.rsplit("\u{1b}[J").next().expect("a frame");
    assert_eq!(last.matches(" => [stage-0").count(), 2, "{last}");
    assert!(!last.contains("# hello"), "what a step says is folded when it is done: {last}");
    let again = lab.rc(["build", "-t", "localhost/made"]).arg(lab.work("context")).env("TERM", "xterm");
    assert!(again.start_on_terminal(24, 80).wait().exits(0).stdout().contains(" => CACHED [stage-0 2/2] RUN"));
}

#[test]
fn an_error_has_the_last_lines_the_excerpt_and_what_to_do() {
    let text = "FROM localhost/base AS build\nRUN true\nRUN for n in $(seq 40); do echo line $n; done; exit 9\n\
        RUN true\nLABEL a=b\nLABEL c=d\n";
    let lab = lab(&[("Dockerfile", text)]);
    let said = build(&lab, &["-q"]).exits(9).stderr();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], " > [build 2/3] RUN for n in $(seq 40); do echo line $n; done; exit 9:");
    assert!(lines[1].ends_with(" line 11") && lines[30].ends_with(" line 40"), "{said}");
    assert_eq!(
        lines[31..].join("\n"),
        "Dockerfile:3:1\n   1 |     FROM localhost/base AS build\n   2 |     RUN true\n   \
         3 | >>> RUN for n in $(seq 40); do echo line $n; done; exit 9\n   4 |     RUN true\n   5 |     LABEL a=b\n\
         rc: `RUN for n in $(seq 40); do echo line $n; done; exit 9` ended with exit code 9 (build, step 2 of 3)"
    );
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN no-such-program\n");
    let said = build(&lab, &["--progress", "plain"]).exits(127).stderr();
    assert!(said.contains("#1 ERROR: exit code 127\n") && said.contains("hint: a command was not found"), "{said}");
    // What is foreign cannot act on the terminal.
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN printf '\\033[2J\\n'; exit 1 # \u{1b}[2J\n");
    for style in ["plain", "quiet", "tty", "rawjson"] {
        let said = build(&lab, &["--progress", style]).exits(1).stderr();
        assert!(!said.contains("\u{1b}[2J"), "{style}: {said}");
    }
}

#[test]
fn a_shell_opens_in_a_step_that_fails_and_what_it_changes_is_thrown_away() {
    let text = "FROM localhost/base\nARG V=seen\nRUN --mount=type=bind,target=/c echo made >/made; exit 7\n";
    let lab = fresh(text);
    let command = lab.rc(["build", "-t", "localhost/made", "--on-error=shell"]).arg(lab.work("context"));
    let mut terminal = command.env("TERM", "xterm").start_on_terminal(24, 80);
    terminal.line("a shell in this step");
    terminal.send("cat /made; echo $V; cat /c/Dockerfile | test -s /c/Dockerfile && echo mounted-$((1+1)); exit\n");
    terminal.line("mounted-2");
    let shown = terminal.wait().exits(7).stdout();
    assert!(shown.contains("made\r\n") && shown.contains("seen\r\n"), "{shown}");
    assert!(shown.contains("ended with exit code 7"), "{shown}");
    lab.rc(["image", "exists", "localhost/made"]).run().fails(1, "");
    // Without a terminal there is none.
    let refused = build(&lab, &["--on-error=shell"]).exits(125).stderr();
    assert!(refused.contains("needs a terminal"), "{refused}");
}
