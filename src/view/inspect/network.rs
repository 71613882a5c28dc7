//! `NetworkSettings`, and how ports are written.

use serde_json::{Map, Value, json};

use super::{is_alive, object};
use crate::monitor::{State, Status};
use crate::plan::ContainerConfig;
use crate::types::PortMapping;
use crate::view::host_ip;

pub(super) fn network(config: &ContainerConfig, state: &State, status: Status) -> Value {
    let address = state.ip_address.as_deref().filter(|_| is_alive(status)).unwrap_or("");
    let ports = if is_alive(status) && !state.ports.is_empty() { &state.ports } else { &config.ports };
    let mut all = bindings(ports);
    for exposed in &config.image.exposed_ports {
        all.entry(exposed).or_insert(Value::Null);
    }
    let mode = config.network.as_str();
    let mut settings = endpoint(state, address);
    settings.extend(object(json!({
        "Bridge": "",
        "SandboxID": "",
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": all,
        "SandboxKey": "",
    })));
    let mut network = endpoint(state, address);
    network.extend(object(json!({
        "NetworkID": mode,
        "DriverOpts": null,
        "IPAMConfig": null,
        "Links": null,
        "Aliases": [],
    })));
    settings.extend(object(json!({ "Networks": { mode: network } })));
    Value::Object(settings)
}

/// What podman says of a container's end of a network, once for all networks and once for each.
fn endpoint(state: &State, address: &str) -> Map<String, Value> {
    let is_known = !address.is_empty();
    object(json!({
        "EndpointID": "",
        "Gateway": state.gateway.as_deref().filter(|_| is_known).unwrap_or(""),
        "IPAddress": address,
        "IPPrefixLen": if is_known { state.ip_prefix } else { 0 },
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": "",
    }))
}

/// Container ports as `80/tcp`, each with the host ports that lead to it.
pub(super) fn bindings(ports: &[PortMapping]) -> Map<String, Value> {
    let mut all = Map::new();
    for port in ports {
        let binding = json!({ "HostIp": host_ip(port), "HostPort": port.host_port.to_string() });
        let name = format!("{}/{}", port.container_port, port.protocol);
        if let Value::Array(list) = all.entry(name).or_insert_with(|| json!([])) {
            list.push(binding);
        }
    }
    all
}
