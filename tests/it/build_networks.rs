//! `rc build --network`: steps in networks with names, and in a container's network.

use std::fs;

use crate::build::{build, lab, play, write};
use crate::support::{Exit, Lab, Signal, wait};

/// A lab with the base image, a network `app`, and the container `db` in it that answers on port 7.
fn with_server(dockerfile: &str) -> Lab {
    let lab = lab(&[("Dockerfile", dockerfile)]);
    lab.payload();
    for network in ["app", "web"] {
        lab.rc(["network", "create", network]).run().succeeds();
    }
    let run = lab.rc(["run", "-d", "--name", "db", "--network", "app", "payload", "/payload", "tcp", "7"]);
    run.run().succeeds();
    lab.ready("db");
    lab
}

fn leases(lab: &Lab, network: &str) -> usize {
    fs::read_dir(lab.store().join("networks").join(network).join("leases")).expect("leases").count()
}

#[test]
fn steps_find_the_containers_of_a_network_and_have_no_name_in_it() {
    let text = "FROM localhost/base\nCOPY --from=payload /payload /payload\n\
        RUN a=$(/payload look-up udp a db) && /payload ask tcp $a:7 by-name >/said\n\
        RUN /payload look-up udp a build.dns.podman >/named; cat /etc/resolv.conf >/resolver\n";
    let lab = with_server(text);
    let output = build(&lab, &["--network", "app"]);
    assert_eq!(output.exit, Exit::Code(0), "{output}");
    play(&lab, &["cat", "/said", "/named"]).prints("by-name\nNXDOMAIN\n");
    assert_eq!(leases(&lab, "app"), 1, "that of `db`");
    // Another network is another step.
    let output = build(&lab, &["--network", "web"]);
    assert_ne!(output.exit, Exit::Code(0), "{output}");
    let output = build(&lab, &["--network", "ghost", "--no-cache"]).exits(125);
    assert!(output.stderr().contains("ghost"), "{output}");
    lab.remove_containers();
}

#[test]
fn steps_have_the_network_of_a_container() {
    let text = "FROM localhost/base\nCOPY --from=payload /payload /payload\n\
        RUN /payload ask tcp 127.0.0.1:7 within >/said\n";
    let lab = with_server(text);
    let output = build(&lab, &["--network", "container:db"]);
    assert_eq!(output.exit, Exit::Code(0), "{output}");
    play(&lab, &["cat", "/said"]).prints("within\n");
    for (network, words) in [("container:ghost", "no such container"), ("container:", "container:")] {
        let output = build(&lab, &["--network", network, "--no-cache"]);
        assert_ne!(output.exit, Exit::Code(0), "{output}");
        assert!(output.stderr().contains(words), "{output}");
    }
    lab.remove_containers();
    let output = build(&lab, &["--network", "container:db", "--no-cache"]);
    assert!(output.stderr().contains("no such container"), "{output}");
}

#[test]
fn a_network_with_a_step_in_it_is_in_use_and_nothing_of_a_killed_build_is_left() {
    let lab = with_server("FROM localhost/base\nCOPY --from=payload /payload /payload\nRUN /payload hang\n");
    let stages = "FROM localhost/base AS one\nCOPY --from=payload /payload /payload\nRUN /payload hang\n\
        FROM localhost/base AS two\nCOPY --from=payload /payload /payload\nRUN echo 2; /payload hang\n\
        FROM localhost/base\nCOPY --from=one /payload /one\nCOPY --from=two /payload /two\n";
    write(&lab, "Dockerfile", stages);
    let building = lab.rc(["build", "--network", "web"]).arg(lab.work("context")).start();
    wait::until("both steps have addresses", || (leases(&lab, "web") == 2).then_some(()));
    let output = lab.rc(["network", "rm", "web"]).run().exits(2);
    assert!(output.stderr().contains("the network `web` is in use by a build"), "{output}");
    lab.rc(["network", "prune", "-f"]).run().succeeds();
    assert!(lab.store().join("networks/web").exists());
    // Others in the network see no name of theirs, and addresses of their own.
    let run = ["run", "--rm", "--network", "web", "payload", "/payload", "look-up", "udp", "a", "build.web.dns.podman"];
    lab.rc(run).run().prints("NXDOMAIN\n");
    building.kill(Signal::KILL);
    drop(building.wait());
    lab.remove_containers();
    lab.settle();
    assert_eq!(leases(&lab, "web"), 0);
    lab.rc(["network", "rm", "web"]).run().prints("web\n");
}
