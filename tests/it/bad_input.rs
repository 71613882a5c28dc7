//! What goes wrong with images, volumes and registries on a bad day: each time a code, a message that names the
//! subject, and nothing left half-made.

use std::fs;

use crate::damage::on_a_small_disk;
use crate::support::{Image, Lab, Layer, Page, Web};

/// Commands that write, each with what must be in its message. `$XDG_DATA_HOME` is the disk.
const WRITERS: &str = "
    tries() {
        while read -r words; do
            eval \"rc $words\" >/dev/null 2>said && echo \"$words: has worked\" && continue
            code=$?
            grep -q \"$1\" said && ! grep -q internal said && [ $code = 125 ] || { echo \"$words: $code\"; cat said; }
        done <<-'END'
\t\tload -q -i second.tar
\t\timport -q layer.tar imported
\t\ttag first:1 first:2
\t\tvolume create more
\t\tcreate --name more --network none first:1 /payload
\t\tcommit -q kept committed
\t\tsave -q -o \"$XDG_DATA_HOME/saved.tar\" first:1
\t\tsave -q --format oci-dir -o \"$XDG_DATA_HOME/saved\" first:1
\t\tvolume import data layer.tar
\tEND
        [ ! -e \"$XDG_DATA_HOME/saved.tar\" ] || echo saved.tar is left
        rc images --format '{{.Repository}}:{{.Tag}}'; rc volume ls -q; rc ps -a --format '{{.Names}}'
    }
    furnish() {
        rc load -q -i first.tar >/dev/null && rc volume create data >/dev/null &&
            rc create --name kept --network none first:1 /payload exit 3 >/dev/null || exit 77
    }
    clear() {
        rc rm kept >/dev/null; echo rm $?
        rc volume rm data >/dev/null; echo volume rm $?
        rc rmi first:1 >/dev/null; echo rmi $?
        rc system prune -af --volumes >/dev/null; echo prune $?
    }";

fn archives(lab: &Lab) {
    let second = Image::new().layer(Layer::new().file("large", 0o644, &[7; 600_000]).bytes());
    for (name, bytes) in [
        ("first.tar", Image::payload().oci_archive("first:1")),
        ("second.tar", second.oci_archive("second:1")),
        ("layer.tar", Layer::new().file("large", 0o644, &[9; 600_000]).bytes()),
    ] {
        fs::write(lab.work(name), bytes).expect("an archive can be written");
    }
}

const FURNISHED: &str = "localhost/first:1\ndata\nkept\n";
const CLEARED: &str = "rm 0\nvolume rm 0\nrmi 0\nprune 0\n";

#[test]
fn on_a_full_disk_every_command_says_so_and_removing_works() {
    let lab = Lab::new();
    archives(&lab);
    let full = "furnish; fill; tries 'no space left on device'; clear; rm \"$XDG_DATA_HOME/fill\"";
    let script = format!("{WRITERS}\n{full}");
    let output = on_a_small_disk(&lab, "48m", 8000, &script).run();
    assert_eq!(output.stdout(), format!("{FURNISHED}{CLEARED}"), "{output}");
}

#[test]
fn without_inodes_every_command_says_so_and_removing_works() {
    let lab = Lab::new();
    archives(&lab);
    let script = format!(
        "{WRITERS}\nfurnish; mkdir \"$XDG_DATA_HOME/fill\"; i=0
        while : 2>/dev/null >\"$XDG_DATA_HOME/fill/$((i += 1))\"; do :; done
        tries 'no space left on device'; clear"
    );
    let output = on_a_small_disk(&lab, "48m", 400, &script).run();
    assert_eq!(output.stdout(), format!("{FURNISHED}{CLEARED}"), "{output}");
}

#[test]
fn in_a_read_only_home_every_command_says_so() {
    let lab = Lab::new();
    archives(&lab);
    let script = format!(
        "{WRITERS}\nfurnish; mount -o remount,bind,ro \"$XDG_DATA_HOME\" || exit 77
        tries 'read-only file system'
        for words in 'rm kept' 'volume rm data' 'rmi first:1'; do rc $words >/dev/null 2>said; echo $?; done
        mount -o remount,bind,rw \"$XDG_DATA_HOME\"; clear"
    );
    let output = on_a_small_disk(&lab, "48m", 8000, &script).run();
    assert_eq!(output.stdout(), format!("{FURNISHED}125\n125\n125\n{CLEARED}"), "{output}");
}

#[test]
fn without_a_runtime_directory_everything_works() {
    let lab = Lab::with_payload();
    let rc = |words: &str| lab.rc(words.split(' ')).no_env("XDG_RUNTIME_DIR").run();
    drop(rc("run --rm --network none payload /payload exit 4").exits(4));
    rc("run -d --name up --network none payload /payload sleep").succeeds();
    rc("exec up /payload exit 0").says_nothing();
    rc("rm -f up").succeeds();
    // There is no login yet, and the file for one is in the configuration then.
    rc("login --get-login h.example").fails(125, "rc: not logged in to `h.example`\n");
}

#[test]
fn what_a_registry_refuses_is_said_by_every_command_that_asks_it() {
    let lab = Lab::with_payload();
    for (status, header, said) in [
        (401, "WWW-Authenticate: Basic realm=\"r\"", "hint: log in with `rc login`"),
        (403, "X: y", "access to"),
        (404, "X: y", "not found in the registry"),
        (429, "Retry-After: 0", "429"),
        (503, "X: y", "503"),
    ] {
        let registry = Web::new();
        let headers = vec![header.to_owned()];
        registry.page("*", Page { status, headers, body: b"{}".to_vec(), ..Page::default() });
        let host = &registry.address;
        let name = format!("{host}/team/app:1");
        for words in [
            &["pull", "-q", "--retry", "0", &name][..],
            &["run", "--rm", "-q", "--retry", "0", "--network", "none", &name, "/payload"],
            &["create", "-q", "--retry", "0", &name, "/payload"],
            &["search", "--list-tags", &name],
        ] {
            let output = lab.rc(words).run().exits(125);
            let stderr = output.stderr();
            let message = stderr.lines().next().unwrap_or_default();
            assert!(message.starts_with("rc: ") && message.contains(host), "{status}: {output}");
            assert!(stderr.contains(said), "{status}: {output}");
        }
        let output = lab.rc(["push", "-q", "--retry", "0", "payload", &name]).run().exits(125);
        assert!(output.stderr().contains(host), "{status}: {output}");
    }
    assert_eq!(lab.rc(["images", "-q"]).run().text().lines().count(), 1);
    assert_eq!(lab.rc(["ps", "-aq"]).run().text(), "");
}

#[test]
fn escape_sequences_in_arguments_reach_no_terminal() {
    let lab = Lab::with_payload();
    let hostile = "a\u{1b}[2J\u{9b}31m\u{202e}b\r\u{7}";
    let hostile_option = &format!("podman:alias={hostile}");
    for words in [
        &["pull", hostile][..],
        &["push", "payload", hostile],
        &["tag", "payload", hostile],
        &["rmi", hostile],
        &["run", "--rm", hostile],
        &["run", "--rm", "--name", hostile, "payload"],
        &["create", "--platform", hostile, "payload"],
        &["save", "-o", "x.tar", hostile],
        &["load", "-i", hostile],
        &["import", hostile],
        &["login", "-u", "a", "-p", "b", hostile],
        &["logout", hostile],
        &["search", hostile],
        &["history", hostile],
        &["inspect", hostile],
        &["image", "inspect", hostile],
        &["volume", "create", hostile],
        &["volume", "inspect", hostile],
        &["network", "create", hostile],
        &["network", "create", "--driver", hostile, "x"],
        &["network", "create", "--subnet", hostile, "x"],
        &["network", "create", "--gateway", hostile, "--subnet", "10.9.0.0/24", "x"],
        &["network", "create", "--ip-range", hostile, "--subnet", "10.9.0.0/24", "x"],
        &["network", "create", "--aux-address", hostile, "x"],
        &["network", "create", "--route", hostile, "x"],
        &["network", "create", "--opt", hostile, "x"],
        &["network", "create", "--dns", hostile, "x"],
        &["network", "create", "--interface-name", hostile, "x"],
        &["network", "rm", hostile],
        &["network", "inspect", hostile],
        &["network", "connect", hostile, "c"],
        &["network", "connect", "podman", hostile],
        &["network", "disconnect", hostile, "c"],
        &["network", "update", "--dns-add", hostile, "podman"],
        &["network", "reload", hostile],
        &["network", "ls", "--filter", hostile],
        &["run", "--rm", "--network", hostile, "payload"],
        &["run", "--rm", "--network", hostile_option, "payload"],
        &["run", "--rm", "--network", "podman", "--network-alias", hostile, "payload"],
        &["run", "--rm", "--network", "podman", "--ip", hostile, "payload"],
        &["run", "--rm", "--network", "podman", "--mac-address", hostile, "payload"],
        &["run", "--rm", "--dns", hostile, "payload"],
        &["run", "--rm", "--add-host", hostile, "payload"],
        &["run", "--rm", "--publish", hostile, "payload"],
        &["run", "--rm", "--pod", hostile, "payload"],
        &["pod", "create", hostile],
        &["pod", "rm", hostile],
        &["images", "--filter", hostile],
        &["ps", "--filter", hostile],
        &["ps", hostile],
        &[hostile],
        &["--log-level", hostile, "ps"],
        &["--root", "r", "--storage-driver", hostile, "ps"],
    ] {
        for globals in [&[][..], &["--error-format", "json"]] {
            let output = lab.rc(globals).args(words).run();
            let said = output.stderr();
            assert!(!said.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\r', '\u{7}']), "{words:?}: {said:?}");
            assert!(!said.is_empty() && output.exit != crate::support::Exit::Code(0), "{output}");
        }
    }
}
