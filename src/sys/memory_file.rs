//! Files in memory, for programs that take a path or a descriptor.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use rustix::fs::{MemfdFlags, memfd_create};

/// An empty file in memory that the programs started from now on inherit, under the same number: they find it at
/// [`path_of`] too. It disappears with its last descriptor.
pub(crate) fn inherited(name: &str) -> io::Result<File> {
    // Without the flag, Linux 6.3 and later refuse the file if `vm.memfd_noexec` is 2; earlier ones do not know it.
    match memfd_create(name, MemfdFlags::NOEXEC_SEAL) {
        Err(rustix::io::Errno::INVAL) => Ok(memfd_create(name, MemfdFlags::empty())?.into()),
        other => Ok(other?.into()),
    }
}

/// The same with these bytes, from whose beginning it is read.
pub(crate) fn of(name: &str, bytes: &[u8]) -> io::Result<File> {
    let mut file = inherited(name)?;
    file.write_all(bytes)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// The path of an inherited descriptor, for the program that inherits it.
pub(crate) fn path_of(file: &File) -> String {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
