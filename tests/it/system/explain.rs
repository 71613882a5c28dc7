//! `--explain=spec` under another runtime, which runs nothing where the host has cgroups of version 1.

use std::fs;

use crate::support::Lab;

#[test]
fn crun_runs_the_spec_unchanged() {
    machine!();
    let lab = Lab::with_payload();
    let run = ["run", "--explain=spec", "--network", "none", "--hostname", "here", "-e", "A=b"];
    let spec = lab.rc(run).args(["payload", "/payload", "report"]).run().text();
    let bundle = lab.work("bundle");
    fs::create_dir_all(bundle.join("rootfs")).expect("a bundle");
    fs::write(bundle.join("config.json"), spec).expect("written");
    lab.rc(["create", "--name", "files", "--network", "none", "payload", "/payload"]).run().succeeds();
    lab.rc(["export", "-o"]).arg(lab.work("root.tar")).arg("files").run().succeeds();
    lab.remove_containers();
    let unpack = ["-x", "-f"];
    lab.program("tar", unpack).arg(lab.work("root.tar")).arg("-C").arg(bundle.join("rootfs")).run().succeeds();
    let crun = lab.program("crun", ["--cgroup-manager=disabled", "run", "--bundle"]).arg(&bundle);
    let report = crun.arg(lab.unique("explained")).run().json();
    assert_eq!((&report["env"]["A"], &report["args"][0]), (&"b".into(), &"/payload".into()));
}
