//! COPY: what is written into a layer, over what is below it, and what is linked from an earlier layer.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::support::{Image, Lab, Layer, Output};

/// An image with busybox, `localhost/base`, and a context of these files.
fn lab(files: &[(&str, &str)]) -> Lab {
    let lab = Lab::new();
    let busybox = fs::read("/bin/busybox").expect("busybox-static is installed");
    let mut layer = Layer::new().directory("./", 0o555).directory("bin/", 0o755).file("bin/busybox", 0o755, &busybox);
    for tool in ["sh", "cat", "echo", "ls", "ln", "mkdir", "rm", "chmod", "stat"] {
        layer = layer.symlink(&format!("bin/{tool}"), "busybox");
    }
    let layer = layer
        .directory("old/", 0o755)
        .file("old/below", 0o644, b"below")
        .directory("usr/", 0o755)
        .directory("usr/lib/", 0o755)
        .symlink("lib", "usr/lib")
        .symlink("away", "/../../../outside")
        .directory("tmp/", 0o1777)
        .bytes();
    let config = serde_json::json!({ "Env": ["PATH=/bin"], "Cmd": ["sh"] });
    let archive = Image::new().layer(layer).config(config).oci_archive("localhost/base:latest");
    lab.rc(["load", "-q"]).input(archive).run().exits(0).stdout();
    for (name, text) in files {
        write(&lab, name, text);
    }
    lab
}

