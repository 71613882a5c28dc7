//! What it means that an object lacks a field: the objects of podman and docker are Go structs and maps, and a template
//! may ask both for a field that is absent.

/// Maps whose keys are the user's or the image's, wherever they occur. Source: podman `libpod/define`, docker
/// `api/types`: fields of type `map[string]…`.
const MAPS: [&str; 15] = [
    "Annotations",
    "Data",
    "DriverOpts",
    "ExposedPorts",
    "GraphOptions",
    "GraphStatus",
    "Labels",
    "Networks",
    "Options",
    "PortBindings",
    "Ports",
    "Registries",
    "Sysctls",
    "Tmpfs",
    "Volumes",
];

/// What an optional field has that is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zero {
    /// An empty string.
    Text,
    /// false.
    False,
    /// An empty list or map, or no pointer.
    Nothing,
}

/// An optional field of a struct, and its value if it is absent.
pub(crate) type Optional = (&'static str, Zero);

/// What the value of a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A map: a key that it lacks is no mistake.
    Map,
    /// A struct, with the fields that JSON omits if they are empty. Any other field that it lacks does not exist.
    Struct(&'static [Optional]),
}

/// The shape of the object in the field `name`, or of its elements; the outermost object has no name. Source: the
/// `omitempty` fields of podman's `libpod/define/container_inspect.go` and docker's `api/types/container`.
pub(crate) fn shape(name: &str, is_element: bool) -> Shape {
    if MAPS.contains(&name) && !is_element {
        return Shape::Map;
    }
    Shape::Struct(match (name, is_element) {
        ("State", _) => &[
            ("Checkpointed", Zero::False),
            ("CheckpointLog", Zero::Text),
            ("CheckpointPath", Zero::Text),
            ("Restored", Zero::False),
            ("RestoreLog", Zero::Text),
        ],
        ("Config", _) => &[
            ("ChrootDirs", Zero::Nothing),
            ("Healthcheck", Zero::Nothing),
            ("HealthLogDestination", Zero::Text),
            ("HealthMaxLogCount", Zero::Nothing),
            ("HealthMaxLogSize", Zero::Nothing),
            ("HealthcheckOnFailureAction", Zero::Text),
            ("MacAddress", Zero::Text),
            ("NetworkDisabled", Zero::False),
            ("Secrets", Zero::Nothing),
            ("Shell", Zero::Nothing),
            ("StartupHealthCheck", Zero::Nothing),
            ("SystemdMode", Zero::False),
            ("Timezone", Zero::Text),
        ],
        ("HostConfig", _) => {
            &[("IDMappings", Zero::Nothing), ("IntelRdtClosID", Zero::Text), ("MaskedPaths", Zero::Nothing)]
        }
        ("Mounts", true) => &[("Name", Zero::Text), ("SubPath", Zero::Text)],
        ("History", true) => &[
            ("author", Zero::Text),
            ("comment", Zero::Text),
            ("created", Zero::Text),
            ("created_by", Zero::Text),
            ("empty_layer", Zero::False),
        ],
        _ => &[],
    })
}
