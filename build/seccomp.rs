//! Reads `config/seccomp.json`, joins it with the tables of system calls, and writes the BPF program as Rust source.
//!
//! The crate seccompiler knows two actions to a filter and no 32-bit calls beside the 64-bit ones; libseccomp is a C library
//! that would have to be linked. What is needed is small: names to numbers here, numbers to a search tree in `bpf.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use crate::bpf::{self, Abi, Case, Decision, Outcome, Program};

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

/// Calls of 32-bit ARM that are in no table, for the kernel handles them apart. Source: arch/arm/include/uapi/asm/unistd.h.
const ARM_PRIVATE: [(&str, u32); 3] = [("breakpoint", 0x0f_0001), ("cacheflush", 0x0f_0002), ("set_tls", 0x0f_0005)];

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

/// Writes `OUT_DIR/seccomp.rs`: the program, and where it changes with capabilities.
pub(crate) fn build(out: &Path) {
    println!("cargo::rerun-if-changed={SOURCE}");
    let text = std::fs::read_to_string(SOURCE).unwrap_or_else(|error| panic!("{SOURCE}: {error}"));
    let profile: Profile = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{SOURCE}: {error}"));
    let architecture = std::env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets the target's architecture");
    let program = bpf::program(&abis(&profile, &architecture), outcome(&profile.default, &[]));
    let path = out.join("seccomp.rs");
    std::fs::write(&path, source(&program)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Names and numbers of one kind of calls.
type Table = BTreeMap<&'static str, u32>;

/// The numbers and names of a table of the crate syscalls; its own iterator leaves out the last one (0.8.1),
/// and `break` is called `r#break`.
macro_rules! table {
    ($architecture:ident) => {
        (0..syscalls::$architecture::Sysno::table_size())
            .filter_map(syscalls::$architecture::Sysno::new)
            .map(|call| (call.name().trim_start_matches("r#"), call as u32))
    };
}

/// The tables, each with its name and the kernel's number for it (linux/audit.h).
///
/// x32 calls have the number of x86_64, and themselves numbers from 0x40000000 on, which no table holds: the default.
fn tables() -> [(&'static str, u32, Table); 4] {
    [
        ("x86_64", 0xc000_003e, table!(x86_64).collect()),
        ("i386", 0x4000_0003, table!(x86).collect()),
        ("aarch64", 0xc000_00b7, table!(aarch64).collect()),
        ("arm", 0x4000_0028, table!(arm).chain(ARM_PRIVATE).collect()),
    ]
}

/// What each kind of call that `architecture` can make is to get.
fn abis(profile: &Profile, architecture: &str) -> Vec<Abi> {
    let kinds = match architecture {
        "x86_64" => ["x86_64", "i386"],
        "aarch64" => ["aarch64", "arm"],
        other => panic!("rc has no system call filter for {other}"),
    };
    let tables = tables();
    let decisions = decisions(profile);
    for name in decisions.keys() {
        let known = tables.iter().any(|(_, _, table)| table.contains_key(name));
        assert!(known, "{SOURCE}: no system call is named `{name}`");
    }
    tables
        .iter()
        .filter(|(kind, ..)| kinds.contains(kind))
        .map(|(_, arch, table)| {
            let known = table.iter().filter_map(|(name, number)| Some((*number, decisions.get(name)?.clone())));
            Abi { arch: *arch, calls: known.collect() }
        })
        .collect()
}

/// Every call of the profile with what becomes of it.
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
    let errno = (action != "allow").then(|| {
        let known = ERRNOS.iter().find(|(known, _)| *known == action);
        known.unwrap_or_else(|| panic!("{SOURCE}: unknown action `{action}`")).1
    });
    Outcome { errno, unless: capabilities.iter().map(find).fold(0, |all, capability| all | 1 << capability) }
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
