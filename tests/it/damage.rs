//! Damage by a disk: truncated and changed files, no space left, no inodes left.
//!
//! The full disk is a tmpfs of a few MiB in a user and mount namespace of the test, where rc has one ID.

use std::fs;
use std::path::PathBuf;

use crate::support::command::Command;
use crate::support::image::{gzip, hex};
use crate::support::{Image, Lab, Layer, Output};

/// Saves an image for `rc load`, and returns the archive's path.
fn archive(lab: &Lab, name: &str, image: &Image) -> PathBuf {
    let path = lab.work(format!("{name}.tar"));
    fs::write(&path, image.oci_archive(&format!("{name}:latest"))).expect("an archive can be written");
    path
}

/// The file of a blob in the store.
fn blob(lab: &Lab, bytes: &[u8]) -> PathBuf {
    lab.store().join("images/blobs/sha256").join(hex(bytes))
}

fn flip(path: &PathBuf) {
    let mut bytes = fs::read(path).expect("a blob can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("a blob can be changed");
}

fn echo(lab: &Lab) -> Output {
    lab.rc(["run", "--rm", "--network", "none", "--pull", "never", "image", "/payload", "echo", "whole"]).run()
}

#[test]
fn damaged_blobs_are_never_served_and_the_next_load_replaces_them() {
    let lab = Lab::new();
    let image = Image::payload().layer(Layer::new().file("more", 0o644, b"more").bytes());
    let parts = image.parts();
    let path = archive(&lab, "image", &image);
    let load = || lab.rc(["load", "-q", "-i"]).arg(&path).run();
    load().succeeds();
    // A layer that must be unpacked again, from a changed blob.
    for damage in ["flipped", "empty"] {
        let file = blob(&lab, &parts.blobs[0]);
        if damage == "empty" {
            fs::write(&file, "").expect("a blob can be changed")
        } else {
            flip(&file)
        }
        lab.rc(["unshare", "sh", "-c"]).arg(format!("rm -rf {}/layers/*", lab.store().display())).run().succeeds();
        let output = echo(&lab).exits(125);
        let digest = hex(&parts.blobs[0]);
        assert!(
            output.stderr().contains(&format!("blob `sha256:{digest}` in the store is damaged"))
                && output.stderr().ends_with("\nhint: pull the image again: `rc pull IMAGE`\n"),
            "{damage}: {output}"
        );
        load().succeeds();
        echo(&lab).prints("whole\n");
    }
    // A blob that only `save` reads: `save` fails, and the next command finds no damaged file in its place.
    let file = blob(&lab, &parts.blobs[1]);
    flip(&file);
    let save = lab.rc(["save", "-q", "-o", "saved.tar", "image"]).run().exits(125);
    assert!(save.stderr().contains("in the store is damaged"), "{save}");
    assert!(!file.exists());
    echo(&lab).prints("whole\n");
    load().succeeds();
    lab.rc(["save", "-q", "-o", "saved.tar", "image"]).run().succeeds();
    // A configuration or a manifest: rc names the image as damaged, does not touch others, and can remove it.
    let manifest = parts.manifest.to_string().into_bytes();
    for bytes in [&parts.config, &manifest] {
        flip(&blob(&lab, bytes));
        let output = echo(&lab).exits(125);
        assert!(output.stderr().contains("damaged") || output.stderr().contains("no such image"), "{output}");
        lab.rc(["ps", "-a", "-q"]).run().prints("");
        load().succeeds();
        echo(&lab).prints("whole\n");
    }
    flip(&blob(&lab, &manifest));
    lab.rc(["rmi", "image"]).run().succeeds();
    load().succeeds();
    echo(&lab).prints("whole\n");
}

/// A shell script whose `$XDG_DATA_HOME` is a tmpfs of this size and number of inodes; `$RC` is rc, `say` prints a
/// line.
pub(crate) fn on_a_small_disk<'lab>(lab: &'lab Lab, size: &str, inodes: u32, script: &str) -> Command<'lab> {
    let text = format!(
        "set -u\n\
         mount -t tmpfs -o mode=0700,size={size},nr_inodes={inodes} none \"$XDG_DATA_HOME\" || exit 77\n\
         rc() {{ \"$RC\" \"$@\"; }}\n\
         used() {{ df --output=used,iused \"$XDG_DATA_HOME\" | tail -1 | tr -s ' '; }}\n\
         zeros() {{ head -c 1G /dev/zero 2>/dev/null; }}\n\
         fill() {{ zeros >\"$XDG_DATA_HOME/fill\"; zeros >>\"$XDG_DATA_HOME/fill\"; }}\n\
         {script}\n"
    );
    let script = lab.script("script", &text);
    lab.program("unshare", ["--user", "--map-root-user", "--mount", "bash"])
        .arg(script)
        .env("RC_SINGLE_ID", "1")
        .env("RC", Lab::rc_path())
}

