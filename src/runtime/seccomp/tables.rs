//! Names and numbers of system calls, for the build script and for rc. It imports nothing from either.

use std::collections::BTreeMap;

/// Calls of 32-bit ARM that are in no table, because the kernel handles them separately. Source:
/// arch/arm/include/uapi/asm/unistd.h.
const ARM_PRIVATE: [(&str, u32); 3] = [("breakpoint", 0x0f_0001), ("cacheflush", 0x0f_0002), ("set_tls", 0x0f_0005)];

/// The architectures that [`kinds`] knows.
pub(crate) const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

/// Names and numbers of one kind of calls.
pub(crate) type Table = BTreeMap<&'static str, u32>;

/// A kind of calls.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name in libseccomp.
    pub(crate) name: &'static str,
    /// The kernel's number for it (linux/audit.h).
    pub(crate) arch: u32,
    /// The calls.
    pub(crate) calls: Table,
}

/// The numbers and names of a table of the crate syscalls; its own iterator omits the last one (0.8.1), and `break` is
/// called `r#break`.
macro_rules! table {
    ($architecture:ident) => {
        (0..syscalls::$architecture::Sysno::table_size())
            .filter_map(syscalls::$architecture::Sysno::new)
            .map(|call| (call.name().trim_start_matches("r#"), call as u32))
    };
}

/// The two kinds of calls that a program can make on `architecture`; `None` on one that rc does not know.
pub(crate) fn kinds(architecture: &str) -> Option<[Kind; 2]> {
    match architecture {
        // x32 calls have the kernel's number of x86_64, and call numbers that are in no table.
        "x86_64" => Some([
            Kind { name: "SCMP_ARCH_X86_64", arch: 0xc000_003e, calls: table!(x86_64).collect() },
            Kind { name: "SCMP_ARCH_X86", arch: 0x4000_0003, calls: table!(x86).collect() },
        ]),
        "aarch64" => Some([
            Kind { name: "SCMP_ARCH_AARCH64", arch: 0xc000_00b7, calls: table!(aarch64).collect() },
            Kind { name: "SCMP_ARCH_ARM", arch: 0x4000_0028, calls: table!(arm).chain(ARM_PRIVATE).collect() },
        ]),
        _ => None,
    }
}
