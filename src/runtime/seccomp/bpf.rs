//! From numbers of system calls to a classic BPF program for seccomp(2): for the build script, which compiles rc's own
//! filter, and for rc, which compiles users' filters. It imports nothing from either.
//!
//! ```text
//! load arch ─ which kind of calls? ─ load number ─ binary search over ranges of numbers with one decision ─┬─ return
//!                                                                        load argument ─ mask ─ compare ─┴─ return
//! ```
//! A path that checks only arch and number and ends in "allow" costs nothing at run time: the kernel finds those calls
//! when the filter is installed and stores them in a bitmap (since Linux 5.11; kernel/seccomp.c,
//! `seccomp_is_const_allow`). The search decides the other calls in some eight comparisons.

use std::collections::BTreeMap;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_ABOVE: u16 = 0x25;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// The program's answer that lets a call through.
const RET_ALLOW: u32 = 0x7fff_0000;
/// The answer that fails a call, with the errno in its low half.
const RET_ERRNO: u32 = 0x0005_0000;

// Offsets in struct seccomp_data.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// Both architectures are little-endian: the low half of an argument comes first.
const ARGUMENTS: u32 = 16;

/// The longest program that the kernel accepts: BPF_MAXINSNS.
const LONGEST: usize = 4096;

/// One instruction, as the kernel's `struct sock_filter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// What it does.
    pub(crate) code: u16,
    /// How many instructions are skipped if a comparison holds.
    pub(crate) jt: u8,
    /// How many are skipped if it does not.
    pub(crate) jf: u8,
    /// Its operand.
    pub(crate) k: u32,
}

/// The result of a call: the program's answer, which is "allow" for a process with any capability of the set `unless`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The answer, in the format of seccomp(2).
    pub(crate) answer: u32,
    /// A set of capabilities: bit n is capability n.
    pub(crate) unless: u64,
}

impl Outcome {
    /// The call is made.
    pub(crate) const ALLOW: Self = Self { answer: RET_ALLOW, unless: 0 };

    /// The call fails with this errno.
    pub(crate) const fn errno(errno: u16) -> Self {
        // `From` cannot convert it in a constant.
        Self { answer: RET_ERRNO | errno as u32, unless: 0 }
    }
}

/// How a call is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The same whatever its arguments are.
    Always(Outcome),
    /// By the low 32 bits of an argument: for rc's own filter.
    ByArgument {
        /// Which argument, from 0.
        index: u8,
        /// The bits that count.
        mask: Option<u32>,
        /// Values with an outcome of their own.
        cases: Vec<Case>,
        /// All other values.
        otherwise: Outcome,
    },
    /// By the first rule whose conditions all hold: for a user's filter.
    ByRules {
        /// The rules in their order.
        rules: Vec<Rule>,
        /// The outcome if no rule holds.
        otherwise: Outcome,
    },
}

/// Values of an argument with one outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// The values.
    pub(crate) values: Vec<u32>,
    /// The outcome of the call.
    pub(crate) outcome: Outcome,
}

/// Conditions that must all hold, and the outcome then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The conditions.
    pub(crate) conditions: Vec<Condition>,
    /// The outcome of the call.
    pub(crate) outcome: Outcome,
}

/// An unsigned comparison of an argument, with all 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Which argument, 0 to 5.
    pub(crate) index: u8,
    /// The bits that count.
    pub(crate) mask: u64,
    /// How it is compared.
    pub(crate) comparison: Comparison,
    /// Whether the comparison must fail.
    pub(crate) negated: bool,
    /// What it is compared with.
    pub(crate) value: u64,
}

/// How an argument is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// They are equal.
    Equal,
    /// The argument is greater.
    Greater,
    /// The argument is greater or equal.
    AtLeast,
}

/// The calls of one kind (`AUDIT_ARCH_*`), by number.
#[derive(Debug)]
pub(crate) struct Abi {
    /// The kernel's number for the kind.
    pub(crate) arch: u32,
    /// The decision for each call that the filter names.
    pub(crate) calls: BTreeMap<u32, Decision>,
}

/// A program for a process without any capability that matters, and, for each set of capabilities that matters, the
/// instructions that become "allow" if the process has one of them.
#[derive(Debug)]
pub(crate) struct Program {
    /// The instructions.
    pub(crate) code: Vec<Instruction>,
    /// Positions in them, by the set of capabilities.
    pub(crate) gates: BTreeMap<u64, Vec<usize>>,
}

/// The rules need a longer program, or longer jumps, than the kernel accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the filter has more instructions than the kernel accepts")
    }
}

impl std::error::Error for TooLong {}

