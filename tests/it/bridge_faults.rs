//! Networks with names on hosts that lack something, and where something has broken.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};

use crate::damage::on_a_small_disk;
use crate::support::machines::on_two_machines;
use crate::support::processes::{children, kill, limit_descriptors, processes, rests};
use crate::support::{Lab, wait};

/// A lab with the payload and a network `app` with this subnet.
fn lab(subnet: &str) -> Lab {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "--subnet", subnet, "app"]).run().prints("app\n");
    lab
}

#[track_caller]
fn start(lab: &Lab, name: &str, words: &[&str]) {
    lab.rc(["run", "-d", "--network", "app", "--name", name, "payload", "/payload"]).args(words).run().succeeds();
    lab.ready(name);
}

#[track_caller]
fn address(lab: &Lab, name: &str) -> String {
    crate::support::address(lab, name, "app")
}

/// As whom the containers of a network reach another machine, and as whom that reaches them.
const BOTH_WAYS: &str = "
    rc network create --subnet 10.91.7.0/24 app >id
    serve greet 9
    rc run -d --network app --name web -p 8080:7 payload /payload greet 7 >id
    rc run -d --network app --name two payload /payload hang >id
    ready web; ready two
    for name in web two web two; do rc exec $name /payload greeted 192.0.2.7:9; done
    machine \"$PAYLOAD\" greeted 192.0.2.1:8080
    rc exec two /payload greeted 10.91.7.2:7
    rc rm -f -t 0 -a >id
    rc network rm app >id";

#[test]
fn without_nf_tables_slirp4netns_serves_all_and_clients_come_from_the_gateway() {
    require!(program "ip");
    require!(program "slirp4netns");
    let lab = Lab::with_payload();
    let run = on_two_machines(&lab, BOTH_WAYS).run().exits(0).stdout();
    assert_eq!(run, "192.0.2.1\n192.0.2.1\n192.0.2.1\n192.0.2.1\n192.0.2.7\n10.91.7.3\n", "with it");
    let wrapper = format!("{} without-netfilter", Lab::payload_path().display());
    let run = on_two_machines(&lab, BOTH_WAYS).env("WRAPPER", wrapper).run().exits(0).stdout();
    assert_eq!(run, "192.0.2.1\n192.0.2.1\n192.0.2.1\n192.0.2.1\n10.91.7.1\n10.91.7.3\n", "without it");
}

#[test]
fn where_only_pasta_is_installed_it_serves_all_unless_nf_tables_is_missing() {
    require!(program "ip");
    require!(program "pasta");
    let lab = Lab::with_payload();
    // Whatever network the helper has elsewhere. pasta of 2023 has been seen to leave connections without an answer.
    let both_ways = BOTH_WAYS
        .replace("10.91.7.", "10.0.2.")
        .replace("create --subnet", "create --ipv6 --subnet fd00::/64 --subnet")
        .replace("rc exec $name /payload greeted", "greeted $name")
        .replace("rc rm -f", "greeted two '[2001:db8::7]:9'; rc rm -f");
    let greeted = r#"greeted() { for _ in 1 2 3; do rc exec "$1" /payload greeted "$2" && return; done; false; }"#;
    let only_pasta = format!(
        "{greeted}\nmount --bind /dev/null /usr/bin/slirp4netns; ip route add default via 2001:db8::7\n{both_ways}"
    );
    let run = on_two_machines(&lab, &only_pasta).run().exits(0).stdout();
    assert_eq!(run, "192.0.2.1\n192.0.2.1\n192.0.2.1\n192.0.2.1\n192.0.2.7\n10.0.2.3\n2001:db8::1\n");
    let refused = "
        mount --bind /dev/null /usr/bin/slirp4netns
        rc network create app >id
        set +e
        rc run --network app payload /payload exit 0; echo $?
        rc ps -a -q
        rc network rm app";
    let wrapper = format!("{} without-netfilter", Lab::payload_path().display());
    let output = on_two_machines(&lab, refused).env("WRAPPER", wrapper).run();
    assert_eq!(output.stdout(), "125\napp\n", "{output}");
    let words = "network `app`: pasta needs nf_tables, which the kernel does not have, and slirp4netns not found";
    assert!(output.stderr().contains(words), "{output}");
}

