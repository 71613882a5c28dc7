//! Dockerfiles that the C preprocessor reads first: those whose name ends with `.in`, as in podman. Source:
//! podman-build(1), `--cpp-flag`.
//!
//! A Dockerfile is foreign text, and `#include` would read any file of the user's. So cpp may read what the host's
//! programs are made of, the context, and the files and directories that the caller's flags name, and nothing else
//! (Landlock).

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::context::Caller;
use super::supervised::{Call, Ran, run as run_program};
use crate::build::dockerfile::source::FILE_LIMIT;
use crate::sys::fs::plain;
use crate::sys::landlock::Allowed;
use crate::sys::packages::Package;
use crate::sys::{memory_file, programs};
use crate::types::{Report, ReportKind};

/// Where programs of the host, and what they load, are.
const SYSTEM: [&str; 6] = ["/usr", "/bin", "/lib", "/lib64", "/nix/store", "/gnu/store"];

/// Flags with a path: as the rest of the word, or as the next one.
const PATHS: [&str; 6] = ["-iquote", "-isystem", "-idirafter", "-include", "-imacros", "-I"];

/// The variable with flags that come first, as in buildah.
const VARIABLE: &str = "BUILDAH_CPPFLAGS";

/// Whether a Dockerfile of this name is read by cpp.
pub(super) fn is_wanted(name: &Path) -> bool {
    name.as_os_str().as_bytes().ends_with(b".in")
}

/// What cpp makes of a Dockerfile. As in podman a line that only looks like a directive is worth a warning; but a file
/// that is not found, or a condition without an end, is an error, since all that comes after it would be missing.
pub(super) fn run(
    name: &Path,
    text: &[u8],
    context: &Path,
    flags: &[String],
    caller: &Caller,
    warnings: &mut Vec<String>,
) -> Result<Vec<u8>, Report> {
    let Some(path) = programs::find("cpp") else {
        let message = format!("`{}` needs cpp, which is not installed", name.display());
        return Err(Report::new(ReportKind::Unavailable, message).with_hint(Package::Cpp.install()));
    };
    let failed = |error: io::Error| {
        Report::new(ReportKind::of_step(&error), format!("cannot preprocess `{}`: {}", name.display(), plain(&error)))
    };
    let (words, mut readable) = resolved(&[flags_of(caller)?, flags.to_vec()].concat(), &caller.working_dir);
    readable.push(context.to_owned());
    let argv = arguments(&words, context)?;
    let allowed = Allowed {
        readable,
        executable: SYSTEM.iter().map(PathBuf::from).collect(),
        writable: vec![PathBuf::from("/dev/null")],
        port: None,
    };
    let env = [word("PATH=/usr/local/bin:/usr/bin:/bin")?, word("LC_ALL=C")?];
    let end = end().map_err(failed)?;
    // A line that goes on ends with the empty one.
    let input = memory_file::of("rc: Dockerfile", &[text, b"\n\n", end.as_bytes(), b"\n"].concat()).map_err(failed)?;
    let path = word(path.as_os_str())?;
    let call = Call { name: "rc: cpp", path: &path, argv: &argv, env: &env, allowed: Some(&allowed) };
    let limit = u64::try_from(FILE_LIMIT + end.len() + 1).unwrap_or(u64::MAX);
    let Ran { code, mut said, words } = run_program(&call, Some(input.as_fd()), limit).map_err(failed)?;
    let length = said.windows(end.len()).rposition(|part| part == end.as_bytes());
    if length.unwrap_or(said.len()) > FILE_LIMIT {
        let message = format!("`{}` has more than {} KiB after cpp", name.display(), FILE_LIMIT >> 10);
        return Err(Report::new(ReportKind::Invalid, message));
    }
    said.truncate(length.ok_or_else(|| incomplete(name, code, &words))?);
    let doubtful = |line: &&str| line.contains(": error: ") || line.contains(": warning: ");
    warnings.extend(words.lines().filter(doubtful).map(|line| named(line, name)));
    Ok(said)
}

