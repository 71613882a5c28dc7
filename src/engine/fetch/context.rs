//! A context that is no directory of the host: an archive, a repository, a Dockerfile.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::Fetcher;
use crate::build::dockerfile::source::FILE_LIMIT;
use crate::build::named::ContextPlace;
use crate::sys::fs;
use crate::types::{Report, ReportKind, Thing};

/// A context that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum FetchedContext {
    /// Files in a directory of the host, as it is.
    Directory(PathBuf),
    /// Files that were fetched or unpacked into a directory of the build.
    Files(PathBuf),
    /// A Dockerfile, and nothing else.
    Dockerfile(Vec<u8>),
}

/// Looks for a context. What is fetched comes beneath `into`, which exists; `input` is standard input, if it may be
/// read. Fails for an image or a stage, which are no directories.
pub(in crate::engine) fn context(
    fetcher: &Fetcher<'_>,
    place: &ContextPlace,
    working_dir: &Path,
    into: &dyn Fn() -> Result<PathBuf, Report>,
    input: Option<File>,
    warn: &mut dyn FnMut(String),
) -> Result<FetchedContext, Report> {
    match place {
        ContextPlace::Path(path) => {
            let path = working_dir.join(path);
            let is_file = match fs::metadata(&path) {
                Ok(found) => found.is_file(),
                Err(error) if error.is_not_found() => {
                    let message = format!("no such context: `{}`", path.display());
                    return Err(Report::new(ReportKind::NotFound(Thing::File), message));
                }
                Err(error) => return Err(error.into()),
            };
            if !is_file {
                return Ok(FetchedContext::Directory(path));
            }
            let shown = path.display().to_string();
            match stream(fetcher, fs::open_record(&path)?, &into()?, &shown)? {
                FetchedContext::Dockerfile(_) => {
                    let message = format!("the context `{shown}` is neither a directory nor an archive");
                    Err(Report::new(ReportKind::Invalid, message)
                        .with_hint(format!("if it is the Dockerfile: `rc build -f {shown} DIRECTORY`")))
                }
                files => Ok(files),
            }
        }
        ContextPlace::Standard => {
            let input = input.ok_or_else(|| {
                Report::new(ReportKind::Invalid, "standard input cannot be the context: it is used otherwise")
            })?;
            stream(fetcher, input, &into()?, "standard input")
        }
        ContextPlace::Url(url) => {
            let directory = into()?;
            fetcher.download(url, None, &directory, "download")?;
            let path = directory.join("download");
            let found = stream(fetcher, fs::open_record(&path)?, &directory, url);
            fs::remove_file(&path)?;
            found
        }
        ContextPlace::Git(url) => {
            let directory = into()?.join("files");
            let repository = fetcher.repository(url)?;
            let commit = repository.commit()?;
            let files = repository.check_out(&commit, url.keep_git_dir == Some(true), &directory)?;
            if repository.lacks_submodules(&directory) {
                warn(format!(
                    "the submodules of `{}` are not fetched unless `?submodules=true` asks for them",
                    url.remote
                ));
            }
            Ok(FetchedContext::Files(files))
        }
        ContextPlace::Image(_) | ContextPlace::Layout { .. } | ContextPlace::Target(_) => {
            Err(Report::new(ReportKind::Invalid, "an image or a stage cannot be the context of a build")
                .with_hint("give it a name: --build-context NAME=…"))
        }
    }
}

fn stream(fetcher: &Fetcher<'_>, input: File, into: &Path, shown: &str) -> Result<FetchedContext, Report> {
    let (files, text) = (into.join("files"), into.join("text"));
    fs::create_dir(&files)?;
    if fetcher.unpack(input, &files, &text, shown)? {
        return Ok(FetchedContext::Files(files));
    }
    // One byte more than a Dockerfile may have, so that it is refused and not cut.
    let limit = u64::try_from(FILE_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    Ok(FetchedContext::Dockerfile(fs::read_regular(&text, limit)?))
}
