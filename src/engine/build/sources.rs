//! What the stages of a build begin with and copy from beside each other: images, and contexts with names.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{File, FileType};
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;

use super::Scene;
use super::files::Side;
use super::keys::{self, KeyAgent};
use super::request::BuildRequest;
use crate::build::ignore::Ignore;
use crate::build::named::{ContextPlace, NamedContext};
use crate::build::ssh::SshAgent;
use crate::engine::archive::load_unnamed;
use crate::engine::dockerfile::{ignore_of, open_context};
use crate::engine::fetch::{self, FetchedContext, Fetcher};
use crate::engine::image;
use crate::engine::observer::Observer;
use crate::engine::pull::{self, Provided};
use crate::image::local::LocalImage;
use crate::plan::{PullPolicy, Request};
use crate::registry::{NamedBy, Platform};
use crate::sys::fs::{self, AtPath as _};
use crate::types::{Report, ReportKind};

/// What was looked up so far, by the names in the Dockerfile.
pub(super) struct Sources<'a> {
    scene: &'a Scene<'a>,
    request: &'a BuildRequest,
    /// Images, with the directories of their layers; by their platforms, too, if these are not the host's.
    images: BTreeMap<(String, Option<String>), (LocalImage, Vec<PathBuf>)>,
    /// Directories, with what is left out of them.
    directories: BTreeMap<String, (PathBuf, Option<Ignore>)>,
    /// Agents that were started, by their names.
    keys: RefCell<BTreeMap<String, KeyAgent>>,
}

impl<'a> Sources<'a> {
    /// Nothing yet.
    pub(super) fn new(scene: &'a Scene<'a>, request: &'a BuildRequest) -> Self {
        Self { scene, request, images: BTreeMap::new(), directories: BTreeMap::new(), keys: RefCell::default() }
    }

    /// An image that was found for a platform, which is that of the target if there is none.
    pub(super) fn image(&self, name: &str, platform: Option<&str>) -> Option<&LocalImage> {
        self.images.get(&self.at(name, platform)).map(|(image, _)| image)
    }

    fn at(&self, name: &str, platform: Option<&str>) -> (String, Option<String>) {
        (name.to_owned(), platform.map(str::to_owned).or_else(|| self.request.platform.clone()))
    }

    /// The files of what was found.
    pub(super) fn side(&self, name: &str) -> Result<Side, Report> {
        let of_image = self.images.get(&self.at(name, None)).map(|(_, lowers)| Side::Layers(lowers.clone()));
        let directory = || Some(Side::Directory(self.directories.get(name)?.0.clone()));
        let missing = || Report::new(ReportKind::Internal, format!("`{name}` was not looked up"));
        of_image.or_else(directory).ok_or_else(missing)
    }

    /// What an ignore file leaves out of what was found.
    pub(super) fn ignore(&self, name: &str) -> Option<&Ignore> {
        self.directories.get(name)?.1.as_ref()
    }

