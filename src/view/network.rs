//! Networks: the row of `network ls`, the object of `network inspect`.

use ipnet::IpNet;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Listed;
use crate::types::{ContainerId, EndpointState, Name, NetworkRecord, Subnet};

/// The columns of `network ls` without `--format`.
pub(crate) const NETWORK_COLUMNS: [&str; 3] = ["NETWORK ID", "NAME", "DRIVER"];

/// Those of docker.
pub(crate) const DOCKER_NETWORK_COLUMNS: [&str; 4] = ["NETWORK ID", "NAME", "DRIVER", "SCOPE"];

/// A running container in a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetworkMember {
    /// Its ID.
    pub(crate) id: ContainerId,
    /// Its name.
    pub(crate) name: Name,
    /// What it has in the network.
    pub(crate) endpoint: EndpointState,
}

/// A network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetworkRow<'a> {
    /// Its record.
    pub(crate) record: &'a NetworkRecord,
    /// The running containers in it.
    pub(crate) members: &'a [NetworkMember],
    /// Whether its ID is whole (`--no-trunc`).
    pub(crate) no_trunc: bool,
}

impl NetworkRow<'_> {
    /// The ID as tables show it.
    pub(crate) fn id(&self) -> &str {
        let id = &self.record.id;
        if self.no_trunc { id } else { id.get(..12).unwrap_or(id) }
    }

    /// The cells under [`NETWORK_COLUMNS`], or under [`DOCKER_NETWORK_COLUMNS`] but for the last.
    pub(crate) fn cells(&self) -> [&str; 3] {
        [self.id(), self.record.name.as_str(), &self.record.driver]
    }

    /// The object of `network inspect`: podman's record, and the containers.
    pub(crate) fn object(&self) -> Value {
        let mut object = self.json_object();
        object.insert("containers".to_owned(), self.members.iter().map(podman_member).collect::<Map<_, _>>().into());
        Value::Object(object)
    }

    /// The object of docker's `network inspect`. Source: docker `api/types/network.Inspect`.
    pub(crate) fn docker_object(&self) -> Value {
        let record = self.record;
        let config = record.subnets.iter().map(|subnet| {
            let mut config = super::inspect::object(json!({ "Subnet": subnet.subnet }));
            config.extend(range(subnet).map(|range| ("IPRange".to_owned(), json!(range))));
            config.extend(subnet.gateway.map(|gateway| ("Gateway".to_owned(), json!(gateway))));
            let aux = Some(&subnet.aux_addresses).filter(|aux| !aux.is_empty());
            config.extend(aux.map(|aux| ("AuxiliaryAddresses".to_owned(), json!(aux))));
            Value::Object(config)
        });
        let options = record.options.iter().map(|(name, value)| (docker_option(name).to_owned(), json!(value)));
        json!({
            "Name": record.name,
            "Id": record.id,
            "Created": record.created,
            "Scope": "local",
            "Driver": record.driver,
            "EnableIPv4": record.subnets.iter().any(|subnet| subnet.subnet.addr().is_ipv4()),
            "EnableIPv6": record.ipv6_enabled,
            "IPAM": {
                "Driver": record.ipam_options.get("driver").map_or("default", |driver| docker_ipam(driver)),
                "Options": {},
                "Config": config.collect::<Vec<_>>(),
            },
            "Internal": record.internal,
            "Attachable": false,
            "Ingress": false,
            "ConfigFrom": { "Network": "" },
            "ConfigOnly": false,
            "Containers": self.members.iter().map(docker_member).collect::<Map<_, _>>(),
            "Options": options.collect::<Map<_, _>>(),
            "Labels": record.labels,
        })
    }

    fn json_object(&self) -> Map<String, Value> {
        super::inspect::object(serde_json::to_value(self.record).unwrap_or_default())
    }
}

/// The prefix that a range is, without its first address; `None` if it is none.
fn range(subnet: &Subnet) -> Option<IpNet> {
    let (first, last) = (subnet.lease_range?.start_ip?, subnet.lease_range?.end_ip?);
    let parts = (subnet.subnet.prefix_len()..=subnet.subnet.max_prefix_len())
        .filter_map(|length| IpNet::new(last, length).ok());
    let mut parts = parts.map(|part| part.trunc()).filter(|part| part.contains(&first) && part.broadcast() == last);
    parts.find(|part| part.hosts().next() == Some(first) || part.network() == first)
}

/// docker's name for an option of a network. Source: docker-network-create(1), "Bridge driver options".
fn docker_option(name: &str) -> &str {
    if name == "mtu" { "com.docker.network.driver.mtu" } else { name }
}

