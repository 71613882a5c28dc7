//! Reads `config/seccomp.json`, joins it with the tables of system calls, and writes the BPF program as Rust source.
//!
//! The crate seccompiler supports two actions per filter and no 32-bit calls beside the 64-bit ones; libseccomp is a C
//! library that we would have to link. We need little: names to numbers here, numbers to a search tree in
//! `src/runtime/seccomp/bpf.rs`, which rc itself uses for users' filters.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use crate::bpf::{self, Abi, Case, Decision, Outcome, Program, Unnamed};
use crate::tables;

const SOURCE: &str = "config/seccomp.json";

/// The errnos that a profile may name.
const ERRNOS: [(&str, u16); 2] = [("EPERM", 1), ("ENOSYS", 38)];

/// The capabilities that a profile may name. Source: linux/capability.h.
const CAPABILITIES: [(&str, u32); 14] = [
    ("CAP_DAC_READ_SEARCH", 2),
    ("CAP_NET_RAW", 13),
    ("CAP_SYS_MODULE", 16),
    ("CAP_SYS_RAWIO", 17),
    ("CAP_SYS_PTRACE", 19),
    ("CAP_SYS_PACCT", 20),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_SYS_BOOT", 22),
    ("CAP_SYS_NICE", 23),
    ("CAP_SYS_TIME", 25),
    ("CAP_SYS_TTY_CONFIG", 26),
    ("CAP_SYSLOG", 34),
    ("CAP_PERFMON", 38),
    ("CAP_BPF", 39),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    #[serde(rename = "about")]
    _about: Prose,
    default: String,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    about: Prose,
    action: String,
    #[serde(default)]
    capabilities: Vec<String>,
    calls: Vec<String>,
    argument: Option<Argument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Argument {
    index: u8,
    #[serde(default)]
    mask: BTreeMap<String, String>,
    cases: Vec<ProfileCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileCase {
    values: BTreeMap<String, String>,
    action: String,
    #[serde(default)]
    capabilities: Vec<String>,
}

#[derive(Deserialize, Debug)]
#[serde(untagged)]
#[expect(dead_code, reason = "prose is for the reader of the profile, and for error messages")]
enum Prose {
    Line(String),
    Lines(Vec<String>),
}

/// Writes `OUT_DIR/seccomp.rs`: the program, and the instructions in it that depend on capabilities.
pub(crate) fn build(out: &Path) {
    println!("cargo::rerun-if-changed={SOURCE}");
    let text = std::fs::read_to_string(SOURCE).unwrap_or_else(|error| panic!("{SOURCE}: {error}"));
    let profile: Profile = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{SOURCE}: {error}"));
    let architecture = std::env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets the target's architecture");
    let default = outcome(&profile.default, &[]);
    let unnamed = Unnamed { call: default, x32: default, kind: default };
    let program =
        bpf::program(&abis(&profile, &architecture), unnamed).unwrap_or_else(|error| panic!("{SOURCE}: {error}"));
    let path = out.join("seccomp.rs");
    std::fs::write(&path, source(&program)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The decisions for each kind of calls that `architecture` has.
fn abis(profile: &Profile, architecture: &str) -> Vec<Abi> {
    let kinds =
        tables::kinds(architecture).unwrap_or_else(|| panic!("rc has no system call filter for {architecture}"));
    let decisions = decisions(profile);
    let known: Vec<_> = tables::ARCHITECTURES.into_iter().filter_map(tables::kinds).flatten().collect();
    for name in decisions.keys() {
        let is_known = known.iter().any(|kind| kind.calls.contains_key(name));
        assert!(is_known, "{SOURCE}: no system call is named `{name}`");
    }
    kinds
        .iter()
        .map(|kind| {
            let known = kind.calls.iter().filter_map(|(name, number)| Some((*number, decisions.get(name)?.clone())));
            Abi { arch: kind.arch, calls: known.collect() }
        })
        .collect()
}

/// Every call of the profile with its decision.
fn decisions(profile: &Profile) -> BTreeMap<&str, Decision> {
    let mut decisions = BTreeMap::new();
    for group in &profile.groups {
        let otherwise = outcome(&group.action, &group.capabilities);
        let decision = match &group.argument {
            None => Decision::Always(otherwise),
            Some(argument) => Decision::ByArgument {
                index: argument.index,
                mask: argument.mask.values().map(|bits| number(bits)).reduce(|all, bits| all | bits),
                cases: argument.cases.iter().map(case).collect(),
                otherwise,
            },
        };
        for name in &group.calls {
            let twice = decisions.insert(name.as_str(), decision.clone()).is_some();
            assert!(!twice, "{SOURCE}: `{name}` is in two groups, the second is {:?}", group.about);
        }
    }
    decisions
}

fn case(case: &ProfileCase) -> Case {
    Case {
        values: case.values.values().map(|value| number(value)).collect(),
        outcome: outcome(&case.action, &case.capabilities),
    }
}

fn outcome(action: &str, capabilities: &[String]) -> Outcome {
    let find = |name: &String| {
        let known = CAPABILITIES.iter().find(|(known, _)| known == name);
        known.unwrap_or_else(|| panic!("{SOURCE}: unknown capability `{name}`")).1
    };
    let outcome = match action {
        "allow" => Outcome::ALLOW,
        _ => {
            let known = ERRNOS.iter().find(|(known, _)| *known == action);
            Outcome::errno(known.unwrap_or_else(|| panic!("{SOURCE}: unknown action `{action}`")).1)
        }
    };
    let unless = capabilities.iter().map(find).fold(0, |all, capability| all | 1 << capability);
    Outcome { unless, ..outcome }
}

/// A number in decimal, or in hexadecimal after `0x`.
fn number(text: &str) -> u32 {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.unwrap_or_else(|error| panic!("{SOURCE}: `{text}`: {error}"))
}

/// The program as Rust source, for `src/runtime/seccomp.rs` to include.
fn source(program: &Program) -> String {
    let mut text = format!("static BASE: [sock_filter; {}] = [\n", program.code.len());
    for instruction in &program.code {
        let bpf::Instruction { code, jt, jf, k } = instruction;
        writeln!(text, "    sock_filter {{ code: {code:#x}, jt: {jt}, jf: {jf}, k: {k:#x} }},")
            .expect("memory suffices");
    }
    writeln!(text, "];\nstatic GATES: [Gate; {}] = [", program.gates.len()).expect("memory suffices");
    for (capabilities, at) in &program.gates {
        writeln!(text, "    Gate {{ capabilities: {capabilities:#x}, returns: &{at:?} }},").expect("memory suffices");
    }
    text.push_str("];\n");
    text
}
