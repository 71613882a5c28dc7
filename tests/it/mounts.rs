//! `rc mount` and `rc image mount`, within `rc unshare`.

use crate::support::Lab;

/// A lab with an image, a container that runs and one that does not.
fn furnished() -> Lab {
    let lab = Lab::with_payload();
    let create =
        |name: &str| ["create", "--name", name, "--network", "none", "payload", "/payload", "sleep"].map(str::to_owned);
    lab.rc(create("still")).run().succeeds();
    lab.rc(create("up")).run().succeeds();
    lab.rc(["start", "up"]).run().succeeds();
    lab
}

#[test]
fn files_of_images_and_containers_are_seen_within_unshare() {
    let lab = furnished();
    let script = "
        set -e
        image=$(\"$RC\" image mount payload); cmp \"$image/payload\" \"$PAYLOAD\" && echo image
        ! touch \"$image/new\" 2>/dev/null && echo read-only
        [ \"$(\"$RC\" image mount payload)\" = \"$image\" ] && echo same
        still=$(\"$RC\" mount still); cmp \"$still/payload\" \"$PAYLOAD\" && echo still
        up=$(\"$RC\" container mount up); cmp \"$up/payload\" \"$PAYLOAD\" && echo up
        \"$RC\" mount | wc -l; \"$RC\" image mount --format json | grep -c mountpoint
        \"$RC\" image umount payload >/dev/null; [ ! -e \"$image\" ] && echo gone
        \"$RC\" unmount --all >/dev/null; [ ! -e \"$still\" ] && echo gone
        ! \"$RC\" unmount still 2>said; cat said
        \"$RC\" unmount --force still";
    let run =
        lab.rc(["unshare", "/bin/sh", "-c", script]).env("RC", Lab::rc_path()).env("PAYLOAD", Lab::payload_path());
    run.run().prints("image\nread-only\nsame\nstill\nup\n2\n1\ngone\ngone\nrc: `still` is not mounted\n");
    // A mount ends with the shell, and hinders nothing.
    let run = lab.rc(["unshare", Lab::rc_path().to_str().expect("a path"), "mount", "still"]);
    assert!(run.run().text().ends_with("/files"));
    lab.remove_containers();
    lab.rc(["rmi", "payload"]).run().succeeds();
}

#[test]
fn outside_of_unshare_a_mount_is_refused() {
    only!(Full | One);
    let lab = furnished();
    for words in ["mount still", "mount", "unmount still", "image mount payload", "image unmount payload"] {
        lab.rc(words.split(' ')).run().fails(
            125,
            "rc: a mount of yours is seen only within `rc unshare`\n\
             hint: run `rc unshare`, and then the command in its shell\n",
        );
    }
    lab.remove_containers();
}