#[test]
fn doctor_says_of_networks_what_a_run_does() {
    require!(program "ip");
    require!(program "pasta");
    require!(program "slirp4netns");
    let lab = Lab::with_payload();
    let script = "
        for hidden in $HIDDEN; do mount --bind /dev/null /usr/bin/$hidden; done
        rc network create app >id
        set +e
        rc doctor | sed -n '/^bridge/,/^memory/p' | grep -v ^memory
        rc run --rm --network app payload /payload exit 0 2>refused; echo exit $?
        rc network rm app >id";
    let without_filter = format!("{} without-netfilter", Lab::payload_path().display());
    for (hidden, wrapper, words) in [
        ("", "", &["ok", "the way out is slirp4netns\nexit 0"][..]),
        ("slirp4netns", "", &["ok", "the way out is pasta: slirp4netns not found\nexit 0"]),
        (
            "slirp4netns pasta",
            "",
            &["limited", "disables: `--network NAME`, unless the network is internal", "exit 125"],
        ),
        (
            "",
            &without_filter,
            &[
                "limited",
                "bridge and veth work; the way out is slirp4netns; the kernel has no nf_tables\n",
                "in networks with names: IPv6 to the outside, and the addresses of clients of published ports",
                "fix: `sudo modprobe -a nf_tables",
                "exit 0",
            ],
        ),
        (
            "slirp4netns",
            &without_filter,
            &["limited", "which pasta needs", "fix: `sudo apt install slirp4n", "exit 125"],
        ),
    ] {
        let mut command = on_two_machines(&lab, script).env("HIDDEN", hidden);
        if !wrapper.is_empty() {
            command = command.env("WRAPPER", wrapper);
        }
        let said = command.run().stdout();
        for word in words {
            assert!(said.contains(word), "`{word}` is not in: {said} ({hidden}, {wrapper})");
        }
    }
}

#[test]
fn a_network_with_ipv6_reaches_the_world_by_it() {
    require!(program "ip");
    require!(program "slirp4netns");
    let lab = Lab::with_payload();
    let script = "
        rc network create --subnet 10.91.7.0/24 --ipv6 --subnet fd00:91:7::/64 app >id
        # What slirp4netns has itself; it answers for the members' addresses, too.
        rc network create --subnet 10.0.2.0/24 --ipv6 --subnet fd00::/64 same >id
        serve greet 9
        for network in app same; do
            rc run -d --network $network --name $network payload /payload hang >id
            rc run -d --network $network --name to-$network payload /payload greet 7 >id
            ready $network
            ready to-$network
            rc exec $network /payload greeted '[2001:db8::7]:9'
            rc exec $network /payload greeted 192.0.2.7:9
        done
        rc exec same /payload greeted '[fd00::3]:7'
        rc exec same /payload greeted 10.0.2.3:7
        rc rm -f -t 0 -a >id
        rc network rm same >id
        rc network create --ipv6 --subnet fd00::/48 wide >id
        rc run -d --network wide --name wide payload /payload hang >id
        ready wide
        rc exec wide /payload greeted '[2001:db8::7]:9'
        rc rm -f -t 0 -a >id";
    let run = on_two_machines(&lab, script).run().exits(0).stdout();
    let both = "2001:db8::1\n192.0.2.1\n";
    assert_eq!(run, format!("{both}{both}fd00::2\n10.0.2.2\n2001:db8::1\n"));
}

