//! `rc` runs OCI containers for one unprivileged user, with no daemon and no root.
//!
//! The rooms of the house, top to bottom; imports point down this list, never up and never to a sibling (the table in
//! ARCHITECTURE.md is checked by `tests/it/layers.rs`).

// The command line: global flags and the table of commands.
pub mod cli;
// One file per command: what was typed, and what is done with it.
pub mod cmd;
// The edge: every error becomes one sentence, hints and an exit code here.
pub mod error;
// Everything that is shown: tables, `--format`, progress, escaping. The only module that prints.
pub mod ui;

// What this machine gives and lacks, by the probes that a start uses.
pub mod doctor;

// Life cycle and state on disk: create, start, stop, remove, wait, exec, names, liveness.
pub mod container;
// Images: names, pull, load, save, import; joins `registry` and `storage`.
pub mod image;
// One process per container: pty, log, control socket, exit code, clean-up.
pub mod monitor;

// Where the user's folders are (XDG), once.
pub mod dirs;
// Pure: request + image configuration + settings + host facts → container configuration → runtime spec.
pub mod plan;
// `rc.toml` and the environment, each value with its origin.
pub mod settings;

// Network drivers, published ports, `hosts` and `resolv.conf`.
pub mod net;
// Registry transport and authentication: the only asynchronous code.
pub mod registry;
// What the kernel does with a runtime spec: namespaces, root file system, capabilities, seccomp, cgroups.
pub mod runtime;
// OCI image layout, blobs, unpacked layers, volumes, garbage.
pub mod storage;
// Scopes from the service manager, over D-Bus.
pub mod systemd;

// Subordinate ids, and making, finding and entering the user's namespace.
pub mod userns;

// System calls with types: the only unsafe code.
pub mod sys;

// Ids, digests, references, ports: parsed once at the edge, valid ever after.
pub mod types;