fn docker_ipam(driver: &str) -> &str {
    if driver == "host-local" { "default" } else { driver }
}

/// Source: `NetworkInspectReport` in podman's pkg/domain/entities.
fn podman_member(member: &NetworkMember) -> (String, Value) {
    let given = &member.endpoint;
    let subnets = given.addresses.iter().map(|address| {
        let mut subnet = super::inspect::object(json!({ "ipnet": address }));
        let gateway = given.gateways.iter().find(|gateway| gateway.is_ipv4() == address.ip.is_ipv4());
        subnet.extend(gateway.map(|gateway| ("gateway".to_owned(), json!(gateway))));
        Value::Object(subnet)
    });
    let mac = given.mac.map_or_else(String::new, |mac| mac.to_string());
    let interface = json!({ "subnets": subnets.collect::<Vec<_>>(), "mac_address": mac });
    let interfaces: Map<String, Value> = given.interface.iter().map(|name| (name.clone(), interface.clone())).collect();
    (member.id.to_string(), json!({ "name": member.name, "interfaces": interfaces }))
}

fn docker_member(member: &NetworkMember) -> (String, Value) {
    let given = &member.endpoint;
    let address = |is_wanted| given.address(is_wanted).map_or_else(String::new, |address| address.to_string());
    let object = json!({
        "Name": member.name,
        "EndpointID": "",
        "MacAddress": given.mac.map_or_else(String::new, |mac| mac.to_string()),
        "IPv4Address": address(std::net::IpAddr::is_ipv4),
        "IPv6Address": address(std::net::IpAddr::is_ipv6),
    });
    (member.id.to_string(), object)
}

impl Listed for NetworkRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("Created", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("DNSEnabled", "DNS ENABLED"),
        ("Driver", "DRIVER"),
        ("ID", "NETWORK ID"),
        ("IPAMOptions", "IPAM OPTIONS"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("IPv6Enabled", "IPV6 ENABLED"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("Name", "NAME"),
        ("NetworkDNSServers", "DNS SERVERS"),
        ("NetworkInterface", "INTERFACE"),
        ("Options", "OPTIONS"),
        ("Routes", "ROUTES"),
        ("Scope", "SCOPE"),
        ("Subnets", "SUBNETS"),
    ];

    const DOCKER: &'static [&'static str] =
        &["CreatedAt", "Driver", "ID", "IPv4", "IPv6", "Internal", "Labels", "Name", "Scope"];

    fn json(&self) -> impl Serialize {
        self.json_object()
    }

    fn fields(&self) -> impl Serialize {
        let record = self.record;
        let subnets = record.subnets.iter().map(|subnet| {
            let range = subnet.lease_range.map(|range| json!({ "StartIP": range.start_ip, "EndIP": range.end_ip }));
            json!({ "Subnet": subnet.subnet, "Gateway": subnet.gateway, "LeaseRange": range })
        });
        let routes = record
            .routes
            .iter()
            .map(|route| json!({ "Destination": route.destination, "Gateway": route.gateway, "Metric": route.metric }));
        json!({
            "Created": record.created,
            "CreatedAt": record.created,
            "DNSEnabled": record.dns_enabled,
            "Driver": record.driver,
            "ID": self.id(),
            "IPAMOptions": record.ipam_options,
            "IPv4": record.subnets.iter().any(|subnet| subnet.subnet.addr().is_ipv4()),
            "IPv6": record.ipv6_enabled,
            "IPv6Enabled": record.ipv6_enabled,
            "Internal": record.internal,
            "Labels": record.labels,
            "Name": record.name,
            "NetworkDNSServers": record.network_dns_servers,
            "NetworkInterface": record.network_interface,
            "Options": record.options,
            "Routes": routes.collect::<Vec<_>>(),
            "Scope": "local",
            "Subnets": subnets.collect::<Vec<_>>(),
        })
    }
}

/// Fields of podman's structs, their names in JSON, and what a template sees if JSON omits them.
const GO_NAMES: [(&str, &str, &str); 25] = [
    ("Containers", "containers", "{}"),
    ("Created", "created", "null"),
    ("DNSEnabled", "dns_enabled", "false"),
    ("Destination", "destination", "null"),
    ("Driver", "driver", "null"),
    ("EndIP", "end_ip", "null"),
    ("Gateway", "gateway", "null"),
    ("ID", "id", "null"),
    ("IPAMOptions", "ipam_options", "{}"),
    ("IPNet", "ipnet", "null"),
    ("IPv6Enabled", "ipv6_enabled", "false"),
    ("Interfaces", "interfaces", "{}"),
    ("Internal", "internal", "false"),
    ("Labels", "labels", "{}"),
    ("LeaseRange", "lease_range", "null"),
    ("MacAddress", "mac_address", "null"),
    ("Metric", "metric", "null"),
    ("Name", "name", "null"),
    ("NetworkDNSServers", "network_dns_servers", "[]"),
    ("NetworkInterface", "network_interface", "null"),
    ("Options", "options", "{}"),
    ("Routes", "routes", "[]"),
    ("StartIP", "start_ip", "null"),
    ("Subnet", "subnet", "null"),
    ("Subnets", "subnets", "[]"),
];

