//! What may be the input of a program with a terminal.

use crate::support::Lab;

#[test]
fn a_pipe_is_refused_as_the_input_of_a_terminal() {
    let lab = Lab::with_payload();
    let refused = "rc: the input device is not a TTY\n\
                   hint: leave out -t: a terminal does not pass on the end of a pipe or a file\n";
    let run = ["run", "-it", "--network", "none", "--name", "web", "payload", "/payload"];
    lab.rc(run).arg("cat").input("text").run().fails(125, refused);
    lab.rc(["ps", "-a", "-q"]).run().prints("");
    lab.rc(["run", "-dit", "--network", "none", "--name", "web", "payload", "/payload", "sleep"])
        .input("text")
        .run()
        .succeeds();
    lab.rc(["exec", "-it", "web", "/payload", "cat"]).input("text").run().fails(125, refused);
    lab.rc(["attach", "web"]).input("text").run().fails(125, refused);
    lab.rc(["attach", "web"]).open_input().run().fails(125, refused);
    lab.rc(["exec", "-t", "web", "/payload", "echo", "x"]).input("text").run().prints("x\r\n");
    lab.rc(["exec", "-i", "web", "/payload", "cat"]).input("text").run().prints("text");
    lab.rc(["stop", "web"]).run().succeeds();
    lab.rc(["start", "-ai", "web"]).input("text").run().fails(125, refused);
    lab.rc(["inspect", "--format", "{{.State.Status}}", "web"]).run().prints("exited\n");
    // `/dev/null` promises no input, so that nothing waits for its end.
    let shell = lab.program("sh", ["-c", "exec \"$0\" run --rm -it --network none payload /payload echo x </dev/null"]);
    shell.arg(Lab::rc_path()).run().prints("x\r\n");
    lab.remove_containers();
}
