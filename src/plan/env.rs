//! The environment of the program.

use super::{Error, Facts, ImageDefaults, Request, TextFile, env_merge};
use crate::types::Invalid;

/// The search path of programs if the image sets none. Source: docker and podman.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The proxy variables that are passed to the container. Source: podman-run(1), `--http-proxy`.
const PROXIES: [&str; 8] =
    ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY"];

/// The environment with further lines, of which those count that it does not have yet.
pub(super) fn with(mut env: Vec<String>, further: Vec<String>) -> Vec<String> {
    let name = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
    for line in further {
        if env.iter().all(|other| name(other) != name(&line)) {
            env.push(line);
        }
    }
    env
}

/// The environment: rc's own variables, then the image's, `--env-file` and `--env`, each overriding the ones before; a
/// name stays at its first position. `HOME` is set at start, from the user that was found in the root file system.
///
/// `container=oci` marks a container of any manager: systemd then reads `/run/.containerenv`.
pub(super) fn environment(
    request: &Request,
    image: &ImageDefaults,
    facts: &Facts,
    hostname: &str,
) -> Result<Vec<String>, Error> {
    let mut env = Variables::default();
    env.set("PATH", DEFAULT_PATH);
    if request.env_host {
        facts.environment.iter().for_each(|(name, value)| env.set(name, value));
    }
    env.set("container", "oci");
    if request.tty {
        env.set("TERM", "xterm");
    }
    env.set("HOSTNAME", hostname);
    for variable in &facts.defaults.env {
        env.add(variable, &facts.environment).map_err(Error::option("--env"))?;
    }
    if request.http_proxy != Some(false) {
        for (name, value) in facts.environment.iter().filter(|(name, _)| PROXIES.contains(&name.as_str())) {
            env.set(name, value);
        }
    }
    for variable in &image.env {
        // A line without `=` must not become an import: the image would read the caller's secrets (CVE-2026-57231).
        if let Some((name, value)) = variable.split_once('=')
            && check(name, value).is_ok()
        {
            env.set(name, value);
        }
    }
    for text in &request.env_merge {
        let merged = env_merge::merged(text, |name| env.value(name)).and_then(|(name, value)| {
            check(name, &value)?;
            Ok((name, value))
        });
        let (name, value) = merged.map_err(Error::option("--env-merge"))?;
        env.set(name, &value);
    }
    if request.unset_env_all {
        env.0.clear();
    }
    for name in &request.unset_env {
        env.unset(name);
    }
    for file in &request.env_files {
        env.read(file, &facts.environment)?;
    }
    for variable in &request.env {
        env.add(variable, &facts.environment).map_err(Error::option("--env"))?;
    }
    Ok(env.0)
}

/// The environment of a further program: the container's, `TERM` for a terminal, then `files` and `variables` over it.
pub(super) fn extended(
    base: &[String],
    tty: bool,
    files: &[TextFile],
    variables: &[String],
    caller: &[(String, String)],
) -> Result<Vec<String>, Error> {
    let mut env = Variables(base.to_vec());
    if tty && !base.iter().any(|line| line.starts_with("TERM=")) {
        env.set("TERM", "xterm");
    }
    for file in files {
        env.read(file, caller)?;
    }
    for variable in variables {
        env.add(variable, caller).map_err(Error::option("--env"))?;
    }
    Ok(env.0)
}

/// `NAME=value` in order, names unique.
#[derive(Default)]
pub(super) struct Variables(pub(super) Vec<String>);

impl Variables {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let line = format!("{name}={value}");
        match self.0.iter_mut().find(|old| old.split_once('=').is_some_and(|(old, _)| old == name)) {
            Some(old) => *old = line,
            None => self.0.push(line),
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        let mut lines = self.0.iter().filter_map(|line| line.split_once('='));
        lines.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.0.retain(|line| line.split_once('=').is_none_or(|(known, _)| known != name));
    }