/// The object of `network inspect` for a template: where the template uses the names of podman's Go structs, the fields
/// have them, too.
pub(crate) fn with_go_names(object: Value, template: &str) -> Value {
    let used: Vec<&(&str, &str, &str)> =
        GO_NAMES.iter().filter(|(go, ..)| template.contains(&format!(".{go}"))).collect();
    named(object, &used, true)
}

fn named(value: Value, used: &[&(&str, &str, &str)], is_outermost: bool) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| named(item, used, false)).collect(),
        Value::Object(fields) => {
            // The keys of these are the user's.
            let is_users = |key: &str| matches!(key, "labels" | "options" | "ipam_options");
            let mut fields: Map<String, Value> = fields
                .into_iter()
                .map(|(key, value)| {
                    let value = if is_users(&key) { value } else { named(value, used, false) };
                    (key, value)
                })
                .collect();
            for (go, key, absent) in used {
                match fields.get(*key).cloned() {
                    Some(value) => drop(fields.insert((*go).to_owned(), value)),
                    None if is_outermost && *absent != "null" => {
                        let value = match *absent {
                            "[]" => json!([]),
                            "{}" => json!({}),
                            _ => json!(false),
                        };
                        fields.insert((*go).to_owned(), value);
                    }
                    None => {}
                }
            }
            Value::Object(fields)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NetworkAddress;

    fn member() -> NetworkMember {
        let address = |text: &str| text.parse::<NetworkAddress>().expect("an address");
        NetworkMember {
            id: ContainerId::from_bytes([7; 32]),
            name: "web".parse().expect("a name"),
            endpoint: EndpointState {
                addresses: vec![address("10.88.0.2/16"), address("fd00::2/64")],
                gateways: vec!["10.88.0.1".parse().expect("an address")],
                mac: Some("02:42:0a:58:00:02".parse().expect("an address")),
                interface: Some("eth0".to_owned()),
                ..EndpointState::default()
            },
        }
    }

    #[test]
    fn members_are_shown_as_podman_and_docker_show_them() {
        let record = NetworkRecord::default_network();
        let members = [member()];
        let row = NetworkRow { record: &record, members: &members, no_trunc: false };
        let id = members[0].id.as_str();
        let object = row.object();
        assert_eq!(
            object["containers"][id],
            json!({ "name": "web", "interfaces": { "eth0": {
                "subnets": [{ "ipnet": "10.88.0.2/16", "gateway": "10.88.0.1" }, { "ipnet": "fd00::2/64" }],
                "mac_address": "02:42:0a:58:00:02",
            } } })
        );
        let docker = row.docker_object();
        assert_eq!(docker["Containers"][id]["IPv4Address"], "10.88.0.2/16");
        assert_eq!(docker["IPAM"]["Config"], json!([{ "Subnet": "10.88.0.0/16", "Gateway": "10.88.0.1" }]));
        assert_eq!(docker["Id"], record.id);
        assert_eq!(row.cells(), ["2f259bab93aa", "podman", "bridge"]);
    }

    #[test]
    fn a_template_finds_the_names_of_podman_s_structs_and_json_has_none_of_them() {
        let record = NetworkRecord::default_network();
        let object = NetworkRow { record: &record, members: &[member()], no_trunc: true }.object();
        assert_eq!(with_go_names(object.clone(), "{{json .}}"), object);
        let seen = with_go_names(object.clone(), "{{range .Subnets}}{{.Subnet}} {{.Gateway}}{{end}}{{.Labels}}");
        assert_eq!(seen["Subnets"][0]["Subnet"], "10.88.0.0/16");
        assert_eq!(seen["Subnets"][0]["Gateway"], "10.88.0.1");
        assert_eq!((&seen["Labels"], &seen["DNSEnabled"]), (&json!({}), &Value::Null));
        let seen = with_go_names(object, "{{range .Containers}}{{.Name}}{{end}}");
        let containers = seen["Containers"].as_object().expect("a map");
        assert!(containers.values().all(|container| container["Name"] == "web"));
    }
}
