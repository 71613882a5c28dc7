//! Where the program's output goes: `--log-driver`, `--log-opt`.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use gotmpl::{MissingKey, Template};

use super::{Error, Facts, Identity, ImageSource, LogDriver, Request, Seccomp};
use crate::types::{Invalid, parse_size};

/// What `--log-driver` and `--log-opt` mean for this container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logging {
    pub(super) driver: LogDriver,
    pub(super) max_size: u64,
    pub(super) max_files: u32,
    pub(super) tag: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) path: Option<PathBuf>,
}

/// Completes the request. By default rc logs nothing if the container is removed at its end and a command waits for its
/// output (`--rm`, neither `-d` nor `-t`), unless an option of the log is given.
pub(super) fn logging(
    request: &Request,
    facts: &Facts,
    image: &ImageSource,
    identity: &Identity,
    seccomp: &Seccomp,
) -> Result<Logging, Error> {
    let is_useless = request.auto_remove && !request.detach && !request.tty && request.log.options.is_empty();
    let implied = if is_useless { LogDriver::None } else { LogDriver::K8sFile };
    let driver = request.log.driver.as_deref().map_or(Ok(implied), |text| driver(text, request.tty, seccomp));
    let mut logging = Logging {
        driver: driver.map_err(Error::option("--log-driver"))?,
        max_size: facts.defaults.log_max_size,
        max_files: facts.defaults.log_max_files,
        tag: None,
        labels: BTreeMap::new(),
        path: None,
    };
    for text in &request.log.options {
        option(&mut logging, text, image, identity).map_err(Error::option("--log-opt"))?;
    }
    logging.path = logging.path.map(|path| facts.working_dir.join(path));
    Ok(logging)
}

/// Source: podman-run(1), `--log-driver`. Scripts written for docker call the driver that writes a file
/// `json-file`.
fn driver(text: &str, tty: bool, seccomp: &Seccomp) -> Result<LogDriver, Invalid> {
    let invalid = |reason| Err(Invalid::new("log driver", text, reason));
    match text {
        "k8s-file" | "json-file" => Ok(LogDriver::K8sFile),
        "journald" => Ok(LogDriver::Journald),
        "none" => Ok(LogDriver::None),
        "passthrough" | "passthrough-tty" if tty => invalid("cannot be used with --tty"),
        "passthrough" => Ok(LogDriver::Passthrough),
        // Only rc's own filter stops a program from typing into its terminal (TIOCSTI; safety.md, X12).
        "passthrough-tty" if *seccomp != Seccomp::Default => invalid("needs the system call filter"),
        "passthrough-tty" => Ok(LogDriver::PassthroughTty),
        _ => invalid("must be k8s-file, json-file, journald, none, passthrough or passthrough-tty"),
    }
}

fn option(logging: &mut Logging, text: &str, image: &ImageSource, identity: &Identity) -> Result<(), Invalid> {
    let invalid = |reason: &str| Invalid::new("log option", text, reason);
    let (name, value) = text.split_once('=').ok_or_else(|| invalid("must be NAME=value"))?;
    let keeps_file = logging.driver == LogDriver::K8sFile;
    match name {
        "max-size" | "max-file" if !keeps_file => return Err(invalid("only k8s-file keeps files")),
        "max-size" => {
            logging.max_size = parse_size(value)?;
            if logging.max_size == 0 {
                return Err(invalid("must be at least one byte"));
            }
        }
        "max-file" => {
            let files = value.parse().ok().filter(|files| *files > 0);
            logging.max_files = files.ok_or_else(|| invalid("must be a number, at least 1"))?;
        }
        // Only journald shows it, but docker and podman take it with every driver: scripts set it for all.
        "tag" => logging.tag = Some(tag(value, image, identity).ok_or_else(|| invalid("its template is invalid"))?),
        // As with the tag, only the journal shows it.
        "label" => logging.labels.extend([label(value).ok_or_else(|| invalid("must be label=NAME=VALUE"))?]),
        "path" if !keeps_file => return Err(invalid("only k8s-file keeps files")),
        "path" if value.is_empty() || value.contains('\0') => return Err(invalid("must be path=FILE")),
        "path" => logging.path = Some(PathBuf::from(value)),
        _ => return Err(invalid("must be max-size, max-file, path, tag or label")),
    }
    Ok(())
}

/// A field of the journal: its name has capitals, digits and underscores. Source: docker, `journald`, "labels";
/// systemd.journal-fields(7).
fn label(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    let name: String = name.trim().chars().map(letter).skip_while(|letter| *letter == '_').collect();
    let is_name = name.len() <= 64 && name.starts_with(|letter: char| letter.is_ascii_uppercase());
    is_name.then(|| (name, value.to_owned()))
}

