//! Command lines as tools type them, around a shell in a container: dev containers, editors, toolbox, cross, ansible,
//! cibuildwheel and scripts.

use crate::build::base;
use crate::literal_calls::Tools;
use crate::support::{Exit, Signal, port};

/// What the CLI of dev containers has as the first process of a container.
const KEEPS_RUNNING: &str =
    "echo Container started\ntrap \"exit 0\" 15\n\nexec \"$@\"\nwhile sleep 1 & wait $!; do :; done";

#[test]
fn a_dev_container_outlives_the_client_that_started_it() {
    require!(program "slirp4netns");
    let tools = Tools::new();
    base(&tools.lab);
    let docker = tools.lab.work("bin").join("docker");
    let directory = tools.lab.work("DIR").display().to_string();
    let publish = format!("127.0.0.1:{}:18099", port::take(1));
    let bind = format!("type=bind,source={directory},target=/workspaces/x");
    let label = format!("{}={directory}", crate::literal_calls::LOCAL);
    let before = ["run", "--sig-proxy=false", "-a", "STDOUT", "-a", "STDERR", "-p", &publish, "--mount", &bind];
    let between = ["--mount", "source=vol,target=/dv,type=volume", "-l", &label, "-e", "CE=1", "--cap-add=SYS_PTRACE"];
    let after = ["--init", "--entrypoint", "/bin/sh", "-l", "devcontainer.metadata=[{\"a\":\"b\"}]", "localhost/base"];
    let words = before.iter().chain(&between).chain(&after).chain(&["-c", KEEPS_RUNNING, "-"]);
    let client = tools.lab.program(&docker, words).start();
    client.line("Container started\n");
    client.kill(Signal::KILL);
    assert_eq!(client.wait().exit, Exit::Signal(9));
    let id = tools.ok(&format!("docker ps -q -a --filter label={label}"));
    assert_eq!(tools.ok(&format!("docker inspect --type container -f '{{{{.State.Status}}}}' {id}")), "running");
    // A shell that is driven by its standard streams for as long as the editor is open.
    let words = ["exec", "-i", "-u", "root", "-e", "VSCODE_REMOTE_CONTAINERS_SESSION=UUID", &id, "/bin/sh"];
    let mut shell = tools.lab.program(&docker, words).open_input().start();
    for word in ["one", "two"] {
        shell.send(format!("echo {word}-$VSCODE_REMOTE_CONTAINERS_SESSION\n"));
        shell.line(&format!("{word}-UUID\n"));
    }
    shell.send("cat >/dev/null\n");
    shell.send_end();
    assert_eq!(shell.wait().exit, Exit::Code(0));
    tools.ok(&format!("docker stop -t 5 {id}"));
    assert_eq!(tools.ok(&format!("docker inspect -f '{{{{.State.ExitCode}}}}' {id}")), "0");
    tools.end();
}

#[test]
fn shells_have_a_terminal_their_words_and_their_exit_codes() {
    let tools = Tools::new();
    base(&tools.lab);
    tools.ok("docker run -d --name box --network none localhost/base sleep 1000");
    let on_terminal = |line: &str, typed: &str| {
        let mut words = line.split(' ').map(|word| if word == "''" { "" } else { word });
        let client = tools.lab.work("bin").join(words.next().expect("a client"));
        let mut terminal = tools.lab.program(&client, words).start_on_terminal(24, 80);
        terminal.send(typed);
        let output = terminal.wait();
        (output.exit, output.stdout())
    };
    let (exit, shown) = on_terminal("docker exec -i -t -u root -e K=V -w /tmp box /bin/sh", "echo $K-$PWD; exit 3\n");
    assert!(exit == Exit::Code(3) && shown.contains("V-/tmp\r\n"), "{shown}");
    let (exit, _) = on_terminal("docker container exec --interactive --tty box sh -c false", "");
    assert_eq!(exit, Exit::Code(1));
    let toolbox = "podman --log-level error exec --detach-keys '' --env=A=B --interactive --preserve-fds 0 --tty \
                   --user root --workdir /tmp";
    let (_, shown) = on_terminal(&format!("{toolbox} box echo --caps= -- -c exec bash"), "");
    assert_eq!(shown, "--caps= -- -c exec bash\r\n");
    for (container, program, code) in [("ghost", "true", 125), ("box", "/tmp", 126), ("box", "/absent", 127)] {
        let (exit, shown) = on_terminal(&format!("{toolbox} {container} {program}"), "");
        assert_eq!(exit, Exit::Code(code), "{shown}");
    }
    let cross = "docker run --userns host -e K=V -e HOME --name X --rm --user 0:0 -v A:/xargo:z -v V:/cargo:z \
                 -v /cargo/bin -v S:/project:z -v T:/target:z -w /project --security-opt seccomp=unconfined \
                 --network none -t -i localhost/base sh -c pwd";
    assert_eq!(on_terminal(cross, ""), (Exit::Code(0), "/project\r\n".to_owned()));
    // Without a terminal.
    let ansible = "docker exec -u root -e K=V -w /tmp --privileged -i box /bin/sh -c 'echo $K; cat'";
    assert_eq!(tools.ok(&format!("echo in | {ansible}")), "V\nin");
    tools.ok("mkdir x && echo deep >x/f");
    tools.ok("tar -c x | docker exec -i box busybox tar --no-same-owner -xC /tmp -f -");
    assert_eq!(tools.ok("docker exec box cat /tmp/x/f"), "deep");
    tools.ok("docker exec box sh -c 'echo a dump' >dump.sql");
    assert_eq!(tools.ok("docker exec -i box sh -c 'cat; echo $2' psql -U U <dump.sql"), "a dump\nU");
    tools.end();
}
