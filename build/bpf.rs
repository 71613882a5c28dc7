//! From numbers of system calls to a classic BPF program for seccomp(2).
//!
//! ```text
//! load arch ─ which kind of calls? ─ load number ─ binary search over ranges of numbers with one decision ─┬─ return
//!                                                                          load argument ─ mask ─ compare ─┴─ return
//! ```
//! A path that looks at arch and number alone and ends in "allow" costs nothing at run time: the kernel finds those calls when
//! the filter is installed and keeps them in a bitmap (since Linux 5.11; kernel/seccomp.c, `seccomp_is_const_allow`). The search
//! serves the rest in some eight comparisons.

use std::collections::BTreeMap;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ERRNO: u32 = 0x0005_0000;

// Offsets in struct seccomp_data.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// Both machines are little-endian: the low half comes first.
const ARGUMENTS: u32 = 16;

/// One instruction, as the kernel's `struct sock_filter`.
#[derive(Clone)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jt: u8,
    pub(crate) jf: u8,
    pub(crate) k: u32,
}

/// How a call ends: `None` is "allow"; an errno is overruled by any capability of the set `unless`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) errno: Option<u16>,
    pub(crate) unless: u64,
}

/// What becomes of a call.
#[derive(Clone, PartialEq)]
pub(crate) enum Decision {
    Always(Outcome),
    /// By the low 32 bits of an argument.
    ByArgument {
        index: u8,
        mask: Option<u32>,
        cases: Vec<Case>,
        otherwise: Outcome,
    },
}

/// Values of an argument with one outcome.
#[derive(Clone, PartialEq)]
pub(crate) struct Case {
    pub(crate) values: Vec<u32>,
    pub(crate) outcome: Outcome,
}

/// The calls of one kind (`AUDIT_ARCH_*`), by number.
pub(crate) struct Abi {
    pub(crate) arch: u32,
    pub(crate) calls: BTreeMap<u32, Decision>,
}

/// A program for a process that holds no capability that matters, and for each set of capabilities that does the
/// instructions that become "allow" when one of them is held.
pub(crate) struct Program {
    pub(crate) code: Vec<Instruction>,
    pub(crate) gates: BTreeMap<u64, Vec<usize>>,
}

/// An instruction, and the capabilities that make it "allow".
type Gated = (Instruction, u64);

/// Compiles; calls that no table holds end in `default`.
pub(crate) fn program(abis: &[Abi], default: Outcome) -> Program {
    let mut code = vec![plain(LOAD, 0, 0, ARCH)];
    for abi in abis {
        let mut body = vec![plain(LOAD, 0, 0, NUMBER)];
        body.extend(search(&ranges(&abi.calls, default)));
        code.push(plain(JUMP_IF_EQUAL, 1, 0, abi.arch));
        code.push(plain(JUMP, 0, 0, u32::try_from(body.len()).expect("a body has few instructions")));
        code.extend(body);
    }
    code.push(end(default));
    // BPF_MAXINSNS.
    assert!(code.len() <= 4096, "the filter has {} instructions", code.len());
    let mut gates: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, (_, unless)) in code.iter().enumerate().filter(|(_, (_, unless))| *unless != 0) {
        gates.entry(*unless).or_default().push(at);
    }
    Program { code: code.into_iter().map(|(instruction, _)| instruction).collect(), gates }
}

/// Joins neighbours of the same decision; each range goes from its number to the next one's.
fn ranges(calls: &BTreeMap<u32, Decision>, default: Outcome) -> Vec<(u32, Decision)> {
    let default = Decision::Always(default);
    let mut ranges: Vec<(u32, Decision)> = vec![(0, default.clone())];
    let mut push = |from: u32, decision: &Decision| match ranges.last_mut() {
        Some((_, last)) if last == decision => {}
        Some(last) if last.0 == from => last.1 = decision.clone(),
        _ => ranges.push((from, decision.clone())),
    };
    for (number, decision) in calls {
        push(*number, decision);
        if !calls.contains_key(&(number + 1)) {
            push(number + 1, &default);
        }
    }
    ranges
}

/// A binary search for the range that the number in the accumulator is in, and behind it one ending for each decision:
/// shared, because installing a filter takes time with its length (0.2 µs for each instruction).
fn search(ranges: &[(u32, Decision)]) -> Vec<Gated> {
    let tree_length = ranges.len() - 1;
    let mut endings: Vec<(&Decision, usize)> = Vec::new();
    let mut tail = Vec::new();
    for (_, decision) in ranges {
        if !endings.iter().any(|(known, _)| *known == decision) {
            endings.push((decision, tree_length + tail.len()));
            tail.extend(leaf(decision));
        }
    }
    let ending =
        |decision: &Decision| endings.iter().find(|(known, _)| *known == decision).map_or(0, |(_, position)| *position);
    let mut code = Vec::new();
    branch(ranges, &ending, &mut code);
    code.extend(tail);
    code
}

/// Lays out the branches for `ranges` at the end of `code`; returns where a number in one of them has to jump.
fn branch(ranges: &[(u32, Decision)], ending: &impl Fn(&Decision) -> usize, code: &mut Vec<Gated>) -> usize {
    if let [(_, decision)] = ranges {
        return ending(decision);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let here = code.len();
    code.push(plain(JUMP_IF_AT_LEAST, 0, 0, high[0].0));
    let targets = (branch(high, ending, code), branch(low, ending, code));
    let skip =
        |target: usize| u8::try_from(target - here - 1).expect("a filter of more than 255 ranges needs long jumps");
    (code[here].0.jt, code[here].0.jf) = (skip(targets.0), skip(targets.1));
    here
}

/// Ends one call: load, mask, all comparisons, the return of what none matched, the returns of the cases in order.
fn leaf(decision: &Decision) -> Vec<Gated> {
    let (index, mask, cases, otherwise) = match decision {
        Decision::Always(outcome) => return vec![end(*outcome)],
        Decision::ByArgument { index, mask, cases, otherwise } => (index, mask, cases, otherwise),
    };
    let mut code = vec![plain(LOAD, 0, 0, ARGUMENTS + 8 * u32::from(*index))];
    code.extend(mask.map(|mask| plain(AND, 0, 0, mask)));
    let mut left: usize = cases.iter().map(|case| case.values.len()).sum();
    for (position, case) in cases.iter().enumerate() {
        for value in &case.values {
            left -= 1;
            let skip = u8::try_from(left + 1 + position).expect("an argument has few cases");
            code.push(plain(JUMP_IF_EQUAL, skip, 0, *value));
        }
    }
    code.push(end(*otherwise));
    code.extend(cases.iter().map(|case| end(case.outcome)));
    code
}

fn end(outcome: Outcome) -> Gated {
    let value = outcome.errno.map_or(RET_ALLOW, |errno| RET_ERRNO | u32::from(errno));
    (Instruction { code: RETURN, jt: 0, jf: 0, k: value }, outcome.unless)
}

fn plain(code: u16, jt: u8, jf: u8, k: u32) -> Gated {
    (Instruction { code, jt, jf, k }, 0)
}
