//! `--rootfs PATH[:O]`: the container's files are those of a directory of the host. Source: podman-run(1).

use std::path::Path;

use super::paths::host_path;
use super::{Error, ImageDefaults, ImageSource, Request, RootDirectory};
use crate::types::Invalid;

const OPTION: &str = "--rootfs";

/// The directory of the request, if it has one in place of an image.
///
/// Fails if it should have ID maps of its own (`:idmap`), which only root may give to the files of the host.
pub(crate) fn root_directory(request: &Request, working_dir: &Path) -> Result<Option<RootDirectory>, Error> {
    if !request.rootfs {
        return Ok(None);
    }
    let text = request.image.as_str();
    let refused = |reason: &str| Error::option(OPTION)(Invalid::new("root filesystem", text, reason));
    // As podman, which looks at the last colon: other ones may be in the path.
    let (path, option) = match text.rsplit_once(':') {
        Some((path, option)) if option == "O" || option == "idmap" || option.starts_with("idmap=") => (path, option),
        _ => (text, ""),
    };
    if option.starts_with("idmap") {
        return Err(refused("only root may map the IDs of the host's files; `--userns keep-id` maps the container's"));
    }
    if path.is_empty() || path.contains('\0') {
        return Err(refused("must be a path, or PATH:O"));
    }
    Ok(Some(RootDirectory { path: host_path(path, working_dir), is_overlaid: option == "O" }))
}

impl ImageDefaults {
    /// Those of a container without an image.
    pub(crate) fn none() -> Self {
        Self {
            source: ImageSource::default(),
            entrypoint: Vec::new(),
            command: Vec::new(),
            env: Vec::new(),
            user: String::new(),
            working_dir: String::new(),
            volumes: Vec::new(),
            labels: std::collections::BTreeMap::new(),
            stop_signal: None,
            healthcheck: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_last_colon_may_be_followed_by_an_option() {
        let of = |image: &str| {
            let request = Request { image: image.to_owned(), rootfs: true, ..Request::default() };
            root_directory(&request, Path::new("/srv")).map(|found| found.map(|it| (it.path, it.is_overlaid)))
        };
        for (text, path, is_overlaid) in [
            ("/a", "/a", false),
            ("/a:O", "/a", true),
            ("/a:b:O", "/a:b", true),
            ("/a:b", "/a:b", false),
            ("a", "/srv/a", false),
            ("./a:O", "/srv/a", true),
            (".", "/srv", false),
        ] {
            assert_eq!(of(text).unwrap(), Some((PathBuf::from(path), is_overlaid)), "{text}");
        }
        for (text, reason) in [("/a:idmap", "only root"), ("/a:idmap=uids=0-1-2", "only root"), (":O", "a path")] {
            assert!(of(text).unwrap_err().to_string().contains(reason), "{text}");
        }
        assert_eq!(root_directory(&Request::default(), Path::new("/srv")).unwrap(), None);
    }
}
