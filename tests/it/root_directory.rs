//! The attributes of a container's root directory.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::support::{Image, Lab, Layer};

#[test]
fn the_root_directory_is_the_image_s_and_later_the_container_s() {
    let lab = Lab::new();
    let closed = Layer::new().directory("./", 0o555).bytes();
    let other = Layer::new().file("other", 0o644, b"x").bytes();
    let image = Image::payload().layer(closed).layer(other);
    let archive = lab.work("image.tar");
    fs::write(&archive, image.docker_archive("localhost/closed:1")).expect("the archive");
    drop(lab.rc(["load", "-q", "-i"]).arg(&archive).run().exits(0));
    lab.payload();
    let mode = |name: &str| {
        let directory = lab.container(lab.rc(["inspect", "-f", "{{.Id}}", name]).run().exits(0).stdout().trim());
        let found = fs::metadata(directory.join("upper")).expect("the writable layer");
        std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o7777
    };
    for (name, image, expected) in [("closed", "localhost/closed:1", 0o555), ("usual", "payload", 0o755)] {
        let words = ["run", "--name", name, "--network", "none", image, "/payload", "exit", "0"];
        lab.rc(words).run().succeeds();
        assert_eq!(mode(name), expected, "{name}");
        // A later start leaves it as it is.
        lab.rc(["start", "-a", name]).run().succeeds();
        assert_eq!(mode(name), expected, "{name}");
    }
    lab.remove_containers();
}

#[test]
fn the_root_directory_has_the_image_s_time_and_extended_attributes() {
    let lab = Lab::new();
    let note = [("SCHILY.xattr.user.note", &b"kept"[..]), ("SCHILY.xattr.user.overlay.note", b"no"), ("mtime", b"7.5")];
    // What rc mounts has a place already, so nothing changes the time.
    let places = ["dev", "proc", "sys", "etc", "run"]
        .into_iter()
        .fold(Layer::new(), |layer, place| layer.directory(place, 0o755));
    let files = ["etc/hosts", "etc/hostname", "etc/resolv.conf"].into_iter();
    let places = files.fold(places, |layer, file| layer.file(file, 0o644, b""));
    let image = Image::payload().layer(places.extended(note).directory("./", 0o755).bytes());
    let archive = lab.work("image.tar");
    fs::write(&archive, image.docker_archive("localhost/noted:1")).expect("the archive");
    drop(lab.rc(["load", "-q", "-i"]).arg(&archive).run().exits(0));
    lab.rc(["run", "--name", "box", "--network", "none", "noted:1", "/payload", "exit", "0"]).run().succeeds();
    let upper = lab.container(lab.rc(["inspect", "-f", "{{.Id}}", "box"]).run().exits(0).stdout().trim()).join("upper");
    let found = fs::metadata(&upper).expect("the writable layer");
    assert_eq!((found.mtime(), found.mtime_nsec()), (7, 500_000_000));
    let mut value = [0; 16];
    let length = rustix::fs::lgetxattr(&upper, "user.note", &mut value[..]).expect("an attribute");
    assert_eq!(&value[..length], b"kept");
    assert!(rustix::fs::lgetxattr(&upper, "user.overlay.note", &mut value[..]).is_err());
    lab.remove_containers();
}
