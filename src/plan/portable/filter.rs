//! rc's own system call filter as a spec says it. Two things it cannot say: that only the low half of an argument
//! counts, and that a call is refused for more than one value; of the two that `ioctl` refuses, TIOCSTI is the
//! dangerous one.

use std::collections::BTreeMap;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompBuilder,
    LinuxSeccompOperator, LinuxSyscall, LinuxSyscallBuilder,
};
use serde::Deserialize;

use crate::types::json;

/// The rules from which rc's compiled filter is made, too; the file explains its format.
const RULES: &str = include_str!("../../../config/seccomp.json");

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    action: String,
    #[serde(default)]
    capabilities: Vec<String>,
    calls: Vec<String>,
    argument: Option<Argument>,
}

#[derive(Deserialize)]
struct Argument {
    index: usize,
    #[serde(default)]
    mask: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    values: BTreeMap<String, String>,
    action: String,
    #[serde(default)]
    capabilities: Vec<String>,
}

/// ENOSYS, and EPERM.
const ERRNOS: [(&str, u32); 2] = [("ENOSYS", 38), ("EPERM", 1)];

/// The filter for a program with these capabilities; `None` only if the file were damaged.
pub(super) fn filter(capabilities: &[String]) -> Option<LinuxSeccomp> {
    let rules: Rules = json::from_str(RULES).ok()?;
    let has_one = |wanted: &[String]| wanted.iter().any(|wanted| capabilities.contains(wanted));
    let mut calls = Vec::new();
    for group in &rules.groups {
        let is_free = has_one(&group.capabilities);
        match &group.argument {
            Some(argument) if !is_free => calls.extend(by_argument(group, argument, &has_one)),
            _ => calls.push(rule(group, if is_free { "allow" } else { &group.action }, None)?),
        }
    }
    let arches = match std::env::consts::ARCH {
        "x86_64" => vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86],
        "aarch64" => vec![Arch::ScmpArchAarch64, Arch::ScmpArchArm],
        _ => vec![Arch::ScmpArchNative],
    };
    let filter = LinuxSeccompBuilder::default().default_action(LinuxSeccompAction::ScmpActErrno);
    filter.default_errno_ret(38_u32).architectures(arches).syscalls(calls).build().ok()
}

fn rule(group: &Group, action: &str, argument: Option<LinuxSeccompArg>) -> Option<LinuxSyscall> {
    let errno = ERRNOS.iter().find(|(name, _)| *name == action).map(|(_, number)| *number);
    let kind = if errno.is_some() { LinuxSeccompAction::ScmpActErrno } else { LinuxSeccompAction::ScmpActAllow };
    let mut rule = LinuxSyscallBuilder::default().names(group.calls.clone()).action(kind).build().ok()?;
    rule.set_errno_ret(errno).set_args(argument.map(|argument| vec![argument]));
    Some(rule)
}

/// A rule for each value that is allowed, or one for all but the first that is refused.
fn by_argument(group: &Group, argument: &Argument, has_one: &dyn Fn(&[String]) -> bool) -> Vec<LinuxSyscall> {
    let mask = argument.mask.values().filter_map(|text| number(text)).fold(0, |all, bit| all | bit);
    let compare = |operator, value, second: Option<u64>| {
        let built = LinuxSeccompArgBuilder::default().index(argument.index).op(operator).value(value);
        match second {
            Some(second) => built.value_two(second).build().ok(),
            None => built.build().ok(),
        }
    };
    let values = |case: &Case| case.values.values().filter_map(|text| number(text)).collect::<Vec<_>>();
    if group.action == "allow" {
        let refused = argument.cases.first().and_then(|case| values(case).into_iter().min());
        let but = refused.and_then(|value| compare(LinuxSeccompOperator::ScmpCmpNe, value, None));
        return rule(group, "allow", but).into_iter().collect();
    }
    let allowed = argument.cases.iter().filter(|case| case.action == "allow" || has_one(&case.capabilities));
    let rules = allowed.flat_map(values).filter_map(|value| {
        let argument = match mask {
            0 => compare(LinuxSeccompOperator::ScmpCmpEq, value, None),
            mask => compare(LinuxSeccompOperator::ScmpCmpMaskedEq, mask, Some(value)),
        };
        rule(group, "allow", Some(argument?))
    });
    rules.collect()
}

fn number(text: &str) -> Option<u64> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |digits| u64::from_str_radix(digits, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules_of(call: &str, capabilities: &[&str]) -> Vec<LinuxSyscall> {
        let capabilities: Vec<String> = capabilities.iter().map(ToString::to_string).collect();
        let filter = filter(&capabilities).expect("the file is sound");
        let is_of = |rule: &LinuxSyscall| rule.names().iter().any(|name| name == call);
        filter.syscalls().iter().flatten().filter(|rule| is_of(rule)).cloned().collect()
    }

    #[test]
    fn rules_are_those_of_the_compiled_filter() {
        let allows = |rule: &LinuxSyscall| rule.action() == LinuxSeccompAction::ScmpActAllow;
        assert!(rules_of("read", &[]).iter().all(|rule| allows(rule) && rule.args().is_none()));
        assert_eq!(rules_of("bpf", &[]).first().and_then(LinuxSyscall::errno_ret), Some(1));
        assert!(rules_of("bpf", &["CAP_BPF"]).iter().all(allows));
        assert_eq!((rules_of("socket", &[]).len(), rules_of("socket", &["CAP_NET_RAW"]).len()), (4, 5));
        assert_eq!((rules_of("ioctl", &[]).len(), rules_of("clone", &[]).len()), (1, 1));
        assert!(rules_of("clone", &["CAP_SYS_ADMIN"]).iter().all(|rule| rule.args().is_none()));
    }
}