/// How cpp is called.
fn arguments(flags: &[OsString], context: &Path) -> Result<Vec<CString>, Report> {
    let own = ["-E".as_ref(), "-iquote".as_ref(), context.as_os_str()];
    let last = ["-traditional", "-undef", "-"].map(OsStr::new);
    let flags = flags.iter().map(OsString::as_os_str);
    [OsStr::new("cpp")].into_iter().chain(flags).chain(own).chain(last).map(word).collect()
}

/// The last line of what cpp reads. If cpp has copied it, it has come that far; its exit code and its messages prove
/// nothing, since it says of a comment what it says of a mistake. Nobody knows it beforehand, so no file has it.
fn end() -> io::Result<String> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!("__rc_end_of_dockerfile_{:032x}__", u128::from_ne_bytes(bytes)))
}

/// Why cpp has not come to the end.
fn incomplete(name: &Path, code: i32, words: &str) -> Report {
    let last = |kind: &str| words.lines().rfind(|line| line.contains(kind));
    let fatal = last("fatal error: ");
    // One that was killed has not said why.
    let other = || last(": error: ").or_else(|| words.lines().next_back()).filter(|_| code < 128);
    let reason = fatal.or_else(other).map_or_else(|| format!("cpp ended with exit code {code}"), |it| named(it, name));
    let report = Report::new(ReportKind::Invalid, format!("cannot preprocess `{}`: {reason}", name.display()));
    match fatal {
        Some(_) => report.with_hint(
            "cpp reads files of the context, those that flags name, and those of directories that \
             `--cpp-flag=-IDIRECTORY` names",
        ),
        None => report,
    }
}

/// A message of cpp's, about the file that it has read as its standard input.
fn named(line: &str, name: &Path) -> String {
    line.replace("<stdin>", &name.display().to_string())
}

/// The flags of the environment: words between blanks.
fn flags_of(caller: &Caller) -> Result<Vec<String>, Report> {
    let text = caller.variable(VARIABLE).unwrap_or_default();
    if text.contains(['"', '\'', '\\']) {
        let message = format!("{VARIABLE} has quotes: rc reads words between blanks");
        return Err(Report::new(ReportKind::Invalid, message).with_hint("give each flag by `--cpp-flag`"));
    }
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// The flags with whole paths, since a helper's own directory is `/`, and the files and directories that they name.
fn resolved(flags: &[String], directory: &Path) -> (Vec<OsString>, Vec<PathBuf>) {
    let (mut words, mut named) = (Vec::new(), Vec::new());
    let mut is_path = false;
    for flag in flags {
        let joined = || PATHS.iter().find_map(|known| Some((*known, flag.strip_prefix(known)?)));
        let (before, path) = match joined() {
            _ if is_path => ("", flag.as_str()),
            Some((known, path)) if !path.is_empty() => (known, path),
            _ => {
                is_path = PATHS.contains(&flag.as_str());
                words.push(flag.into());
                continue;
            }
        };
        is_path = false;
        let path = directory.join(path);
        let mut word = OsString::from(before);
        word.push(&path);
        words.push(word);
        named.push(path);
    }
    (words, named)
}

fn word(text: impl AsRef<OsStr>) -> Result<CString, Report> {
    CString::new(text.as_ref().as_bytes())
        .map_err(|_| Report::new(ReportKind::Invalid, "an argument for cpp has a NUL byte"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_whole_paths_and_name_what_may_be_read() {
        let flags = ["-DA=b/c", "-Iinc", "-iquote", "own", "-include", "/etc/hosts", "-I/x"].map(str::to_owned);
        let (words, named) = resolved(&flags, Path::new("/w"));
        assert_eq!(words, ["-DA=b/c", "-I/w/inc", "-iquote", "/w/own", "-include", "/etc/hosts", "-I/x"]);
        assert_eq!(named, ["/w/inc", "/w/own", "/etc/hosts", "/x"].map(PathBuf::from));
    }
}
