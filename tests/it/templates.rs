//! Templates over what containers and images really have. The engine's rules are in `src/ui/format/tests.rs`.

use crate::support::Lab;

#[test]
fn what_a_container_lacks_is_empty_and_what_no_container_has_is_an_error() {
    let lab = Lab::with_payload();
    std::fs::create_dir(lab.work("d")).expect("a directory can be made");
    let bind = format!("{}:/d", lab.work("d").display());
    lab.rc(["create", "--name", "c", "--network", "none", "--label", "app=shop", "-v", &bind, "-v", "vol:/v"])
        .args(["payload", "/payload"])
        .run()
        .succeeds();
    for (command, template, expected) in [
        ("inspect", "{{.Config.Labels.x}}", "<no value>"),
        ("inspect", "{{.Config.Labels.app}}", "shop"),
        ("inspect", "{{range .Mounts}}{{.Name}}{{end}}", "vol"),
        ("inspect", "{{range .Mounts}}{{.SubPath}}{{end}}", ""),
        ("inspect", "{{if .Config.Healthcheck}}yes{{else}}no{{end}}", "no"),
        ("ps", "{{.Labels.x}}", "<no value>"),
        ("ps", "{{.Labels.app}}", "shop"),
    ] {
        let words = if command == "ps" { &["-a"][..] } else { &["c"] };
        lab.rc([command, "--format", template]).args(words).run().prints(format!("{expected}\n"));
    }
    let hint = lab.rc(["inspect", "-f", "{{range .Mounts}}{{.Nope}}{{end}}", "c"]).run().exits(125).stderr();
    assert!(hint.contains("no such field `Nope`") && hint.contains("fields are Destination, Driver, Mode, "), "{hint}");
    lab.rc(["rm", "-v", "c"]).run().succeeds();
    lab.rc(["images", "--format", "{{.Labels.x}}"]).run().prints("<no value>\n");
}
