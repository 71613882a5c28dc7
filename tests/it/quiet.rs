//! `-q` silences progress and keeps results, in every command that has it.

use serde_json::json;

use crate::support::image::Image;
use crate::support::{Lab, Output};

/// The kinds of results.
#[derive(Debug, Clone, Copy)]
enum Result {
    Nothing,
    /// The ID of an image, a whole container ID, or a short one, alone on its line.
    Id,
    Line(&'static str),
}

#[track_caller]
fn check(output: Output, expected: Result) {
    let shown = output.to_string();
    let text = output.text();
    match expected {
        Result::Nothing => assert_eq!(text, "", "{shown}"),
        Result::Id => {
            let digits = text.trim_start_matches("sha256:");
            assert!(digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{shown}");
        }
        Result::Line(line) => assert_eq!(text, line, "{shown}"),
    }
}

#[test]
fn results_are_printed_with_quiet_too() {
    let lab = Lab::with_payload();
    let image = Image::payload().config(json!({ "Cmd": ["/payload", "exit", "0"] }));
    std::fs::write(lab.work("named.tar"), image.oci_archive("named:1")).expect("an archive can be written");
    let layer = crate::support::image::payload_layer();
    std::fs::write(lab.work("layer.tar"), layer).expect("an archive can be written");
    for (line, expected) in [
        ("load -q -i named.tar", Result::Line("Loaded image: localhost/named:1")),
        ("load --quiet=true --input named.tar", Result::Line("Loaded image: localhost/named:1")),
        ("import -q layer.tar imported", Result::Id),
        ("save -q -o saved.tar named:1", Result::Nothing),
        ("images -q named", Result::Id),
        ("create -q --name made --network none payload /payload exit 0", Result::Id),
        ("run -q -d --name ran --network none payload /payload sleep", Result::Id),
        ("run -q --rm --network none payload /payload echo hi", Result::Line("hi")),
        ("ps -q", Result::Id),
    ] {
        check(lab.rc(line.split(' ')).run(), expected);
    }
    lab.rc(["rm", "-fa"]).run().succeeds();
}
