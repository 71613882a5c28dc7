//! What a front end asks of a build.

use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZero;
use std::path::PathBuf;

use crate::build::cache::{CachePlace, CacheTo};
use crate::build::dockerfile::file::Dockerfile;
use crate::build::dockerfile::scope::Inputs;
use crate::build::ignore::Ignore;
use crate::build::named::NamedContext;
use crate::build::ssh::SshAgent;
use crate::container::{FrontEnd, Started};
use crate::plan::{PullPolicy, RegistryRequest, Request};
use crate::types::{ImageReference, Network, Report};

/// An image that is to be built.
#[derive(Debug)]
pub(crate) struct BuildRequest {
    /// The Dockerfile.
    pub(crate) file: Dockerfile,
    /// Arguments, platform and target.
    pub(crate) inputs: Inputs,
    /// The directory that COPY and ADD take files from, if there is one.
    pub(crate) context: Option<PathBuf>,
    /// It was fetched or unpacked for this build.
    pub(crate) is_fetched: bool,
    /// Contexts with names.
    pub(crate) named: Vec<NamedContext>,
    /// Standard input, if a named context is there.
    pub(crate) input: Option<File>,
    /// What they do not see of it.
    pub(crate) ignore: Option<Ignore>,
    /// The place of the Dockerfile and its context: a step is compared with what was built last from the same place.
    pub(crate) place: String,
    /// What is shown moves: [`super::BuildEvent::Tick`] is told ten times a second.
    pub(crate) is_watched: bool,
    /// The names of the image.
    pub(crate) names: Vec<ImageReference>,
    /// Caches that steps are taken from.
    pub(crate) cache_from: Vec<CachePlace>,
    /// Caches that steps are written to.
    pub(crate) cache_to: Vec<CacheTo>,
    /// Labels for the image: names and values.
    pub(crate) labels: Vec<(String, String)>,
    /// Nothing comes from the cache.
    pub(crate) no_cache: bool,
    /// When base images are pulled.
    pub(crate) pull: PullPolicy,
    /// Whether to verify the certificates of registries.
    pub(crate) tls_verify: Option<bool>,
    /// How to connect to them.
    pub(crate) registry: RegistryRequest,
    /// The platform of base images, if it was asked for.
    pub(crate) platform: Option<String>,
    /// The stages, by name or number, for which nothing comes from the cache.
    pub(crate) no_cache_stages: Vec<String>,
    /// Further lines of `/etc/hosts` in every step: `NAME:ADDRESS`.
    pub(crate) add_hosts: Vec<String>,
    /// The time of everything that is built, in seconds since the epoch, if not its own.
    pub(crate) epoch: Option<i64>,
    /// Files that are newer get that time, too.
    pub(crate) rewrites_times: bool,
    /// How many stages grow at the same time, at most.
    pub(crate) jobs: Option<NonZero<usize>>,
    /// The network of RUN, if not the usual one.
    pub(crate) network: Option<Network>,
    /// What a Dockerfile may ask for although it takes confinement away: `network.host`, `security.insecure`.
    pub(crate) allowed: Vec<String>,
    /// The secrets that steps may ask for.
    pub(crate) secrets: Vec<BuildSecret>,
    /// The agents that steps may ask for.
    pub(crate) agents: Vec<SshAgent>,
    /// What every step is asked for beside its command: mounts, limits, name servers, capabilities.
    pub(crate) asked: Request,
    /// An image is stored.
    pub(crate) is_stored: bool,
    /// Annotations of its manifest.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Whether layers are merged.
    pub(crate) squash: Option<Squash>,
    /// Where the files of the target are written.
    pub(crate) exports: Vec<Export>,
}

/// Which layers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Squash {
    /// Those of this build.
    New,
    /// All.
    All,
}

/// Where files are written.
#[derive(Debug)]
pub(crate) enum Export {
    /// To a directory, which is made if it is missing.
    Directory(PathBuf),
    /// To an archive.
    File(PathBuf),
    /// To an archive that is written as it comes.
    Stream(File),
}

/// A secret of a build. Neither its value nor a digest of it is in a record, a key, a log or an error.
pub(crate) struct BuildSecret {
    /// Its name.
    pub(crate) id: String,
    /// Its value.
    pub(crate) value: Vec<u8>,
}

impl std::fmt::Debug for BuildSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuildSecret").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What follows a shell in a step that has failed.
pub(crate) struct Debugger<'a> {
    /// The terminal.
    pub(crate) front_end: FrontEnd<'a>,
    /// Connects it to the shell until that ends.
    pub(crate) follow: &'a dyn Fn(Started) -> Result<(), Report>,
}
