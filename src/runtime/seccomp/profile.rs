//! Users' filters in the format of the runtime spec (`linux.seccomp`), compiled when a container is created, as a
//! check, and when it starts.
//!
//! The rules mean the same as in libseccomp: a rule without conditions takes precedence over all others of its call; a
//! call that no architecture has is ignored. One difference: 32-bit calls that the profile does not allow, and all of
//! x32, fail with ENOSYS instead of killing the process.

use std::collections::BTreeMap;

use libc::{ENOSYS, sock_filter};
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall};

use super::bpf::{self, Abi, Comparison, Condition, Decision, Outcome, Rule, TooLong, Unnamed};
use super::tables::{self, Kind};
use crate::types::{Report, ReportKind};

/// Why a filter cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An action that rc does not support.
    #[error("the seccomp profile is not supported: it uses {0}, which needs a process that answers")]
    Action(LinuxSeccompAction),
    /// An argument that no call has.
    #[error("the seccomp profile is invalid: a call has no argument {0}; they are counted from 0 to 5")]
    Argument(usize),
    /// A number that is not an errno.
    #[error("the seccomp profile is invalid: {0} is not an errno")]
    Errno(u32),
    /// The kernel would not accept the program.
    #[error("the seccomp profile is too long: {0}")]
    TooLong(#[from] TooLong),
    /// rc has no tables for this architecture.
    #[error("rc has no table of system calls for this architecture")]
    Architecture,
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Action(_) | Error::Architecture => ReportKind::Unsupported,
            Error::Argument(_) | Error::Errno(_) | Error::TooLong(_) => ReportKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

/// Compiles a filter for the calls of this host.
pub(crate) fn compile(profile: &LinuxSeccomp) -> Result<Vec<sock_filter>, Error> {
    let kinds = tables::kinds(std::env::consts::ARCH).ok_or(Error::Architecture)?;
    let default = outcome(profile.default_action(), profile.default_errno_ret())?;
    let rules = rules(profile)?;
    let is_allowed_for = |(position, kind): &(usize, &Kind)| {
        let listed = profile.architectures().as_deref().unwrap_or_default();
        // The host's own calls need not be listed.
        *position == 0 || listed.iter().any(|arch| arch.to_string() == kind.name)
    };
    let abis: Vec<Abi> = kinds
        .iter()
        .enumerate()
        .filter(is_allowed_for)
        .map(|(_, kind)| Abi { arch: kind.arch, calls: calls(kind, &rules, default) })
        .collect();
    let refused = Outcome::errno(u16::try_from(ENOSYS).unwrap_or(u16::MAX));
    let program = bpf::program(&abis, Unnamed { call: default, x32: refused, kind: refused })?;
    let convert = |i: bpf::Instruction| sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k };
    Ok(program.code.into_iter().map(convert).collect())
}

/// The rules by the names of their calls.
fn rules(profile: &LinuxSeccomp) -> Result<BTreeMap<&str, Vec<Rule>>, Error> {
    let mut rules: BTreeMap<&str, Vec<Rule>> = BTreeMap::new();
    for syscall in profile.syscalls().iter().flatten() {
        for rule in rules_of(syscall)? {
            for name in syscall.names() {
                rules.entry(name).or_default().push(rule.clone());
            }
        }
    }
    Ok(rules)
}

/// The rules of one entry: one rule in which all conditions hold. If several conditions are on one argument, any of
/// them may hold, as in runc: each is a rule then.
fn rules_of(syscall: &LinuxSyscall) -> Result<Vec<Rule>, Error> {
    let outcome = outcome(syscall.action(), syscall.errno_ret())?;
    let conditions = syscall.args().iter().flatten().map(condition).collect::<Result<Vec<_>, _>>()?;
    let is_named_twice = conditions
        .iter()
        .enumerate()
        .any(|(at, one)| conditions.iter().skip(at + 1).any(|other| other.index == one.index));
    if is_named_twice {
        return Ok(conditions.into_iter().map(|condition| Rule { conditions: vec![condition], outcome }).collect());
    }
    Ok(vec![Rule { conditions, outcome }])
}