/// Instructions that become "allow" for a process with a capability of the set beside them.
type Gated = (Instruction, u64);

/// The outcome of the calls that a filter does not name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unnamed {
    /// Calls of a known kind.
    pub(crate) call: Outcome,
    /// Calls with a number from 0x4000_0000 on: those of x32, which have the kind of x86_64.
    pub(crate) x32: Outcome,
    /// Calls of any other kind.
    pub(crate) kind: Outcome,
}

/// Where the numbers of x32 start. Source: arch/x86/include/uapi/asm/unistd.h, `__X32_SYSCALL_BIT`.
const X32: u32 = 0x4000_0000;

/// Compiles a program for these calls.
pub(crate) fn program(abis: &[Abi], unnamed: Unnamed) -> Result<Program, TooLong> {
    let mut code = vec![plain(LOAD, 0, 0, ARCH)];
    for abi in abis {
        let mut body = vec![plain(LOAD, 0, 0, NUMBER)];
        body.extend(search(&ranges(&abi.calls, unnamed))?);
        code.push(plain(JUMP_IF_EQUAL, 1, 0, abi.arch));
        code.push(plain(JUMP, 0, 0, distance(body.len())?));
        code.extend(body);
    }
    code.push(end(unnamed.kind));
    if code.len() > LONGEST {
        return Err(TooLong);
    }
    let mut gates: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, (_, unless)) in code.iter().enumerate().filter(|(_, (_, unless))| *unless != 0) {
        gates.entry(*unless).or_default().push(at);
    }
    Ok(Program { code: code.into_iter().map(|(instruction, _)| instruction).collect(), gates })
}

/// Merges neighbours with the same decision; each range extends to the number of the next one.
fn ranges(calls: &BTreeMap<u32, Decision>, unnamed: Unnamed) -> Vec<(u32, Decision)> {
    let default = Decision::Always(unnamed.call);
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
    push(X32, &Decision::Always(unnamed.x32));
    ranges
}

/// A binary search for the range of the number in the accumulator, followed by one leaf for each decision: they are
/// shared, because the time to install a filter grows with its length (0.2 µs for each instruction).
fn search(ranges: &[(u32, Decision)]) -> Result<Vec<Gated>, TooLong> {
    // Long jumps need instructions of their own, so they are only for filters with many decisions.
    searched(ranges, Jumps::Short).or_else(|TooLong| searched(ranges, Jumps::Long))
}

/// How a branch reaches its two targets.
#[derive(Clone, Copy)]
enum Jumps {
    /// By itself: at most 255 instructions ahead.
    Short,
    /// By an unconditional jump for each.
    Long,
}

impl Jumps {
    /// The instructions of one branch.
    fn length(self) -> usize {
        match self {
            Self::Short => 1,
            Self::Long => 3,
        }
    }
}

fn searched(ranges: &[(u32, Decision)], jumps: Jumps) -> Result<Vec<Gated>, TooLong> {
    let tree_length = (ranges.len() - 1) * jumps.length();
    let mut endings: Vec<(&Decision, usize)> = Vec::new();
    let mut tail = Vec::new();
    for (_, decision) in ranges {
        if !endings.iter().any(|(known, _)| *known == decision) {
            endings.push((decision, tree_length + tail.len()));
            tail.extend(leaf(decision)?);
        }
    }
    let ending =
        |decision: &Decision| endings.iter().find(|(known, _)| *known == decision).map_or(0, |(_, position)| *position);
    let mut code = Vec::new();
    branch(ranges, jumps, &ending, &mut code)?;
    code.extend(tail);
    Ok(code)
}

