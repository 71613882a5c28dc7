//! Build script: what rc carries inside is made here, once, so that nothing of it has to be parsed at run time.
#![expect(
    clippy::disallowed_methods,
    reason = "a build script has no sys::fs; its errors stop the build and name the path"
)]
#![expect(clippy::print_stdout, reason = "cargo reads its instructions there")]

mod bpf;
mod seccomp;
mod stub;

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    stub::build(&out);
    seccomp::build(&out);
}