/// docker's and podman's tag: a template of a few names. `None` if it cannot be applied, or the result is not one line.
fn tag(text: &str, image: &ImageSource, identity: &Identity) -> Option<String> {
    let known = HashMap::from([
        ("ID", identity.id.short().to_owned()),
        ("FullID", identity.id.to_string()),
        ("Name", identity.name.to_string()),
        ("ImageName", image.reference.clone()),
        ("ImageID", image.id.as_ref().map(ToString::to_string).unwrap_or_default()),
    ]);
    let template = Template::new("tag").missing_key(MissingKey::Error).parse(text).ok()?;
    let tag = template.execute_to_string(&gotmpl::to_value(&known).ok()?).ok()?;
    Some(tag).filter(|tag| !tag.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::super::LogRequest;
    use super::super::tests::{facts, identity, image};
    use super::*;

    fn of(request: &Request) -> Result<Logging, String> {
        logging(request, &facts(), &image().source, &identity(), &Seccomp::Default).map_err(|error| error.to_string())
    }

    fn asked(driver: &str, options: &[&str]) -> Result<Logging, String> {
        let options = options.iter().map(|&text| text.to_owned()).collect();
        of(&Request { log: LogRequest { driver: Some(driver.to_owned()), options }, ..Request::default() })
    }

    #[test]
    fn drivers_are_podmans() {
        for (text, driver) in [
            ("k8s-file", LogDriver::K8sFile),
            ("json-file", LogDriver::K8sFile),
            ("journald", LogDriver::Journald),
            ("none", LogDriver::None),
            ("passthrough", LogDriver::Passthrough),
            ("passthrough-tty", LogDriver::PassthroughTty),
        ] {
            assert_eq!(asked(text, &[]).map(|logging| logging.driver), Ok(driver), "{text}");
        }
        assert!(asked("syslog", &[]).is_err() && asked("", &[]).is_err());
        let terminal = LogRequest { driver: Some("passthrough".to_owned()), ..LogRequest::default() };
        assert_eq!(
            of(&Request { tty: true, log: terminal, ..Request::default() }),
            Err("`--log-driver`: log driver `passthrough` cannot be used with --tty".to_owned())
        );
    }

    #[test]
    fn an_option_of_the_log_asks_for_a_log() {
        let of_options = |options: &[&str]| {
            let options = options.iter().map(|&text| text.to_owned()).collect();
            let log = LogRequest { driver: None, options };
            of(&Request { auto_remove: true, log, ..Request::default() }).map(|logging| logging.driver)
        };
        assert_eq!(of_options(&[]), Ok(LogDriver::None));
        assert_eq!(of_options(&["max-size=1m"]), Ok(LogDriver::K8sFile));
    }

    #[test]
    fn options_belong_to_their_driver() {
        let logging = asked("k8s-file", &["max-size=1m", "max-file=7"]).unwrap();
        assert_eq!((logging.max_size, logging.max_files), (1 << 20, 7));
        let tag = |text: &str| asked("journald", &[&format!("tag={text}")]).map(|logging| logging.tag.unwrap());
        assert_eq!(tag("plain"), Ok("plain".to_owned()));
        for driver in ["k8s-file", "json-file", "none", "passthrough"] {
            assert_eq!(asked(driver, &["tag=x"]).map(|logging| logging.tag), Ok(Some("x".to_owned())), "{driver}");
        }
        assert_eq!(tag("{{.Name}}/{{.ID}}"), Ok("box/abababababab".to_owned()));
        let logging = asked("k8s-file", &["path=sub/log", "label=my.label=a=b"]).unwrap();
        assert_eq!(logging.path, Some(facts().working_dir.join("sub/log")));
        assert_eq!(logging.labels, [("MY_LABEL".to_owned(), "a=b".to_owned())].into());
        assert_eq!(tag("{{.ImageName}}"), Ok("localhost/test:latest".to_owned()));
        for (driver, option) in [
            ("journald", "max-size=1m"),
            ("journald", "tag={{.Nothing}}"),
            ("journald", "tag={{"),
            ("journald", "tag=two\nlines"),
            ("k8s-file", "max-size=0"),
            ("k8s-file", "max-file=0"),
            ("k8s-file", "path="),
            ("journald", "path=/x"),
            ("journald", "label=x"),
            ("journald", "label=1=x"),
            ("k8s-file", "labels=a"),
            ("k8s-file", "max-size"),
        ] {
            assert!(asked(driver, &[option]).is_err(), "{driver} {option}");
        }
    }
}
