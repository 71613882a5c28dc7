//! Compiles `stub/stub.rs` to a static file of a few hundred bytes, for `src/runtime/stub.rs` to include.

use std::path::Path;
use std::process::Command;

const SOURCE: &str = "stub/stub.rs";
const LINKER_SCRIPT: &str = "stub/stub.ld";
/// A larger file means that something has gone wrong; most likely the compiler has included its panic code.
const LIMIT: u64 = 2048;

/// Compiles to `OUT_DIR/stub`.
///
/// Runs `$RUSTC` itself, not cargo: cargo would apply the profile, the target's flags and a start file that is longer
/// than the stub.
pub(crate) fn build(out: &Path) {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed={LINKER_SCRIPT}");
    let output = out.join("stub");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args([SOURCE, "--edition=2024", "--crate-type=bin", "--crate-name=stub"])
        .args(["--target", &variable("TARGET")])
        .args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols", "-Crelocation-model=static", "-Ccodegen-units=1"])
        .args(["-Ctarget-feature=+crt-static", "-Cforce-unwind-tables=no"])
        .args(["-Clink-arg=-nostartfiles", "-Clink-arg=-nostdlib", "-Clink-arg=-static", "-Clink-arg=-no-pie"])
        .args(["-Clink-arg=-Wl,--build-id=none", &format!("-Clink-arg=-Wl,-T,{LINKER_SCRIPT}")])
        .arg("-o")
        .arg(&output);
    // Set if cargo was given a linker for the target, as for a foreign architecture.
    if let Ok(linker) = std::env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let status = rustc.status().unwrap_or_else(|error| panic!("cannot run {rustc:?}: {error}"));
    assert!(status.success(), "the stub does not compile: {rustc:?}");
    let size = std::fs::metadata(&output).unwrap_or_else(|error| panic!("no stub was made: {error}")).len();
    assert!(size <= LIMIT, "the stub has {size} bytes, more than {LIMIT}");
}

/// A variable that cargo sets for build scripts.
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}
