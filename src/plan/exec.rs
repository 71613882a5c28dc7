//! A further program in a running container.

use oci_spec::runtime::Process;
use serde::{Deserialize, Serialize};

use super::{ContainerConfig, Error, TextFile, capabilities, env, paths, spec, user};
use crate::types::{DetachKeys, Invalid};

/// A requested `exec`; absent where the option was not given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct ExecRequest {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// `--detach`.
    pub(crate) detach: bool,
    /// `--interactive`.
    pub(crate) interactive: bool,
    /// `--tty`.
    pub(crate) tty: bool,
    /// `--detach-keys`.
    pub(crate) detach_keys: Option<String>,
    /// `--env`.
    pub(crate) env: Vec<String>,
    /// `--env-file`, read.
    pub(crate) env_files: Vec<TextFile>,
    /// `--user`.
    pub(crate) user: Option<String>,
    /// `--workdir`.
    pub(crate) working_dir: Option<String>,
    /// `--privileged`: all capabilities in the container.
    pub(crate) privileged: bool,
}

/// The process of `request` in the container of `config`. Environment, user and directory are the container's by
/// default; capabilities, limits and `no_new_privs` always are. `environment` is the
/// caller's, for `-e NAME`.
pub(crate) fn exec(
    config: &ContainerConfig,
    request: &ExecRequest,
    environment: &[(String, String)],
) -> Result<Process, Error> {
    if request.command.is_empty() {
        return Err(Error::NoExecCommand);
    }
    if let Some(word) = request.command.iter().find(|word| word.contains('\0')) {
        return Err(Error::option("command")(Invalid::new("argument", word, "contains a NUL byte")));
    }
    if let Some(keys) = &request.detach_keys {
        keys.parse().map(|_: DetachKeys| ()).map_err(Error::option("--detach-keys"))?;
    }
    let mut changed = config.clone();
    changed.argv.clone_from(&request.command);
    changed.tty = request.tty;
    changed.env = env::extended(&config.env, request.tty, &request.env_files, &request.env, environment)?;
    if request.privileged {
        changed.capabilities = capabilities::capabilities(&["ALL".to_owned()], &[])?;
    }
    // An empty text counts as not given, as in docker and podman.
    if let Some(text) = request.user.as_ref().filter(|text| !text.is_empty()) {
        changed.user = user::read(text).map_err(Error::option("--user"))?;
    }
    if let Some(text) = request.working_dir.as_ref().filter(|text| !text.is_empty()) {
        let invalid = || Invalid::new("working directory", text, "must be an absolute path");
        changed.working_dir = paths::clean(text).ok_or_else(|| Error::option("--workdir")(invalid()))?;
    }
    spec::process(&changed)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::tests::{facts, identity, image};
    use super::super::{Request, resolve};
    use super::*;

    fn run(request: &ExecRequest) -> Result<Process, String> {
        let asked = Request { user: Some("app".into()), env: vec!["A=1".into()], ..Request::default() };
        let config = resolve(&asked, &image(), &facts(), identity()).unwrap();
        exec(&config, request, &[("B".into(), "2".into())]).map_err(|error| error.to_string())
    }

    #[test]
    fn the_container_is_the_default() {
        let process = run(&ExecRequest { command: vec!["id".into()], ..ExecRequest::default() }).unwrap();
        assert_eq!(process.args(), &Some(vec!["id".to_owned()]));
        assert_eq!(process.user().username().as_deref(), Some("app"));
        assert_eq!(process.cwd(), &PathBuf::from("/"));
        assert_eq!(process.env().as_ref().unwrap().last().map(String::as_str), Some("A=1"));
        assert_eq!(process.terminal(), Some(false));
    }

    #[test]
    fn what_was_asked_for_wins() {
        let request = ExecRequest {
            command: vec!["sh".into(), "-l".into()],
            tty: true,
            env: vec!["A=3".into(), "B".into()],
            user: Some("1:1".into()),
            working_dir: Some("/srv/".into()),
            ..ExecRequest::default()
        };
        let process = run(&request).unwrap();
        assert_eq!(process.env().as_ref().unwrap()[3..], ["A=3", "TERM=xterm", "B=2"]);
        assert_eq!(process.user().username().as_deref(), Some("1:1"));
        assert_eq!((process.cwd(), process.terminal()), (&PathBuf::from("/srv"), Some(true)));
    }

    #[test]
    fn wrong_values_are_refused() {
        let command = vec!["sh".to_owned()];
        for request in [
            ExecRequest::default(),
            ExecRequest { command: command.clone(), user: Some("-1".into()), ..ExecRequest::default() },
            ExecRequest { command: command.clone(), working_dir: Some("x".into()), ..ExecRequest::default() },
            ExecRequest { command: command.clone(), env: vec!["=x".into()], ..ExecRequest::default() },
            ExecRequest { command: command.clone(), detach_keys: Some("ctrl".into()), ..ExecRequest::default() },
        ] {
            assert!(run(&request).is_err(), "{request:?}");
        }
    }
}
