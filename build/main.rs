//! Build script: creates here, once, what rc contains, so that rc need not parse it at run time.
#![expect(
    clippy::disallowed_methods,
    reason = "a build script has no sys::fs; its errors stop the build and name the path"
)]
#![expect(clippy::print_stdout, reason = "cargo reads its instructions there")]

// rc also compiles users' filters with it: each uses its own part.
#[path = "../src/runtime/seccomp/bpf.rs"]
#[expect(dead_code, reason = "the rules of a user's filter are rc's to compile")]
mod bpf;
mod seccomp;
mod stub;
#[path = "../src/runtime/seccomp/tables.rs"]
#[expect(dead_code, reason = "what libseccomp calls a kind of calls is for profiles")]
mod tables;

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/runtime/seccomp");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    stub::build(&out);
    seccomp::build(&out);
}
