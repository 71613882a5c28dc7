use super::*;
use crate::types::Protocol;
use crate::view::sample;

fn with_row<T>(status: Status, look: impl FnOnce(PsRow<'_>) -> T) -> T {
    let (config, state) = sample();
    let now = "2026-01-01T12:00:00Z".parse().expect("a time");
    let namespaces = Namespaces::default();
    look(PsRow {
        config: &config,
        state: &state,
        status,
        size: None,
        namespaces,
        ports_of_other: None,
        now,
        no_trunc: false,
    })
}

#[test]
fn the_cells_of_a_running_container() {
    let cells = with_row(Status::Running, |row| row.cells());
    assert_eq!(
        cells,
        [
            "5eacc9e701a2",
            "docker.io/library/busybox:latest",
            "sh -c echo \u{1b}[2J h...",
            "2 hours ago",
            "Up 10 seconds",
            "0.0.0.0:8080->80/tcp, 127.0.0.1:5353->53/udp",
            "web"
        ]
    );
}

#[test]
fn a_size_is_what_was_written_and_all_of_it() -> anyhow::Result<()> {
    let size = Some(ContainerSize { written: 12, whole: 4_261_550 });
    let (cells, json) = with_row(Status::Running, |row| {
        let row = PsRow { size, ..row };
        (row.cells(), serde_json::to_value(row.json()))
    });
    assert_eq!(cells.last().map(String::as_str), Some("12B (virtual 4.26MB)"));
    assert_eq!(json?["Size"], json!({ "rootFsSize": 4_261_550, "rwSize": 12 }));
    Ok(())
}

#[test]
fn json_has_the_names_and_types_of_podman() -> anyhow::Result<()> {
    let json = with_row(Status::Running, |row| serde_json::to_value(row.json()))?;
    let names: Vec<&str> = json.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default();
    assert_eq!(
        names,
        [
            "AutoRemove",
            "Command",
            "CreatedAt",
            "Exited",
            "ExitedAt",
            "ExitCode",
            "Id",
            "Image",
            "ImageID",
            "IsInfra",
            "Labels",
            "Mounts",
            "Names",
            "Namespaces",
            "Networks",
            "Pid",
            "Pod",
            "PodName",
            "Ports",
            "Restarts",
            "Size",
            "StartedAt",
            "State",
            "Status",
            "Created"
        ]
    );
    assert_eq!(json["Names"], json!(["web"]));
    assert_eq!(json["Pid"], 4242);
    assert_eq!(json["ExitedAt"], -62_135_596_800_i64);
    assert_eq!(json["Created"], 1_767_261_600);
    assert_eq!(json["Mounts"], json!(["/data", "/vol"]));
    assert_eq!(
        json["Ports"][1],
        json!({ "host_ip": "127.0.0.1", "container_port": 53, "host_port": 5353, "range": 1, "protocol": "udp" })
    );
    let exited = with_row(Status::Exited, |row| serde_json::to_value(row.json()))?;
    assert_eq!((&exited["Pid"], &exited["ExitCode"], &exited["Exited"]), (&json!(0), &json!(255), &json!(true)));
    Ok(())
}

#[test]
fn every_field_has_a_heading() -> anyhow::Result<()> {
    let fields = with_row(Status::Running, |row| serde_json::to_value(row.fields()))?;
    let fields: Vec<&str> = fields.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default();
    let headings: Vec<&str> = PsRow::HEADINGS.iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, headings);
    Ok(())
}

#[test]
fn neighbouring_ports_are_a_range() {
    let port = |host_port, container_port, protocol| PortMapping { host_ip: None, host_port, container_port, protocol };
    let mut list = vec![port(8000, 80, Protocol::Tcp), port(8001, 81, Protocol::Tcp), port(8002, 82, Protocol::Udp)];
    list.push(PortMapping { host_ip: "::1".parse().ok(), ..port(65535, 65535, Protocol::Tcp) });
    assert_eq!(ports(&list), "0.0.0.0:8000-8001->80-81/tcp, 0.0.0.0:8002->82/udp, [::1]:65535->65535/tcp");
    assert_eq!(ports(&[]), "");
}

#[test]
fn namespaces_are_numbers_and_nothing_for_those_that_are_unknown() -> anyhow::Result<()> {
    let namespaces = Namespaces { net: 4_026_532_000, mnt: 7, ..Namespaces::default() };
    let (cells, json) = with_row(Status::Running, |row| {
        let row = PsRow { namespaces, ..row };
        (row.namespace_cells(), serde_json::to_value(row.json()))
    });
    assert_eq!(cells, ["5eacc9e701a2", "web", "4242", "", "", "7", "4026532000", "", "", ""]);
    assert_eq!(json?["Namespaces"], json!({ "Mnt": "7", "Net": "4026532000" }));
    Ok(())
}
