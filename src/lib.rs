//! `rc` runs OCI containers for one unprivileged user, with no daemon and no root.
//!
//! The rooms of the house, top to bottom; imports point down this list, never up and never to a sibling (the table in
//! ARCHITECTURE.md is checked by `tests/it/layers.rs`).

// The command line: global flags and the table of commands.
mod cli;
// One file per command: its arguments become a request, the engine acts on it, and the result is shown.
mod cmd;
// The edge: every error becomes one sentence, hints and an exit code here.
mod error;
// This process, as it is joined to programs: standard descriptors, raw terminal, signals.
mod console;
// How things are shown: tables, `--format`, progress, escaping. The only module that prints.
mod ui;
// What is shown, as data for every front end: rows, objects of `inspect`, filters, words for sizes and ages.
mod view;

// What rc does: one function for each use case, for every front end.
mod engine;

// What this machine gives and lacks, by the probes that a start uses.
mod doctor;

// Life cycle and state on disk: create, start, stop, remove, wait, exec, names, liveness.
mod container;
// Images: names, pull, load, save, import; joins `registry` and `storage`.
mod image;
// One process per container: pty, log, control socket, exit code, clean-up.
mod monitor;

// Where the user's directories are (XDG), once.
mod dirs;
// Pure: request + image configuration + settings + host facts → container configuration → runtime spec.
mod plan;
// `rc.toml` and the environment, each value with its origin.
mod settings;

// Network drivers, published ports, `hosts` and `resolv.conf`.
mod net;
// Registry transport and authentication: the only asynchronous code.
mod registry;
// What the kernel does with a runtime spec: namespaces, root file system, capabilities, seccomp, cgroups.
mod runtime;
// OCI image layout, blobs, unpacked layers, volumes, garbage.
mod storage;
// Scopes from the service manager, over D-Bus.
mod systemd;

// Subordinate ids, and making, finding and entering the user's namespace.
mod userns;

// System calls with types: the only unsafe code.
mod sys;

// Ids, digests, references, ports: parsed once at the edge, valid ever after.
mod types;

pub use cli::{definition, main};
// For those of our tests that look after a cgroup without a container.
#[doc(hidden)]
pub use runtime::cgroup;