fn condition(asked: &LinuxSeccompArg) -> Result<Condition, Error> {
    let index = u8::try_from(asked.index()).ok().filter(|index| *index < 6);
    let index = index.ok_or_else(|| Error::Argument(asked.index()))?;
    let (comparison, negated) = match asked.op() {
        LinuxSeccompOperator::ScmpCmpEq | LinuxSeccompOperator::ScmpCmpMaskedEq => (Comparison::Equal, false),
        LinuxSeccompOperator::ScmpCmpNe => (Comparison::Equal, true),
        LinuxSeccompOperator::ScmpCmpGt => (Comparison::Greater, false),
        LinuxSeccompOperator::ScmpCmpLe => (Comparison::Greater, true),
        LinuxSeccompOperator::ScmpCmpGe => (Comparison::AtLeast, false),
        LinuxSeccompOperator::ScmpCmpLt => (Comparison::AtLeast, true),
    };
    // In a masked comparison, `value` is the mask. Source: runtime-spec config-linux.md "Seccomp".
    let (mask, value) = match asked.op() {
        LinuxSeccompOperator::ScmpCmpMaskedEq => (asked.value(), asked.value_two().unwrap_or_default() & asked.value()),
        _ => (u64::MAX, asked.value()),
    };
    Ok(Condition { index, mask, comparison, negated, value })
}

fn outcome(action: LinuxSeccompAction, errno: Option<u32>) -> Result<Outcome, Error> {
    let takes_errno = matches!(action, LinuxSeccompAction::ScmpActErrno | LinuxSeccompAction::ScmpActTrace);
    match (action, errno.filter(|_| takes_errno)) {
        (LinuxSeccompAction::ScmpActNotify, _) => Err(Error::Action(action)),
        // The kernel's greatest errno (include/linux/err.h); a tracer's message has the same range.
        (_, Some(errno)) if errno > 4095 => Err(Error::Errno(errno)),
        (_, errno) => Ok(Outcome { answer: action.as_u32(errno), unless: 0 }),
    }
}

/// The decisions for the calls of one kind.
fn calls(kind: &Kind, rules: &BTreeMap<&str, Vec<Rule>>, otherwise: Outcome) -> BTreeMap<u32, Decision> {
    let through_another = through_socketcall(rules);
    let decide = |(name, number): (&&str, &u32)| {
        let rules = rules.get(name).or_else(|| Some(&through_another).filter(|_| *name == "socketcall"))?;
        let always = rules.iter().find(|rule| rule.conditions.is_empty());
        let decision = match always {
            Some(rule) => Decision::Always(rule.outcome),
            None => Decision::ByRules { rules: rules.clone(), otherwise },
        };
        Some((*number, decision))
    };
    kind.calls.iter().filter_map(decide).collect()
}

/// The calls that 32-bit x86 also makes through socketcall(2), by the number that is its first argument. Source:
/// linux/net.h.
const SOCKET_CALLS: [(&str, u64); 20] = [
    ("socket", 1),
    ("bind", 2),
    ("connect", 3),
    ("listen", 4),
    ("accept", 5),
    ("getsockname", 6),
    ("getpeername", 7),
    ("socketpair", 8),
    ("send", 9),
    ("recv", 10),
    ("sendto", 11),
    ("recvfrom", 12),
    ("shutdown", 13),
    ("setsockopt", 14),
    ("getsockopt", 15),
    ("sendmsg", 16),
    ("recvmsg", 17),
    ("accept4", 18),
    ("recvmmsg", 19),
    ("sendmmsg", 20),
];

/// The rules of socketcall(2) if a profile does not name it: those of the calls that it makes, unless they check
/// arguments, which are in memory here.
fn through_socketcall(rules: &BTreeMap<&str, Vec<Rule>>) -> Vec<Rule> {
    let through = |(name, number): &(&str, u64)| {
        let rule = rules.get(name)?.iter().find(|rule| rule.conditions.is_empty())?;
        let value = *number;
        let number =
            Condition { index: 0, mask: u64::from(u32::MAX), comparison: Comparison::Equal, negated: false, value };
        Some(Rule { conditions: vec![number], outcome: rule.outcome })
    };
    SOCKET_CALLS.iter().filter_map(through).collect()
}