fn write(lab: &Lab, name: &str, text: &str) {
    let path = lab.work("context").join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

fn build(lab: &Lab, name: &str) -> Output {
    lab.rc(["build", "-q", "-t", name]).arg(lab.work("context")).run()
}

fn play(lab: &Lab, image: &str, script: &str) -> Output {
    lab.rc(["run", "--rm", "--network", "none", image, "sh", "-c", script]).run()
}

/// The files of the newest layer of an image, in the store.
fn newest_layer(lab: &Lab, image: &str) -> PathBuf {
    let found = lab.rc(["image", "inspect", image]).run().json();
    let layers = found[0]["RootFS"]["Layers"].as_array().expect("layers").clone();
    let name = layers.last().and_then(|layer| layer.as_str()).expect("a layer").replace(':', "-");
    let maps = fs::read_dir(lab.store().join("layers")).expect("lists").flatten();
    maps.map(|map| map.path().join(&name).join("fs")).find(|path| path.exists()).expect("unpacked")
}

#[test]
fn what_lower_layers_hide_stays_hidden_below_what_is_copied() {
    let dockerfile = "FROM localhost/base\nRUN rm -r /old\nCOPY a /old/\nRUN rm -r /old && mkdir /old\nCOPY b /old/b\n";
    let lab = lab(&[("Dockerfile", dockerfile), ("a", "a"), ("b", "b")]);
    build(&lab, "localhost/made").exits(0).stdout();
    play(&lab, "localhost/made", "ls /old").prints("b\n");
    // The same from an archive, without any overlay of this host.
    let archive = lab.rc(["save", "localhost/made"]).run().exits(0).stdout;
    lab.rc(["rmi", "-f", "localhost/made"]).run().exits(0).stdout();
    lab.rc(["load", "-q"]).input(archive).run().exits(0).stdout();
    play(&lab, "localhost/made", "ls /old").prints("b\n");
}

#[test]
fn directories_on_the_way_keep_what_they_are() {
    let dockerfile = "FROM localhost/base\nRUN mkdir -m 2775 /shared\nCOPY a /tmp/\nCOPY a /shared/\nCOPY a /lib/\n\
        COPY a /new/dir/\nCOPY tree /\n";
    let lab = lab(&[("Dockerfile", dockerfile), ("a", "a"), ("tree/usr/lib/b", "b")]);
    build(&lab, "localhost/made").exits(0).stdout();
    play(
        &lab,
        "localhost/made",
        "stat -c '%n %a %u:%g' / /tmp /shared /shared/a /new /new/dir /lib /usr/lib/a /usr/lib/b",
    )
    .prints(
        "/ 555 0:0\n/tmp 1777 0:0\n/shared 2775 0:0\n/shared/a 644 0:0\n/new 755 0:0\n/new/dir 755 0:0\n\
             /lib 777 0:0\n/usr/lib/a 644 0:0\n/usr/lib/b 644 0:0\n",
    );
}

#[test]
fn b6_no_link_of_an_image_leads_a_copy_out_of_its_root() {
    let dockerfile = "FROM localhost/base\nCOPY a /away/x\nCOPY a /away/deep/\nRUN ln -s ../../../../outside /tmp/up\n\
        COPY a /tmp/up/y\n";
    let lab = lab(&[("Dockerfile", dockerfile), ("a", "a")]);
    let outside = lab.work("outside");
    fs::create_dir(&outside).expect("made");
    build(&lab, "localhost/made").exits(0).stdout();
    play(&lab, "localhost/made", "ls /outside /outside/deep").prints("/outside:\ndeep\nx\ny\n\n/outside/deep:\na\n");
    assert_eq!(fs::read_dir(&outside).expect("lists").count(), 0);
    assert!(!Path::new("/outside").exists());
    write(&lab, "tree/usr/file", "x");
    write(&lab, "Dockerfile", "FROM localhost/base\nCOPY a /usr\nCOPY tree /bin/busybox/\n");
    let refused = build(&lab, "localhost/other").exits(125).stderr();
    assert!(refused.contains("`/bin/busybox/`") && refused.contains("not a directory"), "{refused}");
}

#[test]
fn what_has_not_changed_is_linked_from_the_former_layer_which_stays_as_it_was() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nCOPY tree /tree\n"), ("tree/changed", "one")]);
    for number in 0..200 {
        write(&lab, &format!("tree/{}/{number}", number % 3), &number.to_string());
    }
    let mode = |name: &str, mode| {
        fs::set_permissions(lab.work("context").join(name), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    mode("tree/0/0", 0o640);
    build(&lab, "localhost/first").exits(0).stdout();
    write(&lab, "tree/changed", "two");
    mode("tree/0/0", 0o600);
    build(&lab, "localhost/second").exits(0).stdout();
    let (first, second) = (newest_layer(&lab, "localhost/first"), newest_layer(&lab, "localhost/second"));
    let inode = |layer: &Path, name: &str| fs::metadata(layer.join("tree").join(name)).expect("there").ino();
    for number in 1..200 {
        let name = format!("{}/{number}", number % 3);
        assert_eq!(inode(&first, &name), inode(&second, &name), "{name}");
    }
    for name in ["changed", "0/0"] {
        assert_ne!(inode(&first, name), inode(&second, name), "{name}");
    }
    play(&lab, "localhost/second", "echo x >>/tree/1/1; chmod 600 /tree/1/4; cat /tree/1/1 /tree/changed")
        .prints("1x\ntwo");
    play(&lab, "localhost/first", "cat /tree/1/1 /tree/changed; stat -c %a /tree/1/4 /tree/0/0")
        .prints("1one644\n640\n");
    lab.rc(["rmi", "-f", "localhost/first"]).run().exits(0).stdout();
    lab.rc(["builder", "prune", "-a", "-f"]).run().exits(0).stdout();
    play(&lab, "localhost/second", "cat /tree/1/1; ls /tree/2 | busybox wc -l").prints("166\n");
    // cron leaves a table with several links out.
    write(&lab, "Dockerfile", "FROM localhost/base\nCOPY tree /etc/cron.d\n");
    build(&lab, "localhost/third").exits(0).stdout();
    write(&lab, "tree/changed", "three");
    build(&lab, "localhost/third").exits(0).stdout();
    play(&lab, "localhost/third", "stat -c %h /etc/cron.d/1/1").prints("1\n");
    // A build at a set time changes the times of files, and those of no other image.
    lab.rc(["build", "-q", "--timestamp", "1000"]).arg(lab.work("context")).run().exits(0).stdout();
    assert_ne!(fs::metadata(second.join("tree/1/1")).expect("there").mtime(), 1000);
}
