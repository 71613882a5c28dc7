//! The files that name the container's processes: `--pidfile`, `--conmon-pidfile`.

use std::path::Path;

use crate::plan::Service;
use crate::sys::fs::{self, PathError};
use crate::sys::replacement::replace_named;

/// Writes the files that were asked for. Fails with the path; then none of them is left.
///
/// They are there when the command that has started the container returns: systemd reads a `PIDFile=` at that moment.
pub(super) fn write(service: &Service, init: i32) -> Result<(), PathError> {
    let written = files(service, init).try_for_each(|(path, pid)| {
        // Neither outlives a reboot, so neither need reach the disk.
        replace_named(path, pid.to_string().as_bytes())
    });
    if written.is_err() {
        remove(service, init);
    }
    written
}

/// Removes the files, unless another container has written its own there meanwhile. What cannot be removed stays, and
/// so does what is not a regular file: whatever a container has put in the place of one, the monitor never waits for it.
pub(super) fn remove(service: &Service, init: i32) {
    for (path, pid) in files(service, init) {
        if fs::read_record(path, 32).is_ok_and(|text| text == pid.to_string().as_bytes()) {
            drop(fs::remove_file(path));
        }
    }
}

fn files(service: &Service, init: i32) -> impl Iterator<Item = (&Path, i32)> {
    let monitor = rustix::process::getpid().as_raw_nonzero().get();
    let files = [(&service.conmon_pidfile, monitor), (&service.pidfile, init)];
    files.into_iter().filter_map(|(path, pid)| path.as_deref().map(|path| (path, pid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_whole_and_another_s_is_left_alone() {
        let folder = tempfile::tempdir().expect("folder");
        let service = Service {
            pidfile: Some(folder.path().join("init")),
            conmon_pidfile: Some(folder.path().join("monitor")),
            ..Service::default()
        };
        write(&service, 77).expect("written");
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("file");
        assert_eq!((read("init"), read("monitor")), ("77".to_owned(), std::process::id().to_string()));
        fs::write(folder.path().join("init"), "78").expect("another's");
        remove(&service, 77);
        assert_eq!(read("init"), "78");
        assert!(!folder.path().join("monitor").exists());

        let service = Service { pidfile: Some(folder.path().join("no/such")), ..service };
        assert!(write(&service, 77).is_err());
        assert!(!folder.path().join("monitor").exists());
    }
}
