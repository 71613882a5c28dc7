//! From a step as it was planned to one that can be looked up and taken: where its files are, what is mounted for it,
//! and whether the caller allows what it asks for.

mod copy;
mod mount;

use std::path::PathBuf;

use super::event::Failed;
use super::files::Side;
use super::make::{Maker, at};
use super::run::Command;
use super::stage::Step;
use crate::build::dockerfile::instruction::{Network as StepNetwork, Security};
use crate::build::dockerfile::stages::Origin;
use crate::build::dockerfile::steps::{Action, Device, RunStep};
use crate::build::ignore::Ignore;
use crate::container::Secrets;
use crate::engine::cdi;
use crate::types::{Network, Report, ReportKind};

impl Maker<'_> {
    pub(super) fn prepare(&self, action: &Action) -> Result<Step<'_>, Failed> {
        match action {
            Action::Run(run) => Ok(Step::Run(Box::new(self.command(run)?))),
            Action::Copy(copy) => Ok(Step::Copy(self.copy(copy)?)),
            Action::Workdir { path, user } => Ok(Step::Directory { path: path.clone(), user: user.clone() }),
        }
    }

    fn command(&self, run: &RunStep) -> Result<Command<'_>, Failed> {
        let allowed = |what: &str| self.request.allowed.iter().any(|allowed| allowed == what);
        let refused = |what: &str| {
            let report =
                Report::new(ReportKind::Invalid, format!("the Dockerfile asks for {what}, which is not allowed"));
            Err(Failed::from(report.with_hint(format!("if you trust it: --allow {what}"))))
        };
        let network = match run.network {
            StepNetwork::Default => self.scene.network.clone(),
            StepNetwork::None => Some(Network::None),
            StepNetwork::Host if allowed("network.host") => Some(Network::Host),
            StepNetwork::Host => return refused("network.host"),
        };
        if run.security == Security::Insecure && !allowed("security.insecure") {
            return refused("security.insecure");
        }
        let proxies = run.proxies.iter().map(|(name, value)| format!("{name}={value}"));
        let mut command = Command {
            argv: run.argv.clone(),
            script: run.script.clone(),
            env: run.env.clone(),
            hidden_env: proxies.collect(),
            secrets: Secrets::default(),
            user: run.user.clone(),
            working_dir: run.directory.clone(),
            network,
            is_insecure: run.security == Security::Insecure,
            devices: self.devices(&run.devices)?,
            mount_keys: Vec::new(),
            mounts: Vec::new(),
        };
        for mount in &run.mounts {
            let located = |report: Report| {
                let message = format!("`--mount`: {}", report.message);
                at(mount.span)(report.with_message(message))
            };
            self.mount(mount, &mut command).map_err(located)?;
        }
        Ok(command)
    }

    /// The devices for a step that a file of their vendor describes, without those that are not there and need not be.
    /// What a device may do to the host nobody knows, so the caller allows each. Source: docker-buildx-build(1),
    /// `--allow`.
    fn devices(&self, asked: &[Device]) -> Result<Vec<String>, Failed> {
        let names = asked.iter().map(|device| device.name.clone()).collect();
        let described = cdi::look_up(&names, &self.scene.context.settings, self.scene.caller);
        let mut found = Vec::new();
        for device in asked {
            let name = &device.name;
            let refused = |reason: String| Report::new(ReportKind::Invalid, format!("`--device`: {reason}"));
            let is_allowed = |allowed: &String| allowed == "device" || *allowed == format!("device={name}");
            if let Some(Err(reason)) = described.get(name) {
                if device.is_required {
                    let hint = "such a file is JSON, and its devices are named VENDOR/CLASS=NAME";
                    return Err(at(device.span)(refused(format!("`{name}`: {reason}")).with_hint(hint)));
                }
            } else if self.request.allowed.iter().any(is_allowed) {
                found.push(name.clone());
            } else {
                let report = refused(format!("the Dockerfile asks for `{name}`, which is not allowed"));
                return Err(at(device.span)(report.with_hint(format!("if you trust it: --allow device={name}"))));
            }
        }
        Ok(found)
    }

    /// Where the digests of the context's files are noted.
    fn memo(&self) -> Option<PathBuf> {
        let context = self.request.context.as_ref().filter(|_| !self.request.is_fetched)?;
        Some(self.scene.environment.store.context_memo(context))
    }

    fn side(&self, origin: Option<&Origin>) -> Result<Side, Report> {
        match origin {
            Some(Origin::Stage(index)) => Ok(Side::Layers(self.stages[index].lowers(self.scene))),
            Some(Origin::Image(name)) => self.sources.side(name),
            None => self.request.context.clone().map(Side::Directory).ok_or_else(|| {
                Report::new(ReportKind::Invalid, "the build has no context to take files from")
                    .with_hint("name a directory: `rc build -f - DIRECTORY`")
            }),
        }
    }

    /// What an ignore file leaves out of the files of an origin.
    fn ignore(&self, origin: Option<&Origin>) -> Option<&Ignore> {
        match origin {
            None => self.request.ignore.as_ref(),
            Some(Origin::Image(name)) => self.sources.ignore(name),
            Some(Origin::Stage(_)) => None,
        }
    }
}