#[test]
fn t13_bombs_are_refused_by_the_disk_and_leave_nothing() {
    let lab = Lab::new();
    // 1 GiB of zeros in 1 MiB; a tree of more files than there are inodes.
    let zeros = {
        let mut header = tar::Header::new_gnu();
        header.set_path("zeros").expect("a name");
        header.set_size(1 << 30);
        header.set_mode(0o644);
        header.set_cksum();
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        let block = vec![0; 1 << 20];
        std::io::Write::write_all(&mut packer, header.as_bytes()).expect("gzip in memory");
        for _ in 0..1 << 10 {
            std::io::Write::write_all(&mut packer, &block).expect("gzip in memory");
        }
        std::io::Write::write_all(&mut packer, &[0; 1024]).expect("gzip in memory");
        packer.finish().expect("gzip in memory")
    };
    assert!(zeros.len() < 2 << 20);
    fs::write(lab.work("zeros.tar.gz"), zeros).expect("written");
    let files = (0..20_000).fold(Layer::new(), |layer, number| layer.file(&format!("f/{number}"), 0o644, b""));
    fs::write(lab.work("files.tar.gz"), gzip(&files.bytes())).expect("written");
    let script = "
        rc import -q zeros.tar.gz x 2>first; rc images -q >/dev/null; before=$(used)
        for bomb in zeros files; do
            /usr/bin/env -- \"$PAYLOAD\" peak \"$RC\" import -q $bomb.tar.gz $bomb 2>said; echo $?
            tail -1 said | grep -o 'no space left on device' || cat said
            rc images -q
            [ \"$(used)\" = \"$before\" ] || echo \"$bomb: $before, then $(used)\"
            (cd \"$XDG_DATA_HOME/rc\" && find tmp trash images/blobs/sha256 -mindepth 1)
        done";
    let output = on_a_small_disk(&lab, "24m", 8000, script).env("PAYLOAD", Lab::payload_path()).run().exits(0);
    let said = output.stdout();
    let lines: Vec<&str> = said.lines().collect();
    // The peak of memory in MiB, the code, the reason; twice.
    let [zeros_peak, "125", zeros_why, files_peak, "125", files_why] = lines[..] else { panic!("{output}") };
    assert_eq!((zeros_why, files_why), ("no space left on device", "no space left on device"), "{output}");
    for peak in [zeros_peak, files_peak] {
        assert!(peak.parse::<u32>().is_ok_and(|mib| mib <= 64), "{peak} MiB: {output}");
    }
}

#[test]
fn t13_windows_that_eat_memory_are_refused() {
    let lab = Lab::with_payload();
    // A frame that asks for a window of 2 GiB (`zstd --long=31`): magic, frame header descriptor, window descriptor.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3];
    bomb.extend([0x01, 0x00, 0x00]);
    fs::write(lab.work("bomb.tar.zst"), bomb).expect("written");
    let output = lab.rc(["import", "-q", "bomb.tar.zst", "bomb"]).run().exits(125);
    assert!(output.stderr().starts_with("rc: cannot "), "{output}");
}

#[test]
fn on_a_full_disk_containers_exit_keep_their_codes_and_can_be_removed() {
    let lab = Lab::new();
    archive(&lab, "image", &Image::payload());
    let script = "
        rc load -q -i image.tar >/dev/null || exit
        rc run -d --network none --name stops image /payload sleep >/dev/null || exit
        rc run -d --network none --name ends -i image /payload signals 1 >/dev/null || exit
        rc run -d --network none --name gone image /payload hang >/dev/null || exit
        rc run -d --rm --network none --name passing image /payload sleep >/dev/null || exit
        until rc logs ends 2>/dev/null | grep -q ready; do :; done
        fill; df --output=avail \"$XDG_DATA_HOME\" | tail -1 | tr -d ' '
        echo ps $(rc ps --format '{{.Names}}' | sort) $?
        rc run --rm --network none --name new image /payload exit 7 >/dev/null 2>run; echo run $?
        grep -c 'no space left on device' run
        rc ps -a --format '{{.Names}}' | grep new
        rc kill -s USR1 ends >/dev/null; echo kill $?
        echo wait $(rc wait ends) $?
        rc stop -t 5 stops >/dev/null; echo stop $? $(rc inspect --format '{{.State.ExitCode}} {{.State.Status}}' stops)
        rc stop -t 5 passing >/dev/null; echo stop $? $(rc ps -a --format '{{.Names}}' | grep -c passing)
        rc rm -f gone >/dev/null; echo rm $?
        rc rm stops ends >/dev/null; echo rm $?
        rc ps -a -q
        rc rmi image >/dev/null; echo rmi $?
        rc images -q
        rm \"$XDG_DATA_HOME/fill\"
        rc load -q -i image.tar >/dev/null && rc run --rm --network none image /payload exit 7; echo again $?";
    let output = on_a_small_disk(&lab, "48m", 8000, script).run();
    let expected = "0\nps ends gone passing stops 0\nrun 125\n1\nkill 0\nwait 0 0\nstop 0 0 exited\nstop 0 0\n\
                    rm 0\nrm 0\nrmi 0\nagain 7\n";
    assert_eq!(output.stdout(), expected, "{output}");
}

#[test]
fn without_inodes_containers_exit_and_can_be_removed() {
    let lab = Lab::new();
    archive(&lab, "image", &Image::payload());
    let script = "
        rc load -q -i image.tar >/dev/null || exit
        rc run -d --network none --name box image /payload sleep >/dev/null || exit
        mkdir \"$XDG_DATA_HOME/fill\"; i=0
        while : 2>/dev/null >\"$XDG_DATA_HOME/fill/$((i += 1))\"; do :; done
        df --output=iavail \"$XDG_DATA_HOME\" | tail -1 | tr -d ' '
        rc run --rm --network none image /payload exit 7 >/dev/null 2>&1; echo run $?
        rc stop box >/dev/null; echo stop $?
        rc rm box >/dev/null; echo rm $?
        rc rmi image >/dev/null; echo rmi $?
        rc ps -a -q";
    let output = on_a_small_disk(&lab, "48m", 400, script).run();
    assert_eq!(output.stdout(), "0\nrun 125\nstop 0\nrm 0\nrmi 0\n", "{output}");
}

#[test]
fn without_inodes_a_log_continues() {
    let lab = Lab::new();
    archive(&lab, "image", &Image::payload());
    // Lines of some 100 bytes: ten fill a file. When the inodes end, `young` has one file and `old` has three.
    let script = r#"
        rc load -q -i image.tar >/dev/null || exit
        lines() { seq -f "%05g .................................................." $2 $3 >&$1; }
        numbers() { rc logs $1 2>/dev/null | cut -c1-5; }
        for name in young old; do
            rc run -d -i --network none --log-opt max-size=1k --log-opt max-file=3 --name $name image /payload cat \
                >/dev/null || exit
            mkfifo $name
        done
        for name in young old; do rc attach $name <$name >seen.$name & done
        exec 3>young 4>old
        # What has been seen is in the log once the monitor has gone on to the next piece.
        saw() { until grep -q ^$2 seen.$1; do :; done; }
        feed() { lines $1 $3 $4; saw $2 $4; lines $1 $5 $5; saw $2 $5; }
        feed 3 young 00001 00002 00003
        feed 4 old 00001 00099 00100
        mkdir "$XDG_DATA_HOME/fill"; i=0
        while : 2>/dev/null >"$XDG_DATA_HOME/fill/$((i += 1))"; do :; done
        df --output=iavail "$XDG_DATA_HOME" | tail -1 | tr -d ' '

        # The oldest file gives its inode to the newest.
        for n in 1 2 3 4 5 6 7 8; do feed 4 old 00${n}01 00${n}99 00$((n + 1))00; done
        numbers old | sort -c && [ $(numbers old | wc -l) -ge 20 ]; echo old $? $(numbers old | tail -1)

        # There is none to give: the first file is kept, and what is more than twice as much as it may have is counted.
        feed 3 young 00004 00060 00061
        echo young $(numbers young | head -1)
        rm -r "$XDG_DATA_HOME/fill"
        feed 3 young 00062 00074 00075
        rc logs young 2>&1 >/dev/null | grep -q 'bytes of output were lost here'
        echo young $? $(numbers young | tail -1)
        rc logs -f old >followed &
        for n in 0 1 2 3 4 5 6 7 8; do feed 4 old 01${n}01 01${n}99 01$((n + 1))00; done
        rc kill young old >/dev/null
        wait
        cut -c1-5 followed | sort -c && tail -1 followed | cut -c1-5
        rc rm -a >/dev/null
    "#;
    let output = on_a_small_disk(&lab, "48m", 400, script).run();
    assert_eq!(output.stdout(), "0\nold 0 00900\nyoung 00001\nyoung 0 00075\n01900\n", "{output}");
}
