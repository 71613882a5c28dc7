//! The attributes of a container's root directory.

use std::fs;

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
