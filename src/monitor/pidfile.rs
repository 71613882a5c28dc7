//! The files of `--pidfile` and `--conmon-pidfile`, with the PIDs of init and the monitor.

use std::io;

use crate::plan::Service;
use crate::sys::fs::PathError;
use crate::sys::replacement::Named;

/// The files that the user has asked for. Their directories are opened before the program runs and stay open: a
/// container that shares one could replace it by a link, and so choose where the next start writes.
#[derive(Debug)]
pub(super) struct PidFiles {
    /// The monitor's, the program's.
    files: [Option<Result<Named, PathError>>; 2],
}

impl PidFiles {
    /// Opens the directories; [`write`](Self::write) reports what fails.
    pub(super) fn open(service: &Service) -> Self {
        let open = |path: &Option<std::path::PathBuf>| {
            let path = path.as_deref()?;
            Some(Named::open(path).map_err(|source| PathError::new("create", path, source)))
        };
        Self { files: [open(&service.conmon_pidfile), open(&service.pidfile)] }
    }

    /// Writes the files. Fails with the path; then none of them is left.
    ///
    /// They exist when the command that starts the container returns: systemd reads a `PIDFile=` at that moment.
    pub(super) fn write(&self, init: i32) -> Result<(), PathError> {
        let written = self.each(init).try_for_each(|(file, pid)| match file {
            Ok(file) => file.replace(pid.to_string().as_bytes()),
            Err(error) => Err(PathError::new(error.action, &error.path, plain_copy(&error.source))),
        });
        if written.is_err() {
            self.remove(init);
        }
        written
    }

    /// Removes the files, unless another container has written its own there meanwhile. A file that cannot be removed
    /// stays, and so does one that is not regular: the monitor never waits for what a container has put in its place.
    pub(super) fn remove(&self, init: i32) {
        for (file, pid) in self.each(init) {
            if let Ok(file) = file {
                file.remove_if(pid.to_string().as_bytes());
            }
        }
    }

    fn each(&self, init: i32) -> impl Iterator<Item = (&Result<Named, PathError>, i32)> {
        let monitor = rustix::process::getpid().as_raw_nonzero().get();
        self.files.iter().zip([monitor, init]).filter_map(|(file, pid)| Some((file.as_ref()?, pid)))
    }
}

/// A copy of an error that each start reports again.
fn plain_copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fs;

    #[test]
    fn files_are_written_whole_and_another_s_is_left_alone() {
        let directory = tempfile::tempdir().expect("directory");
        let service = Service {
            pidfile: Some(directory.path().join("init")),
            conmon_pidfile: Some(directory.path().join("monitor")),
            ..Service::default()
        };
        let files = PidFiles::open(&service);
        files.write(77).expect("written");
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).expect("file");
        assert_eq!((read("init"), read("monitor")), ("77".to_owned(), std::process::id().to_string()));
        fs::write(directory.path().join("init"), "78").expect("another's");
        files.remove(77);
        assert_eq!(read("init"), "78");
        assert!(!directory.path().join("monitor").exists());

        let service = Service { pidfile: Some(directory.path().join("no/such")), ..service };
        let files = PidFiles::open(&service);
        for _ in 0..2 {
            let error = files.write(77).map_err(|error| error.to_string());
            assert_eq!(
                error,
                Err(format!(
                    "cannot create `{}`: no such file or directory",
                    directory.path().join("no/such").display()
                ))
            );
        }
        assert!(!directory.path().join("monitor").exists());
    }
}
