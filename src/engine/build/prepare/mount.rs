//! What `RUN --mount` asks for.

use crate::build::dockerfile::mount::{MountKind, Owner};
use crate::build::dockerfile::stages::Origin;
use crate::build::dockerfile::steps;
use crate::build::ignore::Ignore;
use crate::engine::build::files::{Copy, Part, Side, list};
use crate::engine::build::make::Maker;
use crate::engine::build::mounts::{AGENTS, Cache, Filling, SECRETS, StepMount, StepMountKind};
use crate::engine::build::run::Command;
use crate::storage::{Form, Hasher};
use crate::sys::fs;
use crate::types::{Report, ReportKind, SecretFile};

impl Maker<'_> {
    pub(super) fn mount<'s>(&'s self, mount: &steps::StepMount, command: &mut Command<'s>) -> Result<(), Report> {
        let target = mount.mount.target.clone().unwrap_or_default();
        let (key, kind) = match &mount.mount.kind {
            MountKind::Tmpfs { size } => (format!("tmpfs {target}"), StepMountKind::Tmpfs { size: *size }),
            MountKind::Cache { from, id, sharing, source, is_read_only, owner } => {
                let id = id.clone().unwrap_or_else(|| target.clone());
                let filling = from.as_ref().map(|_| self.filling(mount.origin.as_ref(), source.as_deref()));
                let filling = filling.transpose()?;
                let of = filling.as_ref().map(|filling| format!(" {}", filling.identity)).unwrap_or_default();
                let key = format!("cache {target} {id} {is_read_only}{of}");
                let name = format!("{}{id}{of}", self.scene.cache_namespace);
                let (sharing, is_read_only, owner) = (*sharing, *is_read_only, *owner);
                (key, StepMountKind::Cache(Cache { id, name, sharing, is_read_only, owner, filling }))
            }
            MountKind::Bind { source, is_writable, .. } => {
                let source = source.clone().unwrap_or_else(|| ".".to_owned());
                self.bind(&target, &source, mount.origin.as_ref(), *is_writable)?
            }
            MountKind::Secret { id, env, is_required, owner } => {
                let id = id.clone().or_else(|| env.clone()).unwrap_or_else(|| last(&target).to_owned());
                command.mount_keys.push(format!("secret {id} {target} {env:?}"));
                let Some(secret) = self.request.secrets.iter().find(|secret| secret.id == id) else {
                    if *is_required {
                        let report = Report::new(ReportKind::Invalid, format!("the step needs the secret `{id}`"));
                        return Err(report.with_hint(format!("give it: --secret id={id},src=FILE")));
                    }
                    return Ok(());
                };
                if let Some(variable) = env {
                    let value = std::str::from_utf8(&secret.value).ok().filter(|value| !value.contains('\0'));
                    let value = value.ok_or_else(|| {
                        Report::new(ReportKind::Invalid, format!("the secret `{id}` is no text for a variable"))
                    })?;
                    command.secrets.variables.push(format!("{variable}={value}"));
                }
                // Both, if it says where the file is to be.
                if env.is_none() || !target.is_empty() {
                    command.secrets.files.push(SecretFile {
                        path: if target.is_empty() { format!("{SECRETS}/{id}") } else { target }.into(),
                        uid: owner.uid.unwrap_or(0),
                        gid: owner.gid.unwrap_or(0),
                        mode: owner.mode.unwrap_or(0o400),
                        value: secret.value.clone(),
                    });
                }
                return Ok(());
            }
            MountKind::Ssh { id, is_required, owner } => {
                return self.agent(id.as_deref(), *is_required, *owner, target, command);
            }
        };
        command.mount_keys.push(key);
        command.mounts.push(StepMount { target, kind });
        Ok(())
    }

    /// The socket of an agent. The first one of a step is that of its `SSH_AUTH_SOCK`, as in BuildKit.
    fn agent(
        &self,
        id: Option<&str>,
        is_required: bool,
        owner: Owner,
        target: String,
        command: &mut Command<'_>,
    ) -> Result<(), Report> {
        let id = id.unwrap_or("default");
        command.mount_keys.push(format!("ssh {id} {target}"));
        let Some(agent) = self.request.agents.iter().find(|agent| agent.id == id) else {
            if is_required {
                let report = Report::new(ReportKind::Invalid, format!("the step needs the agent `{id}`"));
                return Err(report.with_hint(format!("give it: --ssh {id}")));
            }
            return Ok(());
        };
        let socket = self.sources.agent(agent)?;
        let others = command.mounts.iter().filter(|mount| matches!(mount.kind, StepMountKind::Agent { .. })).count();
        let target = if target.is_empty() { format!("{AGENTS}.{others}") } else { target };
        let has_one = |variables: &[String]| variables.iter().any(|variable| variable.starts_with("SSH_AUTH_SOCK="));
        if !has_one(&command.env) && !has_one(&command.hidden_env) {
            command.hidden_env.push(format!("SSH_AUTH_SOCK={target}"));
        }
        command.mounts.push(StepMount { target, kind: StepMountKind::Agent { socket, owner } });
        Ok(())
    }

    /// What a cache has when it is new. It is another cache if that is something else, as in BuildKit.
    fn filling(&self, origin: Option<&Origin>, source: Option<&str>) -> Result<Filling<'_>, Report> {
        let (side, ignore) = (self.side(origin)?, self.ignore(origin));
        let source = source.unwrap_or(".");
        // Layers have their digests for names; what is in a directory must be looked at.
        let of_layers = match &side {
            Side::Layers(layers) => {
                let names = layers.iter().map(|layer| layer.display().to_string());
                Some(Hasher::sha256(names.chain([source.to_owned()]).collect::<Vec<_>>().join("\0").as_bytes()))
            }
            Side::Directory(_) => None,
        };
        let part = Part { ignore: ignore.map(|ignore| ignore as _), ..Part::of(side) };
        let copy = Box::new(whole(part, source));
        let identity = match of_layers {
            Some(digest) => digest,
            None => list(self.scene, &copy)?.digest,
        };
        Ok(Filling { identity: identity.hex().to_owned(), copy })
    }

    /// Files of the context, a stage or an image. Those of the context are not copied if all of them may be seen and
    /// only read.
    fn bind(
        &self,
        target: &str,
        source: &str,
        origin: Option<&Origin>,
        is_writable: bool,
    ) -> Result<(String, StepMountKind<'_>), Report> {
        let (side, ignore) = (self.side(origin)?, self.ignore(origin));
        let is_seen_whole = ignore.is_none_or(Ignore::is_empty);
        let memo = origin.is_none().then(|| self.memo()).flatten();
        let context = match &side {
            Side::Directory(context) if is_seen_whole && !is_writable => Some(context.clone()),
            _ => None,
        };
        let layers = match &side {
            // Only the kernel joins layers for a mount.
            Side::Layers(layers) if self.scene.form == Form::Kernel => Some(layers.clone()),
            _ => None,
        };
        let part = Part { ignore: ignore.map(|ignore| ignore as _), memo, ..Part::of(side) };
        let copy = Box::new(whole(part, source));
        let listed = list(self.scene, &copy)?;
        if listed.count == 0 {
            let message = format!("`{}` is neither a file nor a directory", source.escape_debug());
            return Err(Report::new(ReportKind::Invalid, message));
        }
        // By a socket a step would reach programs of the host.
        if let Some(context) = context.filter(|_| !listed.is_live) {
            let root = fs::open_directory(&context)?;
            let found = crate::sys::root::find(&root, source);
            let found = found.map_err(|error| fs::PathError::new("find", context.join(source), error))?;
            let path = crate::sys::root::path_of(std::os::fd::AsFd::as_fd(&found));
            let path = path.map_err(|error| fs::PathError::new("find", context.join(source), error))?;
            return Ok((format!("bind {target} {}", listed.digest), StepMountKind::Live { path, listed, copy }));
        }
        let key = format!("bind {target} {} {is_writable}", listed.digest);
        if let Some(layers) = layers {
            let (source, is_file) = (cleaned(source), listed.is_file);
            return Ok((key, StepMountKind::Joined { layers, source, is_file, is_writable }));
        }
        Ok((key, StepMountKind::Copied { copy, is_writable }))
    }
}

/// A copy of what one source has, by its own name into a directory, or of all of a side.
fn whole<'a>(part: Part<'a>, source: &str) -> Copy<'a> {
    let is_all = source.trim_matches(['/', '.']).is_empty();
    let destination = if is_all { "/".to_owned() } else { format!("/{}", last(source)) };
    Copy {
        parts: vec![Part { sources: vec![source.as_bytes().to_vec()], ..part }],
        exclude: None,
        parents: false,
        destination,
        owner: None,
        mode_text: String::new(),
        mode: None,
        slot: None,
    }
}

/// A path without `.`, and with `..` taken away; empty for the root.
fn cleaned(path: &str) -> String {
    let mut components: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(components.pop()),
            name => components.push(name),
        }
    }
    components.join("/")
}

/// The last component of a path.
fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}