    /// Adds `NAME=value`, or the caller's value of `NAME`, or the caller's variables that begin with `NAME` for
    /// `NAME*`.
    pub(super) fn add(&mut self, variable: &str, caller: &[(String, String)]) -> Result<(), Invalid> {
        if let Some((name, value)) = variable.split_once('=') {
            check(name, value)?;
            self.set(name, value);
            return Ok(());
        }
        check(variable, "")?;
        let prefix = variable.strip_suffix('*');
        for (name, value) in caller {
            if prefix.map_or(name == variable, |prefix| name.starts_with(prefix)) {
                self.set(name, value);
            }
        }
        Ok(())
    }

    /// Reads the lines of an `--env-file`: blank ones and those that begin with `#` are skipped, values are taken as
    /// they are, quotes included. Source: docker's `--env-file`.
    fn read(&mut self, file: &TextFile, caller: &[(String, String)]) -> Result<(), Error> {
        for (number, line) in file.text.lines().enumerate() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |source| Error::File { path: file.path.clone(), line: number + 1, source };
            let name = line.split_once('=').map_or(line, |(name, _)| name);
            if name.contains(char::is_whitespace) {
                return Err(at(Invalid::new("variable name", name, "contains white space")));
            }
            self.add(line, caller).map_err(at)?;
        }
        Ok(())
    }
}

/// Refuses what execve(2) cannot pass on. The error does not repeat the value: it may be a secret.
fn check(name: &str, value: &str) -> Result<(), Invalid> {
    if name.is_empty() {
        return Err(Invalid::new("variable name", name, "must not be empty"));
    }
    if name.contains('\0') || value.contains('\0') {
        return Err(Invalid::new("variable", name, "contains a NUL byte"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, image};
    use super::*;

    fn resolve(image_env: &[&str], file: &str, asked: &[&str]) -> Result<Vec<String>, String> {
        let image = ImageDefaults { env: image_env.iter().map(|&line| line.to_owned()).collect(), ..image() };
        let request = Request {
            env: asked.iter().map(|&line| line.to_owned()).collect(),
            env_files: vec![TextFile { path: "vars".to_owned(), text: file.to_owned() }],
            ..Request::default()
        };
        let mut facts = facts();
        facts.environment = [("SECRET", "s3"), ("SECOND", "2"), ("http_proxy", "http://proxy")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into();
        environment(&request, &image, &facts, "box").map_err(|error| error.to_string())
    }

    #[test]
    fn later_sources_win_and_keep_the_place() {
        let env = resolve(&["PATH=/bin", "A=1", "B=1"], "B=2\nC=2\n", &["C=3", "A=", "D=x=y"]);
        let expected =
            ["PATH=/bin", "container=oci", "HOSTNAME=box", "http_proxy=http://proxy", "A=", "B=2", "C=3", "D=x=y"];
        assert_eq!(env, Ok(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn an_image_never_imports_the_callers_variables() {
        let env = resolve(&["SECRET", "SEC*", "", "=x", "A=\0"], "", &[]).unwrap();
        assert_eq!(env[3..], ["http_proxy=http://proxy"]);
    }

    #[test]
    fn the_caller_imports_by_name_and_by_prefix() {
        assert_eq!(resolve(&[], "", &["SECRET", "MISSING"]).unwrap()[4..], ["SECRET=s3"]);
        assert_eq!(resolve(&[], "", &["SEC*"]).unwrap()[4..], ["SECRET=s3", "SECOND=2"]);
        assert_eq!(resolve(&[], "SECOND\n", &[]).unwrap()[4..], ["SECOND=2"]);
    }

    #[test]
    fn files_take_values_as_they_are() {
        let env = resolve(&[], "# comment\n\n  A=\"q\"  \nB=#x\n", &[]).unwrap();
        assert_eq!(env[4..], ["A=\"q\"  ", "B=#x"]);
        assert_eq!(
            resolve(&[], "A=1\nB C=2", &[]),
            Err("`vars` line 2: variable name `B C` contains white space".to_owned())
        );
    }

    #[test]
    fn errors_do_not_repeat_values() {
        assert_eq!(
            resolve(&[], "", &["TOKEN=hunter2\0"]),
            Err("`--env`: variable `TOKEN` contains a NUL byte".to_owned())
        );
        assert_eq!(resolve(&[], "", &["=x"]), Err("`--env`: variable name `` must not be empty".to_owned()));
    }
}
