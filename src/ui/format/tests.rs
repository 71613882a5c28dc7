//! Templates that people and tools really use, and their results.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::*;
use crate::types::json;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fields {
    #[serde(rename = "ID")]
    id: String,
    image: String,
    names: String,
    status: String,
    labels: BTreeMap<String, String>,
    mounts: Vec<String>,
    pid: i32,
}

struct Row(&'static str, &'static str);

impl Listed for Row {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Names", "NAMES"),
        ("Status", "STATUS"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("Pid", "PID"),
    ];

    const DOCKER: &'static [&'static str] = &["ID", "Labels", "Mounts", "Names", "Status"];

    fn json(&self) -> impl Serialize {
        json!({ "Id": self.0, "Names": [self.1] })
    }

    fn fields(&self) -> impl Serialize {
        Fields {
            id: self.0.to_owned(),
            image: "docker.io/library/busybox:latest".to_owned(),
            names: self.1.to_owned(),
            status: "Up 3 seconds".to_owned(),
            labels: BTreeMap::from([
                ("app".to_owned(), "x\u{1b}[2J".to_owned()),
                ("tier".to_owned(), "web".to_owned()),
            ]),
            mounts: vec!["/data".to_owned(), "/vol".to_owned()],
            pid: 42,
        }
    }
}

fn list(format: &str) -> Result<String, String> {
    let rows = [Row("5eacc9e701a2", "web"), Row("4d569de196df", "done")];
    let format = Format::parse(format, Dialect::Rc).ok_or("table alone")?;
    format.render_list(&rows, false).map_err(|error| error.to_string())
}