#[test]
fn a_strict_filter_of_reverse_paths_changes_nothing() {
    require!(program "ip");
    require!(program "slirp4netns");
    let lab = Lab::with_payload();
    // New namespaces have the host's.
    let strict = "
        for file in all default; do echo 1 >/proc/sys/net/ipv4/conf/$file/rp_filter; done
        rc network create --subnet 10.91.7.0/24 app >id
        serve greet 9
        rc run -d --network app --name web -p 8080:7 payload /payload greet 7 >id
        ready web
        for monitor in $(grep -lz \"^XDG_DATA_HOME=$XDG_DATA_HOME$\" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3); do
            [ \"$(cat /proc/$monitor/comm)\" = 'rc: web' ] && break
        done
        strict() { nsenter \"$@\" sh -c 'for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 >$file; done'; }
        for space in /proc/$monitor/fd/*; do
            case $(readlink $space) in net:*) strict --net=$space;; esac
        done
        strict --preserve-credentials --user --net --target $(rc inspect --format '{{.State.Pid}}' web)
        rc exec web /payload greeted 192.0.2.7:9
        machine \"$PAYLOAD\" greeted 192.0.2.1:8080
        rc rm -f -t 0 -a >id";
    let run = on_two_machines(&lab, strict).run().exits(0).stdout();
    assert_eq!(run, "192.0.2.1\n192.0.2.7\n");
}

#[test]
fn a_subnet_to_which_the_host_has_a_route_is_not_given() {
    require!(program "ip");
    require!(program "slirp4netns");
    let lab = Lab::with_payload();
    let script = "
        ip route add 10.89.0.0/23 via 192.0.2.7
        ip addr add 10.89.2.77/24 dev here
        # Elsewhere the way out has these addresses itself.
        ip addr add 10.0.2.1/24 dev here
        machine ip addr add 10.0.2.7/24 dev there
        serve greet 9
        for name in a b; do
            rc network create $name >id
            rc network inspect --format '{{range .Subnets}}{{.Subnet}}{{end}}' $name
        done
        rc run --rm --network a payload /payload greeted 10.0.2.7:9
        rc network rm a b >id";
    let run = on_two_machines(&lab, script).run().exits(0).stdout();
    assert_eq!(run, "10.89.3.0/24\n10.89.4.0/24\n10.0.2.1\n");
}

#[test]
fn an_orphan_keeps_its_address_until_it_ends() {
    let lab = lab("10.91.9.0/29");
    start(&lab, "other", &["tcp", "7"]);
    start(&lab, "orphan", &["outlive", "7"]);
    let orphan = address(&lab, "orphan");
    for monitor in processes(&lab, "rc: orphan") {
        kill(monitor);
    }
    wait::until("it is an orphan", || {
        (lab.rc(["inspect", "--format", "{{.State.Status}}", "orphan"]).run().text().trim() == "orphaned").then_some(())
    });
    // It still talks to the others, and nobody gets its address, however often the others go round.
    let asked = lab.rc(["exec", "other", "/payload", "ask", "tcp", &format!("{orphan}:7"), "alive"]).run().text();
    assert_eq!(asked, "alive");
    for _ in 0..6 {
        let own = lab.rc(["run", "--rm", "--network", "app", "payload", "/payload", "read", "/etc/hosts"]).run().text();
        assert!(!own.contains(&orphan), "{own}");
    }
    let output = lab.rc(["run", "--network", "app", "--ip", &orphan, "payload", "/payload", "exit", "0"]).run();
    let stderr = output.exits(125).stderr();
    assert!(stderr.contains(&format!("the address `{orphan}` of the network `app` is in use by `orphan`")), "{stderr}");
    assert_eq!(
        lab.rc(["exec", "other", "/payload", "look-up", "udp", "a", "orphan.dns.podman"]).run().text(),
        "NXDOMAIN"
    );
    lab.rc(["rm", "-f", "orphan"]).run().succeeds();
    lab.rc(["run", "--rm", "--network", "app", "--ip", &orphan, "payload", "/payload", "exit", "0"]).run().succeeds();
    lab.remove_containers();
}

#[test]
fn n2_loopback_of_the_host_is_closed_from_a_bridge() {
    let lab = Lab::with_payload();
    let create = lab.rc(["network", "create", "--subnet", "10.91.9.0/24", "--ipv6", "--subnet", "fd00:91:9::/64"]);
    create.arg("app").run().succeeds();
    start(&lab, "one", &["hang"]);
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let v4 = (v4.local_addr().expect("an address").port(), v4);
    let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, v4.0)).ok();
    let mut ways: Vec<String> = ["10.91.9.1", "10.0.2.2", "10.0.2.3", "127.0.0.1", "169.254.1.1", "169.254.1.2"]
        .map(|ip| format!("{ip}:{}", v4.0))
        .to_vec();
    ways.extend(["fd00:91:9::1", "fd00::2", "fd00::3", "::1", "fe80::2"].map(|ip| format!("[{ip}]:{}", v4.0)));
    for listener in [Some(&v4.1), v6.as_ref()].into_iter().flatten() {
        listener.set_nonblocking(true).expect("it need not wait");
    }
    for way in ways {
        let asked = lab.rc(["exec", "one", "/payload", "knock", &way]).run();
        drop(asked.exits(99));
    }
    for listener in [Some(&v4.1), v6.as_ref()].into_iter().flatten() {
        assert_eq!(listener.accept().expect_err("nobody came").kind(), std::io::ErrorKind::WouldBlock);
    }
    lab.remove_containers();
}

#[test]
fn n6_the_way_out_ends_with_its_network_whatever_is_killed() {
    require!(program "slirp4netns");
    let lab = lab("10.91.9.0/24");
    for _ in 0..3 {
        start(&lab, "one", &["tcp", "7"]);
        let keeper = wait::until("there is a keeper", || processes(&lab, "rc: net app").first().copied());
        let helper = wait::until("a way out", || children(keeper, "slirp4netns").first().copied());
        let stat = |pid: i32| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
        // Nobody is left who could make another keeper.
        let monitors = processes(&lab, "rc: one");
        kill(keeper);
        monitors.into_iter().for_each(kill);
        wait::until("it ends", || stat(helper).is_none_or(|comm| comm != "slirp4netns\n").then_some(()));
        lab.rc(["rm", "-f", "one"]).run().succeeds();
        wait::until("no keeper is left", || processes(&lab, "rc: net app").is_empty().then_some(()));
    }
    lab.settle();
    lab.rc(["network", "rm", "app"]).run().prints("app\n");
}

#[test]
fn on_a_full_or_read_only_disk_a_start_fails_clean_and_what_runs_can_be_removed() {
    let lab = Lab::with_payload();
    let image = lab.work("image.tar");
    lab.rc(["save", "-q", "-o"]).arg(&image).arg("payload").run().succeeds();
    // Each line: what was tried, its exit code.
    let script = r#"
        rc load -q -i image.tar >/dev/null || exit
        for name in app web; do rc network create --internal $name >/dev/null || exit; done
        run() { rc run "$@" payload /payload hang >/dev/null 2>>said; }
        try() { "$@" >/dev/null 2>>said; echo $1 $2 $?; }
        shown() { rc ps -a --format '{{.Names}} {{.Networks}} {{.State}}'; }
        leases() { ls "$XDG_DATA_HOME/rc/networks/$1/leases"; }
        mount -o remount,bind,ro "$XDG_DATA_HOME"
        try run -d --network web --name new
        try rc ps -a
        mount -o remount,bind,rw "$XDG_DATA_HOME"
        shown; leases web
        echo full
        run -d --network app --name old || exit
        fill
        try run -d --network web --name new
        try rc network connect web old
        try rc network disconnect app old
        try rc ps -a
        shown; leases web
        try rc rm -f -t 0 old
        rm "$XDG_DATA_HOME/fill"
        try run -d --network web --name new
        try rc rm -f -t 0 new
        leases app; leases web
        try rc network rm app web
        grep -v 'No space left\|no space left\|ead-only file system' said
    "#;
    let output = on_a_small_disk(&lab, "24m", 4000, script).run();
    let expected = "run -d 125\nrc ps 0\nfull\n\
        run -d 125\nrc network 125\nrc network 125\nrc ps 0\nold app running\n\
        rc rm 0\nrun -d 0\nrc rm 0\nrc network 0\n";
    assert_eq!(output.stdout(), expected, "{output}");
}

#[test]
fn a_service_of_the_host_that_listens_everywhere_is_reached_by_its_outward_address_alone() {
    let Some(outward) = crate::bridge::outward() else { skip!("no default route") };
    let lab = lab("10.91.9.0/24");
    start(&lab, "one", &["hang"]);
    let server = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port is free");
    let port = server.local_addr().expect("an address").port();
    lab.rc(["exec", "one", "/payload", "knock", &format!("{outward}:{port}")]).run().succeeds();
    for closed in ["10.91.9.1", "10.0.2.2"] {
        drop(lab.rc(["exec", "one", "/payload", "knock", &format!("{closed}:{port}")]).run().exits(99));
    }
    lab.remove_containers();
}

/// Connects to the keeper of `app` as the monitor of a member does.
fn knock(lab: &Lab) -> OwnedFd {
    let directory = fs::File::open(lab.store().join("networks/app")).expect("the network's directory");
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/ctl", directory.as_raw_fd())).expect("an address");
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None).expect("a socket");
    rustix::net::connect(&socket, &address).expect("there is a keeper");
    socket
}

#[test]
fn without_free_descriptors_keeper_name_server_and_relay_rest_and_serve_when_they_have_some() {
    let lab = lab("10.91.9.0/24");
    let run = ["run", "-d", "--network", "app", "--name", "one", "-p", "127.0.0.1::7", "payload", "/payload"];
    lab.rc(run).args(["tcp", "7"]).run().succeeds();
    lab.ready("one");
    let process = |name: &str| wait::until(name, || processes(&lab, name).first().copied());

    let keeper = process("rc: net app");
    let open = fs::read_dir(format!("/proc/{keeper}/fd")).expect("a process").flatten();
    let open: Vec<u64> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // With less poll(2) itself would be refused.
    let most = open.iter().max().expect("descriptors") + 1;
    let before = limit_descriptors(keeper, most);
    let clients: Vec<_> = (0..most + 2 - open.len() as u64).map(|_| knock(&lab)).collect();
    rests(keeper);
    limit_descriptors(keeper, before);
    for client in &clients {
        let hears = || rustix::net::recv(client, &mut [0u8; 512], RecvFlags::DONTWAIT).is_ok();
        wait::until("it is welcome", || hears().then_some(()));
    }

    let names = process("rc: dns app");
    let before = limit_descriptors(names, 3);
    let asked = lab.rc(["exec", "one", "/payload", "look-up", "tcp", "a", "one"]).start();
    rests(names);
    limit_descriptors(names, before);
    assert_eq!(asked.wait().text().trim(), address(&lab, "one"));

    let relay = process("rc: ports one");
    let before = limit_descriptors(relay, 3);
    let port = lab.rc(["port", "one", "7/tcp"]).run().text();
    let asked = lab.program(Lab::payload_path(), ["ask", "tcp", port.trim(), "alive"]).start();
    rests(relay);
    limit_descriptors(relay, before);
    assert_eq!(asked.wait().text().trim(), "alive");
    lab.remove_containers();
}
