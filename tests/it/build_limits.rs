//! What bounds a build: a full disk, in each step, and as many layers as the kernel joins.

use std::fs;

use crate::build::{base_archive, build, lab, play, write};
use crate::damage::on_a_small_disk;
use crate::support::{Image, Lab, Layer};

#[test]
fn on_a_full_disk_each_step_fails_with_the_reason_and_gives_everything_back() {
    let lab = Lab::new();
    fs::write(lab.work("image.tar"), base_archive()).expect("written");
    // Half a MiB and more in each of these steps, in two stages.
    let dockerfile = "FROM localhost/base AS one\nRUN seq 100000 >/filled\nCOPY file /file\nADD files.tar /files/\n\
        FROM localhost/base\nCOPY --from=one /filled /\nWORKDIR /w\nRUN seq 100000 >/again; echo done >/x\n";
    write(&lab, "Dockerfile", dockerfile);
    write(&lab, "file", &"a line that is copied\n".repeat(30_000));
    lab.program("tar", ["-cf", "files.tar", "file"]).directory(lab.work("context")).run().exits(0).stdout();
    // The disk is filled, all but some KiB, which are more from one build to the next.
    let script = "
        rc load -q -i image.tar >/dev/null || exit 3
        cd context; room=0; failed=0
        until
            left=$(($(df --output=avail -k \"$XDG_DATA_HOME\" | tail -1) - room))
            head -c ${left}K /dev/zero >\"$XDG_DATA_HOME/fill\" || exit 4
            rc build -q --network none -t made . >/dev/null 2>../said
        do
            code=$?; failed=$((failed + 1))
            # A program finds the disk full, too, and does not say so.
            why='no space left on device'; [ $code = 125 ] || why='RUN seq 100000.* ended with exit code'
            grep -q \"$why\" ../said || { echo \"$room: $code\"; cat ../said; }
            rc builder prune -a -f >/dev/null 2>&1 || echo \"$room: prune ends with $?\"
            # A mark says that a collection is due, which the next command makes.
            (cd \"$XDG_DATA_HOME/rc\" && find tmp trash -mindepth 1 ! -name 'garbage-*')
            rm -f \"$XDG_DATA_HOME/fill\"; room=$((room + 512))
            [ $room -lt 65536 ] || { echo 'it never ends'; exit 5; }
        done
        rm \"$XDG_DATA_HOME/fill\"
        [ $failed -ge 6 ] || echo \"it has failed $failed times\"
        rc run --rm --network none made cat /x";
    on_a_small_disk(&lab, "96m", 20_000, script).run().prints("done\n");
}

#[test]
fn an_image_has_as_many_layers_as_the_kernel_joins() {
    let lab = lab(&[("a", "of the context")]);
    let busybox = fs::read("/bin/busybox").expect("busybox-static is installed");
    let bottom = Layer::new().directory("bin/", 0o755).file("bin/sh", 0o755, &busybox).bytes();
    let load = |count: usize| {
        let layers = (1..count).map(|number| Layer::new().file(&format!("{number}"), 0o644, b"x").bytes());
        let image = layers.fold(Image::new().layer(bottom.clone()), Image::layer);
        lab.rc(["load", "-q"]).input(image.oci_archive("localhost/many:latest")).run().exits(0).stdout();
    };
    // The upper directory, the one for mount points and the new layers are beside these.
    load(480);
    write(&lab, "Dockerfile", "FROM localhost/many\nCOPY a /a\nRUN test -e /1 && test -e /479 && echo x >/479\n");
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["/bin/sh", "-c", "read x </479; echo $x"]).prints("x\n");
    load(501);
    let refused = build(&lab, &[]).exits(125).stderr();
    assert!(refused.contains("no more than 500 layers") && refused.contains("--squash"), "{refused}");
}