    fn named(&self, name: &str) -> Option<&'a NamedContext> {
        self.request.named.iter().find(|named| named.name == name)
    }

    /// Finds what has files under a name: a directory, or an image.
    pub(super) fn find(&mut self, name: &str, observer: &mut dyn Observer) -> Result<(), Report> {
        match self.named(name).map(|named| &named.place) {
            None | Some(ContextPlace::Image(_) | ContextPlace::Layout { .. } | ContextPlace::Target(_)) => {
                self.find_image(name, None, observer)
            }
            Some(place) => self.find_directory(name, place, observer),
        }
    }

    /// Finds an image, or pulls it.
    pub(super) fn find_image(
        &mut self,
        name: &str,
        platform: Option<&str>,
        observer: &mut dyn Observer,
    ) -> Result<(), Report> {
        let at = self.at(name, platform);
        if self.images.contains_key(&at) {
            return Ok(());
        }
        let platform = at.1.clone();
        let (image, pull) = match self.named(name).map(|named| &named.place) {
            None => (name.to_owned(), self.request.pull),
            Some(ContextPlace::Image(reference)) => (reference.to_string(), self.request.pull),
            Some(ContextPlace::Layout { directory, name }) => {
                let directory = self.scene.caller.working_dir.join(directory);
                let platform = platform.as_deref().map(str::parse::<Platform>).transpose()?;
                let id = load_unnamed(self.scene.context, &directory, name.as_deref(), platform)?;
                (id.to_string(), PullPolicy::Never)
            }
            Some(_) => {
                let message = format!("the context `{name}` is a directory, and FROM needs an image");
                return Err(Report::new(ReportKind::Invalid, message)
                    .with_hint(format!("copy from it: FROM scratch, COPY --from={name} . /")));
            }
        };
        let wanted = Request {
            image,
            pull: Some(pull),
            platform,
            tls_verify: self.request.tls_verify,
            registry: self.request.registry.clone(),
            ..Request::default()
        };
        let provided = pull::image_for(self.scene.context, self.scene.environment, &wanted, observer)?;
        // While `ingest.lock` is held, what an image loses is not removed.
        let Provided { image, lock } = provided;
        let lowers = image::layers(&self.scene.environment.store, &image, self.scene.environment)?;
        drop(lock);
        self.images.insert(at, (image, lowers));
        Ok(())
    }

    fn find_directory(&mut self, name: &str, place: &ContextPlace, observer: &mut dyn Observer) -> Result<(), Report> {
        if self.directories.contains_key(name) {
            return Ok(());
        }
        let fetcher = self.fetcher(NamedBy::User)?;
        let into = || {
            let into = self.scene.new_directory("context")?;
            fs::create_dir(&into)?;
            Ok(into)
        };
        let input = self.request.input.as_ref().map(File::try_clone).transpose().at("duplicate", "standard input")?;
        let mut warn = |text: String| observer.warning(&text);
        let found = fetch::context(&fetcher, place, &self.scene.caller.working_dir, &into, input, &mut warn)?;
        let directory = match found {
            FetchedContext::Directory(directory) | FetchedContext::Files(directory) => directory,
            FetchedContext::Dockerfile(_) => {
                let message = format!("the context `{name}` is neither a directory nor an archive");
                return Err(Report::new(ReportKind::Invalid, message));
            }
        };
        let root = open_context(&directory)?;
        let ignore = ignore_of(&root)?;
        self.directories.insert(name.to_owned(), (directory, ignore));
        Ok(())
    }

    /// What fetches for the build, from places that this one has named. Fails if the agent that was given is none.
    pub(super) fn fetcher(&self, by: NamedBy) -> Result<Fetcher<'a>, Report> {
        Ok(Fetcher {
            context: self.scene.context,
            store: &self.scene.environment.store,
            home: &self.scene.home,
            environment: &self.scene.caller.environment,
            secrets: &self.request.secrets,
            by,
            is_trusted: by == NamedBy::User || self.request.allowed.iter().any(|allowed| allowed == "network.host"),
            tls_verify: self.request.tls_verify,
            agent: self.default_agent(by)?,
        })
    }

    /// The agent for git: a Dockerfile gets the one that was given to it, or none.
    fn default_agent(&self, by: NamedBy) -> Result<Option<String>, Report> {
        let given = self.request.agents.iter().find(|agent| agent.id == "default");
        Ok(match given {
            Some(given) => self.agent(given)?.to_str().map(str::to_owned),
            None => self.scene.caller.variable("SSH_AUTH_SOCK").filter(|_| by == NamedBy::User),
        })
    }

    /// The socket of an agent, which is started if it is one with keys. Fails if there is none.
    pub(super) fn agent(&self, agent: &SshAgent) -> Result<PathBuf, Report> {
        if let Some(started) = self.keys.borrow().get(&agent.id) {
            return Ok(started.socket.clone());
        }
        let own = || self.scene.caller.variable("SSH_AUTH_SOCK").into_iter().collect();
        let typed: Vec<String> = if agent.places.is_empty() { own() } else { agent.places.clone() };
        let paths: Vec<PathBuf> = typed.iter().map(|typed| self.scene.caller.working_dir.join(typed)).collect();
        let found: Vec<FileType> =
            paths.iter().map(|path| Ok(fs::metadata(path)?.file_type())).collect::<Result<_, fs::PathError>>()?;
        match (&paths[..], &found[..]) {
            ([], _) => {
                let message = format!("there is no agent for `--ssh {}`: SSH_AUTH_SOCK is not set", agent.id);
                Err(Report::new(ReportKind::Invalid, message).with_hint("start one: eval $(ssh-agent)"))
            }
            ([path], [kind]) if kind.is_socket() => Ok(path.clone()),
            (keys, kinds) if kinds.iter().all(FileType::is_file) && !agent.places.is_empty() => {
                let started = keys::start(self.scene, keys)?;
                let socket = started.socket.clone();
                self.keys.borrow_mut().insert(agent.id.clone(), started);
                Ok(socket)
            }
            (paths, kinds) => {
                let odd = paths.iter().zip(kinds).find(|(_, kind)| !kind.is_file()).map(|(path, _)| path);
                let path = odd.or(paths.first()).map(|path| path.display().to_string()).unwrap_or_default();
                let message = format!("`{path}` is neither the socket of an agent nor a file with a key");
                Err(Report::new(ReportKind::Invalid, message))
            }
        }
    }
}
