//! What rc does: one function for each use case, for the command line and every other front end.
//!
//! A use case takes a [`Context`] (the user's directories and settings) and a request as data, and returns a typed
//! result or a [`Report`](crate::types::Report). A use case that takes long, or acts on several objects, reports its
//! progress to an [`Observer`]. Nothing here parses a command line, prints, or reads the environment, the standard
//! descriptors, the working directory or the time zone of this process: a front end passes them as values ([`Caller`]).

mod archive;
mod auto_update;
mod build;
mod builders;
mod cache;
mod cdi;
mod changes;
mod check;
mod cidfile;
mod context;
mod control;
mod copy;
mod create;
mod defaults;
mod dependents;
mod disk;
mod dockerfile;
mod events;
mod explain;
mod facts;
mod fetch;
mod glob;
mod happened;
mod history;
mod image;
mod images;
mod info;
mod inspect;
mod join;
mod known;
mod login;
mod look;
mod manifests;
mod measure;
mod mounts;
mod names;
mod needed;
mod networks;
mod observer;
mod platforms;
mod pods;
mod ports;
mod preprocess;
mod prune;
mod pull;
mod push;
mod registry;
mod rename;
mod reset;
mod run;
mod search;
mod secrets;
mod select;
mod size;
mod sources;
mod start;
mod supervised;
mod sweep;
mod trust;
mod used;
mod volumes;
mod why;

pub(crate) use archive::{
    Import, Imported, SaveImages, check_images, import, load, load_location, save, save_to_directory,
};
pub(crate) use auto_update::{AutoUpdate, auto_update};
pub(crate) use build::{
    BuildEvent, BuildRequest, BuildSecret, Changes as BuildChanges, Debugger as BuildDebugger, Export as BuildExport,
    Failed as BuildFailed, Inherited, Made, Outcome, Squash as BuildSquash, StepTitle, Stream,
    explain as explain_build, make as build,
};
pub(crate) use builders::{builder, builders, create_builder, remove_builder, use_builder};
pub(crate) use cache::{Bounds as CacheBounds, Cache as PrunedCache, Cached, build_cache, cache_bytes};
pub(crate) use changes::{Change, ChangeKind, Commit, LeftOut, changes_of_any, commit, export, image_changes};
pub(crate) use check::{Check, check};
pub(crate) use context::{Caller, Context};
pub(crate) use control::{Stop, Update, check_health, clean_up, kill, pause, remove, stop, unpause, update, wait};
pub(crate) use copy::{Copy, Place, copy};
pub(crate) use create::create;
pub(crate) use disk::{ContainerUsage, DiskUsage, ImageUsage, VolumeUsage, disk_usage};
pub(crate) use dockerfile::{CheckBuild, CheckedBuild, DockerfileAt, ReadBuild, check_build, read_build};
pub(crate) use events::{EventRequest, events};
pub(crate) use explain::{Explanation, explain};
pub(crate) use history::{Layered, images_on, layered, tops};
pub(crate) use image::{directories_below, enter_namespace};
pub(crate) use images::{Images, ListedImage, RemoveImages, images, remove_images, select_images, tag, untag};
pub(crate) use info::{info, kernel};
pub(crate) use inspect::{InspectedImage, Kind, Object, container_exists, image_exists, inspect};
pub(crate) use join::{Attach, Exec, attach, exec};
pub(crate) use known::{container_names, image_names, network_names, pod_names, volume_names};
pub(crate) use login::{check_login, login, logout, logout_all, server, stored_login};
pub(crate) use look::{Log, log, namespaces, processes, usage, usage_of};
pub(crate) use manifests::{
    Add as AddToList, Annotation, AnnotationLevel, Combine, Described, Marks, add_to_list, annotate as annotate_list,
    combine as combine_images, create_list, described_list, find_list, push_list, remote_configurations,
    remote_document, remote_image, remove_from_list, remove_list,
};
pub(crate) use mounts::{MountKind, Mounted, mount_files, mountable, mounted_files, unmount_files};
pub(crate) use names::NamesSetup;
pub(crate) use networks::{
    ListedNetwork, RemoveNetworks, connect_network, create_network, disconnect_network, enter_network, network_exists,
    network_filters, network_ids, networks, reload_networks, remove_networks, unused_networks, update_network,
};
pub(crate) use observer::Observer;
pub(crate) use platforms::{name_list, push_as_list};
pub(crate) use pods::{
    ClonePod, PodSelection, clone_pod, create_pod, kill_pods, latest_pod, pause_pods, pod_exists, pod_members, pods,
    prune_pods, remove_pods, restart_pods, start_pods, stop_pods, unpause_pods,
};
pub(crate) use ports::{PublishedPorts, network_owner, ports, ports_of_others};
pub(crate) use prune::{Images as PrunedImages, Prune, Pruned, Volumes as PrunedVolumes, prune};
pub(crate) use pull::{Pull, pull};
pub(crate) use push::{Push, push, push_all_tags, push_manifest};
pub(crate) use registry::Connection;
pub(crate) use rename::rename;
pub(crate) use reset::{reset, store_to_reset};
pub(crate) use run::{Run, run};
pub(crate) use search::{Found, search, search_tags};
pub(crate) use secrets::{NewSecret, create_secret, remove_secrets, secret, secret_exists, secret_text, secrets};
pub(crate) use select::{ListRequest, Selection, containers, facts, find, id_in, named, select};
pub(crate) use size::sizes;
pub(crate) use start::{init, restart, start, start_attached};
pub(crate) use sweep::{sweep, sweep_soon};
pub(crate) use trust::{Trusted, set_trust, stores, trust};
pub(crate) use volumes::{
    ListedVolume, NewVolume, RemoveVolumes, create_volume, export_volume, import_volume, remove_volumes,
    unused_volumes, volume, volume_directory, volume_exists, volumes,
};
pub(crate) use why::{Why, why};
