//! Steps for another architecture than the host's: the kernel runs their programs only by an emulator that it knows
//! (binfmt_misc). Without one the build ends before anything runs.
//!
//! Source: the kernel's binfmt-misc.rst; elf(5), `e_machine`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::build::dockerfile::evaluate::Plan;
use crate::build::dockerfile::source::Span;
use crate::build::dockerfile::stages::Base;
use crate::build::dockerfile::steps::Action;
use crate::registry::Platform;
use crate::sys::fs;
use crate::types::{Report, ReportKind};

/// Where the kernel names the emulators that it knows.
const EMULATORS: &str = "/proc/sys/fs/binfmt_misc";

/// The most bytes of what it says of one.
const LIMIT: u64 = 4 << 10;

/// Architectures, and the machines of their programs, little-endian unless said otherwise.
const MACHINES: [(&str, u16); 9] = [
    ("386", 3),
    ("amd64", 62),
    ("arm", 40),
    ("arm64", 183),
    ("loong64", 258),
    ("mips64le", 8),
    ("ppc64le", 21),
    ("riscv64", 243),
    // Big-endian.
    ("s390x", 22),
];

/// Fails, with the place of the instruction, if a stage that the target needs runs programs that this host cannot.
/// `of_image` is the architecture of an image for a platform, `of_target` that of the result.
pub(super) fn check(
    plan: &Plan,
    of_image: &dyn Fn(&str, Option<&str>) -> Option<String>,
    of_target: &str,
) -> Result<(), (Span, Report)> {
    let mut architectures: BTreeMap<usize, String> = BTreeMap::new();
    let host = Platform::host().architecture;
    for index in &plan.graph.order {
        let node = &plan.graph.nodes[*index];
        let architecture = match &node.base {
            Base::Scratch => of_target.to_owned(),
            Base::Stage(other) => architectures.get(other).cloned().unwrap_or_default(),
            Base::Image { name, .. } => of_image(name, node.platform.as_deref()).unwrap_or_default(),
        };
        let steps = plan.stages.get(index).map(|folded| folded.steps.as_slice()).unwrap_or_default();
        let run = steps.iter().find(|step| matches!(step.action, Action::Run(_)));
        if let Some(step) = run.filter(|_| !runs(&host, &architecture)) {
            let message =
                format!("a step runs programs for {architecture}, and this host, {host}, has no emulator for them");
            let hint = "install one that the kernel knows: the package qemu-user-binfmt, or qemu-user-static";
            let report = Report::new(ReportKind::Unavailable, message).with_hint(hint);
            return Err((step.span, report));
        }
        architectures.insert(*index, architecture);
    }
    Ok(())
}

/// Whether the host runs programs for an architecture; of one that is not known here, the step will tell.
fn runs(host: &str, architecture: &str) -> bool {
    let is_own = architecture.is_empty() || host == architecture;
    // Most CPUs run 32-bit programs, too.
    if is_own || matches!((host, architecture), ("amd64", "386") | ("arm64", "arm")) {
        return true;
    }
    let Some((_, machine)) = MACHINES.iter().find(|(name, _)| *name == architecture) else { return true };
    let listed = fs::paths_in(EMULATORS).unwrap_or_default();
    let read = |path: &Path| String::from_utf8(fs::read_limited(path, LIMIT).ok()?).ok();
    listed.iter().filter_map(|path| read(path)).any(|said| emulates(&said, *machine))
}

/// Whether what the kernel says of an emulator is that it is one for a machine.
fn emulates(said: &str, machine: u16) -> bool {
    let is_enabled = said.lines().next() == Some("enabled");
    let magic = said.lines().find_map(|line| line.strip_prefix("magic ")).unwrap_or_default();
    // Two digits a byte: `e_machine` are the bytes 18 and 19, in the order that byte 5 names.
    let byte = |at: usize| magic.get(2 * at..2 * at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let found = match (byte(5), byte(18), byte(19)) {
        (Some(2), Some(high), Some(low)) => Some(u16::from_be_bytes([high, low])),
        (_, Some(low), Some(high)) => Some(u16::from_le_bytes([low, high])),
        _ => None,
    };
    is_enabled && magic.starts_with("7f454c46") && found == Some(machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_is_known_by_its_machine_not_by_its_name() {
        let said =
            |state: &str, magic: &str| format!("{state}\ninterpreter /x\nflags: F\noffset 0\nmagic {magic}\nmask ff\n");
        let arm64 = said("enabled", "7f454c460201010000000000000000000200b700");
        let s390x = said("enabled", "7f454c4602020100000000000000000000020016");
        assert!(emulates(&arm64, 183) && emulates(&s390x, 22));
        assert!(!emulates(&arm64, 22) && !emulates(&s390x, 183));
        assert!(!emulates(&said("disabled", "7f454c460201010000000000000000000200b700"), 183));
        assert!(!emulates("enabled\ninterpreter /usr/bin/python3\nextension .pyc\n", 183));
        assert!(!emulates("", 183));
        assert!(runs("amd64", "amd64") && runs("amd64", "386") && runs("amd64", "") && runs("amd64", "sparc64"));
    }
}