#[test]
fn listing_templates_of_scripts_and_tools() {
    let table = [
        ("{{.ID}}", "5eacc9e701a2\n4d569de196df\n"),
        ("{{ .Names }}\\n", "web\ndone\n"),
        ("{{.ID}}\\t{{.Names}}", "5eacc9e701a2\tweb\n4d569de196df\tdone\n"),
        ("{{.ID}}\t{{.Names}}", "5eacc9e701a2\tweb\n4d569de196df\tdone\n"),
        ("{{range .}}{{.ID}}{{\"\\n\"}}{{end}}", "5eacc9e701a2\n4d569de196df\n"),
        ("{{- range . -}} {{.Names}}; {{end -}}", "web; done; "),
        ("{{.Label \"tier\"}}|{{.Label \"none\"}}", "web|\nweb|\n"),
        ("{{index .Labels \"tier\"}}", "web\nweb\n"),
        ("{{.Labels.tier}}", "web\nweb\n"),
        ("{{.Labels.none}}", "<no value>\n<no value>\n"),
        ("{{if .Labels.none}}yes{{else}}no{{end}}", "no\nno\n"),
        ("{{range .}}{{.Labels.none}}{{len .Labels}} {{end}}", "<no value>2 <no value>2 "),
        ("{{.Labels}}", "map[app:x\\x1b[2J tier:web]\nmap[app:x\\x1b[2J tier:web]\n"),
        ("{{json .Names}}", "\"web\"\n\"done\"\n"),
        ("{{json .Mounts}}", "[\"/data\",\"/vol\"]\n[\"/data\",\"/vol\"]\n"),
        (
            "{{json .Labels}}",
            concat!(r#"{"app":"x\u001b[2J","tier":"web"}"#, "\n", r#"{"app":"x\u001b[2J","tier":"web"}"#, "\n"),
        ),
        ("{{join .Mounts \",\"}}", "/data,/vol\n/data,/vol\n"),
        ("{{index (split .Image \":\") 1}}", "latest\nlatest\n"),
        ("{{upper .Names}} {{lower .Status}} {{title .Names}}", "WEB up 3 seconds Web\nDONE up 3 seconds Done\n"),
        ("[{{pad .Names 1 2}}] {{truncate .ID 4}}", "[ web  ] 5eac\n[ done  ] 4d56\n"),
        ("{{println .Names}}", "web\ndone\n"),
        ("{{printf \"%-6s|%d\" .Names .Pid}}", "web   |42\ndone  |42\n"),
        ("{{if eq .Names \"web\"}}yes{{else}}no{{end}}", "yes\nno\n"),
        ("{{if .Mounts}}{{len .Mounts}}{{end}}", "2\n2\n"),
        ("{{with .Names}}{{.}}{{end}}", "web\ndone\n"),
        (
            "table {{.ID}}\\t{{.Names}}\\t{{.Status}}",
            "CONTAINER ID  NAMES       STATUS\n5eacc9e701a2  web         Up 3 seconds\n\
             4d569de196df  done        Up 3 seconds\n",
        ),
        ("table {{.ID}} {{.Names}}", "CONTAINER ID NAMES\n5eacc9e701a2 web\n4d569de196df done\n"),
        ("table {{.Names}}\\t{{.Labels.tier}}", "NAMES       tier\nweb         web\ndone        web\n"),
        ("table {{.Names}}\\t{{.Label \"tier\"}}", "NAMES       tier\nweb         web\ndone        web\n"),
        ("plain", "plain\nplain\n"),
        (
            "json",
            "[\n  {\n    \"Id\": \"5eacc9e701a2\",\n    \"Names\": [\n      \"web\"\n    ]\n  },\n  \
             {\n    \"Id\": \"4d569de196df\",\n    \"Names\": [\n      \"done\"\n    ]\n  }\n]\n",
        ),
    ];
    for (format, expected) in table {
        assert_eq!(list(format).as_deref(), Ok(expected), "{format}");
    }
    // One object per line, for `docker ps --format '{{json .}}' | jq -r .Names`.
    for line in list("{{json .}}").unwrap_or_default().lines() {
        let row: serde_json::Value = json::from_str(line).unwrap_or_default();
        assert_eq!(row["Pid"], 42, "{line}");
    }
    assert_eq!(Format::parse("table", Dialect::Rc), None);
    for (format, expected) in [("{{.Size}}", true), ("{{.SizeRw}}", false), ("{{.ID}}", false), ("json", false)] {
        assert_eq!(Format::parse(format, Dialect::Rc).map(|format| format.names("Size")), Some(expected), "{format}");
    }
    let table = Format::parse("table {{.ID}}\\t{{.Names}}", Dialect::Rc).expect("a template");
    assert_eq!(table.render_list(&[Row("5eac", "web")], true).ok().as_deref(), Some("5eac        web\n"));
}

#[test]
fn faults_name_the_field_and_the_template() {
    let table = [
        ("{{.ID}} {{.Nope}}", "invalid template `{{.ID}} {{.Nope}}`: no such field `Nope`"),
        ("{{.id}}", "invalid template `{{.id}}`: no such field `id`"),
        ("table {{.Nope}}", "invalid template `table {{.Nope}}`: no such field `Nope`"),
        ("{{.ID", "invalid template `{{.ID`: unclosed action"),
        ("{{nope .ID}}", "cannot apply template `{{nope .ID}}`: undefined function: nope"),
        ("{{index .Mounts 9}}", "cannot apply template `{{index .Mounts 9}}`: index out of range: 9"),
        ("{{.ID.X}}", "cannot apply template `{{.ID.X}}`: can't evaluate field X in type string"),
    ];
    for (format, expected) in table {
        let error = list(format).expect_err(format);
        assert!(error.contains(expected), "{format}: {error}");
    }
    let error = Format::parse("{{.x}}", Dialect::Rc).map(|f| f.render_list(&[Row("a", "b")], false));
    let hint = error.and_then(Result::err).and_then(|error| error.hint());
    assert_eq!(hint.as_deref(), Some("fields are ID, Image, Labels, Mounts, Names, Pid, Status"));
}

fn apply(format: &str, object: &serde_json::Value) -> Result<String, Error> {
    let Some(Format::Template { typed, text, .. }) = Format::parse(format, Dialect::Rc) else { panic!("{format}") };
    let value = value(&typed, object)?;
    Applied::new(&typed, &text)?.to(&value)
}

#[test]
fn a_key_of_a_map_is_data_an_optional_field_is_empty_and_any_other_is_a_mistake() {
    let object = json!({
        "Id": "5eac",
        "Config": { "Labels": { "app": "shop" }, "Volumes": null, "User": "" },
        "Mounts": [ { "Type": "bind", "Source": "/s" }, { "Type": "volume", "Name": "v", "Source": "/v" } ],
        "NetworkSettings": {
            "Networks": { "pasta": { "IPAddress": "10.0.2.100" } },
            "Ports": { "80/tcp": [ { "HostIp": "0.0.0.0", "HostPort": "8080" } ] }
        },
        "State": { "Status": "running", "Health": null }
    });
    for (format, expected) in [
        ("{{.Config.Labels.x}}", "<no value>"),
        ("{{.Config.Labels.x.y}}", "<no value>"),
        ("{{.Config.Labels.app}}", "shop"),
        ("{{with .Config}}{{.Labels.x}}{{end}}", "<no value>"),
        ("{{with .Config.Labels.x}}yes{{else}}no{{end}}", "no"),
        ("{{$c := .Config}}{{$c.Labels.x}} {{$.Id}}", "<no value> 5eac"),
        ("{{define \"one\"}}{{.Labels.x}}{{end}}{{template \"one\" .Config}}", "<no value>"),
        ("{{json .Config.Labels}}", "{\"app\":\"shop\"}"),
        ("{{.Config.Volumes.x}}", "<no value>"),
        ("{{.NetworkSettings.Networks.bridge.IPAddress}}", "<no value>"),
        ("{{range .Mounts}}{{.Name}}{{end}}", "v"),
        ("{{range .Mounts}}[{{.Name}}{{.SubPath}}]{{end}}", "[][v]"),
        ("{{(index .Mounts 0).Name}}", ""),
        ("{{range .Mounts}}{{if eq .Name \"v\"}}{{.Source}}{{end}}{{end}}", "/v"),
        ("{{json (index .Mounts 0)}}", "{\"Source\":\"/s\",\"Type\":\"bind\"}"),
        ("{{if .Config.Healthcheck}}yes{{else}}no{{end}}", "no"),
        ("{{.State.Restored}}", "false"),
        ("", ""),
    ] {
        assert_eq!(apply(format, &object).map_err(|error| error.to_string()).as_deref(), Ok(expected), "{format}");
    }
    for (format, field, fields) in [
        ("{{.Nope}}", "Nope", "Config, Id, Mounts, NetworkSettings, State"),
        (
            "{{.Config.Nope}}",
            "Nope",
            "ChrootDirs, HealthLogDestination, HealthMaxLogCount, HealthMaxLogSize, Healthcheck, ",
        ),
        ("{{range .Mounts}}{{.Nope}}{{end}}", "Nope", "Name, Source, SubPath, Type"),
        ("{{range .NetworkSettings.Networks}}{{.Nope}}{{end}}", "Nope", "IPAddress"),
        ("{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).Nope}}", "Nope", "HostIp, HostPort"),
        ("{{.NetworkSettings.Nope.Deeper}}", "Nope", "Networks, Ports"),
    ] {
        let error = apply(format, &object).expect_err(format);
        assert!(error.to_string().ends_with(&format!("no such field `{field}`")), "{format}: {error}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.starts_with(&format!("fields are {fields}")), "{format}: {hint}");
    }
}

#[test]
fn inspect_templates_of_devcontainers_testcontainers_ansible_and_compose_scripts() {
    let object = json!({
        "Id": "5eac", "Name": "web", "Created": "2026-11-21T02:45:51.047283457Z",
        "State": { "Status": "running", "Running": true, "Pid": 7, "ExitCode": 0, "Health": null },
        "Config": {
            "Labels": { "devcontainer.metadata": "[{\"id\":1}]" },
            "Env": ["A=b", "PATH=/bin"], "Cmd": ["sleep", "9"], "User": ""
        },
        "Mounts": [ { "Type": "bind", "Source": "/s", "Destination": "/d" } ],
        "NetworkSettings": {
            "IPAddress": "10.0.2.100",
            "Networks": { "slirp4netns": { "IPAddress": "10.0.2.100" } },
            "Ports": { "80/tcp": [ { "HostIp": "0.0.0.0", "HostPort": "8080" } ], "53/udp": null }
        },
        "RepoTags": ["docker.io/library/busybox:latest"]
    });
    let table = [
        ("{{.State.Running}}", "true"),
        ("{{.State.Status}} {{.State.ExitCode}}", "running 0"),
        ("{{json .Config.Cmd}}", "[\"sleep\",\"9\"]"),
        ("{{json .State.Health}}", "null"),
        ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"),
        ("{{index .Config.Labels \"devcontainer.metadata\"}}", "[{\"id\":1}]"),
        ("{{range .Config.Env}}{{println .}}{{end}}", "A=b\nPATH=/bin\n"),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}}\\n{{end}}", "devcontainer.metadata=[{\"id\":1}]\n"),
        ("{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", "8080"),
        (
            "{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} -> \
             {{if $conf}}{{(index $conf 0).HostPort}}{{else}}-{{end}} {{end}}",
            "53/udp -> - 80/tcp -> 8080 ",
        ),
        ("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "10.0.2.100"),
        ("{{.NetworkSettings.Networks.slirp4netns.IPAddress}}", "10.0.2.100"),
        ("{{range .Mounts}}{{.Source}}:{{.Destination}} {{end}}", "/s:/d "),
        ("{{range .Mounts}}{{if eq .Destination \"/d\"}}{{.Source}}{{end}}{{end}}", "/s"),
        ("{{index .RepoTags 0}}", "docker.io/library/busybox:latest"),
        ("{{slice .Id 0 2}}", "5e"),
        ("{{join .Config.Cmd \" \"}}", "sleep 9"),
        ("{{.Id}}{{\"\\t\"}}{{.Name}}", "5eac\tweb"),
        ("{{or .Config.User \"root\"}}", "root"),
        ("{{len .Mounts}} {{not .State.Running}} {{and .State.Running .Name}}", "1 false web"),
    ];
    for (format, expected) in table {
        assert_eq!(apply(format, &object).map_err(|e| e.to_string()).as_deref(), Ok(expected), "{format}");
    }
}

#[test]
fn under_docker_s_name_a_row_is_docker_s_object_on_a_line() {
    let rows = [Row("5eacc9e701a2", "web"), Row("4d569de196df", "done")];
    let shown = |format: &str| {
        let format = Format::parse(format, Dialect::Docker).expect("a format");
        format.render_list(&rows[..1], false).map_err(|error| error.to_string())
    };
    let line = r#"{"ID":"5eacc9e701a2","Labels":"app=x\u001b[2J,tier=web","Mounts":"/data,/vol","Names":"web","#;
    for format in ["json", "{{json .}}"] {
        let text = shown(format).expect(format);
        assert!(text.starts_with(line) && text.ends_with("\"Status\":\"Up 3 seconds\"}\n"), "{text}");
    }
    assert_eq!(shown("{{.Labels}} {{.Names}}").as_deref(), Ok("app=x\\x1b[2J,tier=web web\n"));
    assert!(shown("{{.Pid}}").is_err());
    let all = Format::parse("json", Dialect::Docker).expect("a format").render_list(&rows, false).expect("lines");
    assert_eq!(all.lines().count(), 2);
}
