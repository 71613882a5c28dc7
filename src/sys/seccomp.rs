//! Installing a seccomp filter, seccomp(2).
#![expect(unsafe_code, reason = "seccomp(2) has no safe wrapper")]

use std::io;

use libc::{SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_SET_MODE_FILTER, SYS_seccomp, sock_filter, sock_fprog};

/// Installs `filter` for this thread and everything that it starts; it cannot be removed again.
///
/// The caller must hold CAP_SYS_ADMIN in its user namespace or have `no_new_privs` set, else EACCES. A filter with more
/// instructions than fit in a u16 is EINVAL. SPEC_ALLOW leaves the CPU's speculation unchanged, as podman and runc do:
/// without it every program in a container would run slower on kernels before 5.16. Source: seccomp(2),
/// SECCOMP_SET_MODE_FILTER.
pub(crate) fn set_filter(filter: &[sock_filter]) -> io::Result<()> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    let length = u16::try_from(filter.len()).map_err(|_| invalid())?;
    let program = sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: `program` points to `length` initialised instructions, which the kernel copies before it returns and
    // never writes, in spite of the pointer's type.
    let result = unsafe {
        libc::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &raw const program)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
