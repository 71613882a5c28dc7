//! `rc` runs OCI containers for one unprivileged user, with no daemon and no root.
//!
//! The modules, top to bottom; imports point down this list, never up and never to a sibling (`tests/it/layers.rs`
//! checks the table in ARCHITECTURE.md).

// The command line: global flags and the table of commands.
mod cli;
// One file per command: it converts its arguments to a request, calls the engine, and prints the result.
mod cmd;
// The edge: here every error becomes a message, hints and an exit code.
mod error;
// The terminal of this process, joined to a program: standard descriptors, raw mode, signals.
mod console;
// Output: tables, `--format`, progress, escaping. The only module that prints.
mod ui;
// What is shown, as data for every front end: rows, objects of `inspect`, filters, words for sizes and ages.
mod view;

// The use cases of rc: one function for each, for every front end.
mod engine;

// Checks whether this host can run containers, with the probes that a start uses.
mod doctor;

// Building images: the language of Dockerfiles, ignore files, what COPY takes and writes, keys of the cache.
mod build;

// Pods: a container that runs no program, and the containers that have its namespaces.
mod pod;
// Life cycle and state on disk: create, start, stop, remove, wait, exec, names, liveness.
mod container;
// Images: names, pull, load, save, import; joins `registry` and `storage`.
mod image;
// One process per container: pty, log, control socket, exit code, clean-up.
mod monitor;

// The user's directories (XDG), determined once.
mod dirs;
// Pure: request + image configuration + settings + host facts → container configuration → runtime spec.
mod plan;
// `rc.toml` and the environment, each value with its origin.
mod settings;

// Network drivers, published ports, `hosts` and `resolv.conf`.
mod net;
// Registry transport and authentication: the only asynchronous code.
mod registry;
// What the kernel does with a runtime spec: namespaces, root filesystem, capabilities, seccomp, cgroups.
mod runtime;
// OCI image layout, blobs, unpacked layers, volumes, garbage.
mod storage;
// Scopes from the service manager, over D-Bus.
mod systemd;

// Subordinate IDs, and the root namespace: creating, finding and entering it.
mod userns;

// System calls with types: the only unsafe code.
mod sys;

// IDs, digests, references, ports: parsed once at the edge, valid ever after.
mod types;

pub use cli::{definition, main};
// For tests that handle a cgroup without a container.
#[doc(hidden)]
pub use runtime::cgroup;

/// Takes a packet as the name server of a network does; panics if it answers nonsense.
#[cfg(fuzzing)]
pub fn take_dns_packet(bytes: &[u8]) {
    net::take_dns_packet(bytes, bytes.len());
}
