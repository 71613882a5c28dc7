//! Writing limits to a cgroup and reading them back: when it is created, and later all or none.

use oci_spec::runtime::LinuxResources;

use super::directory::Directory;
use super::limits::Setting;
use super::{Error, Group, Own, RequestedLimits, controllers, limits, locate};
use crate::sys::fs::PathError;

/// Sets one limit, and checks that the kernel has it.
pub(super) fn set(directory: &Directory, setting: &Setting) -> Result<(), Error> {
    write(directory, setting)?;
    let found = directory.read(&setting.read_back()).map_err(absent(setting))?;
    if setting.holds(&found) {
        return Ok(());
    }
    Err(Error::NotTaken { limit: setting.file.clone(), asked: setting.value.clone(), found: found.trim().to_owned() })
}

fn write(directory: &Directory, setting: &Setting) -> Result<(), Error> {
    match directory.write(&setting.file, &setting.value) {
        Err(error) if error.source.raw_os_error() == Some(libc::ENODEV) && setting.controller() == "io" => {
            Err(Error::NoDevice { limit: setting.file.clone(), asked: setting.value.clone() })
        }
        Err(error) if !error.is_not_found() => {
            let (limit, asked) = (setting.file.clone(), setting.value.clone());
            Err(Error::Refused { limit, asked, source: error.source })
        }
        other => other.map_err(absent(setting)),
    }
}

fn absent(setting: &Setting) -> impl FnOnce(PathError) -> Error {
    let limit = setting.file.clone();
    move |error| if error.is_not_found() { Error::NoFile { limit } } else { error.into() }
}

/// The setting whose file this kernel has.
fn present<'a>(directory: &Directory, setting: &'a Setting) -> &'a Setting {
    match &setting.instead {
        Some(instead) if matches!(directory.read(&setting.file), Err(error) if error.is_not_found()) => instead,
        _ => setting,
    }
}

/// Sets a limit, or its alternative if this kernel does not have its file.
pub(super) fn set_present(directory: &Directory, setting: &Setting) -> Result<(), Error> {
    set(directory, present(directory, setting))
}

impl RequestedLimits<'_> {
    /// The requested weights of CPUs and of block devices, 1 to 10000: for a cgroup around the container's own.
    pub fn weights(&self) -> (Option<u64>, Option<u64>) {
        let Some(resources) = self.resources else { return (None, None) };
        let shares = resources.cpu().as_ref().and_then(|cpu| cpu.shares()).filter(|shares| *shares != 0);
        let blocks = resources.block_io().as_ref().and_then(|io| io.weight()).filter(|weight| *weight != 0);
        (shares.map(limits::weight), blocks.map(limits::io::cost))
    }
}

impl Group {
    /// Changes the limits of the cgroup and the processes in it: all of them, or none.
    ///
    /// Fails if a controller is not available, or the kernel refuses a value; the limits are as before then.
    pub fn update(&self, resources: &LinuxResources) -> Result<(), Error> {
        let settings =
            RequestedLimits { resources: Some(resources), default_pids: None, is_divided: false }.settings()?;
        let (parent, _) = self.path().rsplit_once('/').unwrap_or(("", ""));
        let path = if parent.is_empty() { "/" } else { parent };
        if let Some(directory) = locate::open(path)? {
            controllers::enable(&Own { directory, path: path.to_owned() }, &settings)?;
        }
        let directory = self.directory();
        let mut done: Vec<(&Setting, String)> = Vec::new();
        for setting in &settings {
            let setting = present(directory, setting);
            let before = directory.read(&setting.file).map_err(absent(setting));
            let changed = before.and_then(|before| {
                done.push((setting, before));
                set(directory, setting)
            });
            if let Err(error) = changed {
                for (setting, before) in done.iter().rev() {
                    // The first error is the one to report; the kernel accepts a value that was there before.
                    drop(directory.write(&setting.file, &setting.undo(before)));
                }
                return Err(error);
            }
        }
        Ok(())
    }
}
