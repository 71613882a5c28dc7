//! The integration tests: one binary, one file per command or feature.
#![expect(clippy::disallowed_methods, reason = "tests must not lean on the code under test")]
#![allow(clippy::print_stderr, clippy::allow_attributes, reason = "libtest keeps what a test prints for its report")]

#[macro_use]
mod support;

mod apps;
mod archives;
mod cgroup_options;
mod cgroups;
mod changes;
mod clients;
mod confinement;
mod copy;
mod cures;
mod damage;
mod descriptors;
mod dialects;
mod doctor;
mod documents;
mod exit_codes;
mod exit_status;
mod failpoints;
mod harness;
mod held;
mod helpers;
mod host_paths;
mod hostile_config;
mod images;
mod images_real;
mod install;
mod kill_storm;
mod layers;
mod lifecycle;
mod listings;
mod login;
mod logs;
mod lookups;
mod man;
mod messages;
mod mount_points;
mod named_files;
mod names;
mod network;
mod one_id;
mod pause;
mod processes;
mod pull;
mod push;
mod quiet;
mod races;
mod records;
mod request;
mod restart;
mod root_directory;
mod run_options;
mod seccomp;
mod service;
mod side_by_side;
mod starting;
mod streams;
mod system;
mod templates;
mod terminals;
mod update;
mod upkeep;
mod volumes;
