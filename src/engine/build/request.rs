//! What a front end asks of a build.

use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZero;
use std::path::PathBuf;

use crate::build::cache::{CachePlace, CacheTo};
use crate::build::dockerfile::file::Dockerfile;
use crate::build::dockerfile::scope::{self, Inputs};
use crate::build::ignore::Ignore;
use crate::build::named::NamedContext;
use crate::build::ssh::SshAgent;
use crate::container::{FrontEnd, Started};
use crate::image::push::Format;
use crate::plan::{PullPolicy, RegistryRequest, Request};
use crate::registry::Platform;
use crate::types::{ImageReference, Network, Report, ReportKind};

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
    /// Its number, from 0, if it is one of several builds, each for a platform: each writes its files to a directory of
    /// its own, and the later ones add to caches.
    pub(crate) number: Option<usize>,
    /// The labels of what its steps leave in the cache.
    pub(crate) layer_labels: BTreeMap<String, String>,
    /// What every RUN reads from, one after the other.
    pub(crate) stdin: Option<File>,
    /// The names of the image.
    pub(crate) names: Vec<ImageReference>,
    /// Caches that steps are taken from.
    pub(crate) cache_from: Vec<CachePlace>,
    /// Caches that steps are written to.
    pub(crate) cache_to: Vec<CacheTo>,
    /// Steps that were taken before this time do not come from the cache, in seconds since the epoch.
    pub(crate) oldest: Option<i64>,
    /// How the image differs from what the Dockerfile says.
    pub(crate) changes: Changes,
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
    /// The type of its manifest.
    pub(crate) format: Option<Format>,
    /// If a command fails, its files become an image.
    pub(crate) keeps_failed: bool,
    /// Whether layers are merged.
    pub(crate) squash: Option<Squash>,
    /// Where the files of the target are written.
    pub(crate) exports: Vec<Export>,
}

impl BuildRequest {
    /// Makes it a build for this platform, if it is not for that of the host.
    pub(crate) fn set_platform(&mut self, platform: Option<Platform>) {
        self.platform = platform.as_ref().map(ToString::to_string);
        if let Some(platform) = platform {
            let Platform { os, architecture, variant } = platform;
            self.inputs.platform = scope::Platform::new(os, architecture, variant);
        }
    }

    /// Fails if parts of it do not go together.
    pub(crate) fn check(&self) -> Result<(), Report> {
        let invalid = |text: &str| Err(Report::new(ReportKind::Invalid, text));
        if self.squash.is_some() && self.has_inline_cache() {
            return invalid("an image with one layer has none that a later build could take its steps from");
        }
        if self.format == Some(Format::Docker) && !self.annotations.is_empty() {
            return invalid("manifests of docker's type have no annotations");
        }
        Ok(())
    }

    /// Whether the image says which steps have made its layers. The argument is BuildKit's.
    pub(super) fn has_inline_cache(&self) -> bool {
        let argument = self.inputs.arguments.get("BUILDKIT_INLINE_CACHE");
        self.cache_to.contains(&CacheTo::Inline) || argument.is_some_and(|value| matches!(value.as_str(), "1" | "true"))
    }
}

/// How an image differs from what the Dockerfile says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    /// Variables that the image does not have.
    pub(crate) unset_variables: Vec<String>,
    /// Labels: names and values.
    pub(crate) labels: Vec<(String, String)>,
    /// Which labels of base images it has.
    pub(crate) inherited_labels: Inherited,
    /// Which annotations of base images its manifest has.
    pub(crate) inherited_annotations: Inherited,
    /// It does not say how it was made.
    pub(crate) has_no_history: bool,
}

/// What an image takes over of its base image: labels, or annotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inherited {
    /// All but these.
    AllBut(Vec<String>),
    /// None.
    None,
}

impl Default for Inherited {
    fn default() -> Self {
        Self::AllBut(Vec::new())
    }
}

impl Inherited {
    /// Leaves what is taken over.
    pub(super) fn keep(&self, pairs: &mut BTreeMap<String, String>) {
        match self {
            Self::None => pairs.clear(),
            Self::AllBut(names) => pairs.retain(|name, _| !names.contains(name)),
        }
    }
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