/// Lays out the branches for `ranges` at the end of `code`; returns where to jump to with a number in one of them.
fn branch(
    ranges: &[(u32, Decision)],
    jumps: Jumps,
    ending: &impl Fn(&Decision) -> usize,
    code: &mut Vec<Gated>,
) -> Result<usize, TooLong> {
    if let [(_, decision)] = ranges {
        return Ok(ending(decision));
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let here = code.len();
    code.push(plain(JUMP_IF_AT_LEAST, 0, 0, high[0].0));
    if let Jumps::Long = jumps {
        code[here].0.jf = 1;
        code.extend([plain(JUMP, 0, 0, 0), plain(JUMP, 0, 0, 0)]);
    }
    let above = branch(high, jumps, ending, code)?;
    let below = branch(low, jumps, ending, code)?;
    match jumps {
        Jumps::Short => {
            code[here].0.jt = short(above - here - 1)?;
            code[here].0.jf = short(below - here - 1)?;
        }
        Jumps::Long => {
            code[here + 1].0.k = distance(above - here - 2)?;
            code[here + 2].0.k = distance(below - here - 3)?;
        }
    }
    Ok(here)
}

/// Decides one call: load, mask, all comparisons, the return if none matched, the returns of the cases in order.
fn leaf(decision: &Decision) -> Result<Vec<Gated>, TooLong> {
    let (index, mask, cases, otherwise) = match decision {
        Decision::Always(outcome) => return Ok(vec![end(*outcome)]),
        Decision::ByRules { rules, otherwise } => return by_rules(rules, *otherwise),
        Decision::ByArgument { index, mask, cases, otherwise } => (index, mask, cases, otherwise),
    };
    let mut code = vec![plain(LOAD, 0, 0, low_half(*index))];
    code.extend(mask.map(|mask| plain(AND, 0, 0, mask)));
    let mut left: usize = cases.iter().map(|case| case.values.len()).sum();
    for (position, case) in cases.iter().enumerate() {
        for value in &case.values {
            left -= 1;
            code.push(plain(JUMP_IF_EQUAL, short(left + 1 + position)?, 0, *value));
        }
    }
    code.push(end(*otherwise));
    code.extend(cases.iter().map(|case| end(case.outcome)));
    Ok(code)
}

/// One block for each rule, which ends the call or falls through to the next one.
fn by_rules(rules: &[Rule], otherwise: Outcome) -> Result<Vec<Gated>, TooLong> {
    let mut code = Vec::new();
    for rule in rules {
        let conditions: Vec<Vec<Draft>> = rule.conditions.iter().map(drafts).collect();
        // The block has its conditions and a return.
        let mut left = conditions.iter().map(Vec::len).sum::<usize>() + 1;
        for drafts in conditions {
            let length = drafts.len();
            for (at, draft) in drafts.into_iter().enumerate() {
                let skip = |to: To| match to {
                    To::Next => Ok(0),
                    To::Holds => short(length - at - 1),
                    To::Fails => short(left - at - 1),
                };
                code.push(plain(draft.code, skip(draft.jt)?, skip(draft.jf)?, draft.k));
            }
            left -= length;
        }
        code.push(end(rule.outcome));
    }
    code.push(end(otherwise));
    Ok(code)
}

/// An instruction of a condition, before its jump targets are numbers.
struct Draft {
    code: u16,
    k: u32,
    jt: To,
    jf: To,
}

/// Where an instruction of a condition jumps to.
#[derive(Clone, Copy)]
enum To {
    Next,
    /// After the condition.
    Holds,
    /// After the rule.
    Fails,
}

/// A condition: the high half decides unless it is equal, then the low half does.
fn drafts(condition: &Condition) -> Vec<Draft> {
    let (holds, fails) = if condition.negated { (To::Fails, To::Holds) } else { (To::Holds, To::Fails) };
    let (value, mask) = (halves(condition.value), halves(condition.mask));
    let step = |code, k| Draft { code, k, jt: To::Next, jf: To::Next };
    let load = |offset: u32, mask: u32| {
        let masked = (mask != u32::MAX).then(|| step(AND, mask));
        std::iter::once(step(LOAD, offset)).chain(masked)
    };
    let low = low_half(condition.index);
    let mut drafts: Vec<Draft> = load(low + 4, mask.1).collect();
    if condition.comparison != Comparison::Equal {
        drafts.push(Draft { code: JUMP_IF_ABOVE, k: value.1, jt: holds, jf: To::Next });
    }
    drafts.push(Draft { code: JUMP_IF_EQUAL, k: value.1, jt: To::Next, jf: fails });
    drafts.extend(load(low, mask.0));
    let code = match condition.comparison {
        Comparison::Equal => JUMP_IF_EQUAL,
        Comparison::Greater => JUMP_IF_ABOVE,
        Comparison::AtLeast => JUMP_IF_AT_LEAST,
    };
    drafts.push(Draft { code, k: value.0, jt: holds, jf: fails });
    drafts
}

/// The low and the high half.
fn halves(value: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

/// The offset of the low half of an argument.
fn low_half(index: u8) -> u32 {
    ARGUMENTS + 8 * u32::from(index)
}

fn short(skip: usize) -> Result<u8, TooLong> {
    u8::try_from(skip).map_err(|_| TooLong)
}

fn distance(skip: usize) -> Result<u32, TooLong> {
    u32::try_from(skip).map_err(|_| TooLong)
}

fn end(outcome: Outcome) -> Gated {
    (Instruction { code: RETURN, jt: 0, jf: 0, k: outcome.answer }, outcome.unless)
}

fn plain(code: u16, jt: u8, jf: u8, k: u32) -> Gated {
    (Instruction { code, jt, jf, k }, 0)
}
