use crate::plan::{self, MountRequest, Request};
use crate::types::Report;

/// The container's files: its mounts, and whether the root filesystem can be written to.
#[derive(Debug, Default, clap::Args)]
pub(super) struct MountArgs {
    /// Directories with a root filesystem of their own, which get /etc/hosts, /etc/hostname and /etc/resolv.conf, too
    #[arg(long, value_name = "DIR")]
    chrootdirs: Vec<String>,
    /// Tells how to handle the image's volumes: bind, anonymous, tmpfs or ignore
    #[arg(long, value_name = "MODE")]
    image_volume: Option<String>,
    /// Attach a filesystem mount: type=bind|volume|tmpfs|image|ramfs|devpts|glob,src=SOURCE,dst=DIR[,KEY=VALUE...]
    #[arg(long, value_name = "MOUNT")]
    mount: Vec<String>,
    /// Make the container's root filesystem read-only
    #[arg(long)]
    read_only: bool,
    /// With --read-only, mount a read-write tmpfs on /run, /tmp and /var/tmp (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    read_only_tmpfs: Option<bool>,
    /// Use the directory of this path instead of an image: DIR, or DIR:O to keep it unchanged
    #[arg(long)]
    rootfs: bool,
    /// Size of /dev/shm (format: NUMBER[UNIT], where UNIT = b, k, m or g)
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Mount a temporary filesystem (tmpfs) into a container
    #[arg(long, value_name = "DIR[:OPTIONS]")]
    tmpfs: Vec<String>,
    /// Bind mount a volume into the container: [SOURCE|NAME:]DIR[:OPTIONS]
    #[arg(short, long, value_name = "VOLUME", allow_hyphen_values = true)]
    volume: Vec<String>,
    /// Mount volumes from the specified container(s): CONTAINER[:OPTIONS]
    #[arg(long, value_name = "CONTAINER")]
    volumes_from: Vec<String>,
}

impl MountArgs {
    /// Fills in the mounts' part of the request. Fails if a volume is not in the grammar of `--volume`.
    pub(super) fn fill(self, request: &mut Request) -> Result<(), Report> {
        request.chroot_dirs = self.chrootdirs;
        request.image_volume = self.image_volume;
        request.volumes_from = self.volumes_from;
        request.read_only = self.read_only;
        request.rootfs = self.rootfs;
        request.read_only_tmpfs = self.read_only_tmpfs;
        request.shm_size = self.shm_size;
        let volumes = self.volume.iter().map(|text| MountRequest::from_volume(text));
        let tmpfs = self.tmpfs.iter().map(|text| Ok(MountRequest::from_tmpfs(text)));
        let mounts = self.mount.iter().map(|text| MountRequest::from_mount(text));
        request.mounts = volumes.chain(tmpfs).chain(mounts).collect::<Result<_, plan::Error>>()?;
        Ok(())
    }
}
