//! A row of `events`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Listed, listed};
use crate::storage::events::{Event, EventKind};

/// A row of `events`.
#[derive(Debug, Clone)]
pub(crate) struct EventRow<'a> {
    /// The event.
    pub(crate) event: &'a Event,
    /// The time zone of the user.
    pub(crate) zone: TimeZone,
    /// Whether IDs are whole (`--no-trunc`).
    pub(crate) no_trunc: bool,
}

/// The action in docker's words; `None` if docker has no such event.
pub(crate) fn docker_action(event: &Event) -> Option<&str> {
    Some(match (event.kind, event.action.as_str()) {
        (EventKind::Container, "died") => "die",
        (EventKind::Container | EventKind::Volume | EventKind::Network, "remove") => "destroy",
        (EventKind::Container, "exec") => "exec_start",
        (EventKind::Container, "exec_died") => "exec_die",
        (EventKind::Container, "init" | "cleanup") => return None,
        (EventKind::Image, "remove") => "delete",
        (EventKind::Image, "loadfromarchive") => "load",
        (_, action) => action,
    })
}

impl EventRow<'_> {
    /// The line of podman: `2019-03-02 10:33:42.312377447 -0600 CST container create ID (image=…, name=…)`.
    pub(crate) fn line(&self) -> String {
        let Event { kind, action, name, image, .. } = self.event;
        let time = self.time().map(|time| time.to_zoned(self.zone.clone()));
        let time = time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S%.9f %z %Z").to_string());
        let words = [time.unwrap_or_default(), kind.as_str().to_owned(), action.clone(), self.id()];
        let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        if *kind == EventKind::Network {
            let mut details: Vec<String> = vec![format!("name={name}")];
            details.extend(self.event.attributes.iter().map(|(name, value)| format!("{name}={value}")));
            return format!("{words} ({})", details.join(", "));
        }
        if *kind != EventKind::Container {
            return format!("{words} {name}").trim_end().to_owned();
        }
        let mut details = vec![format!("image={image}"), format!("name={name}")];
        details.extend(self.event.health.iter().map(|health| format!("health_status={health}")));
        details.extend(self.event.attributes.iter().map(|(name, value)| format!("{name}={value}")));
        format!("{words} ({})", details.join(", "))
    }

    /// docker's line: `2017-01-05T00:35:58.859401177+08:00 container create ID (image=…, name=…)`; `None` for an event
    /// that docker does not have.
    pub(crate) fn docker_line(&self) -> Option<String> {
        let time = self.time().map(|time| time.to_zoned(self.zone.clone()));
        let time = time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.9f%:z").to_string()).unwrap_or_default();
        let attributes = self.docker_attributes();
        let details: Vec<String> =
            attributes.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
        let (kind, action) = (self.event.kind.as_str(), self.docker_words()?);
        Some(format!("{time} {kind} {action} {} ({})", self.actor(), details.join(", ")))
    }

    fn time(&self) -> Option<Timestamp> {
        self.event.time.parse().ok()
    }

    fn local_time(&self) -> String {
        let time = self.time().map(|time| time.to_zoned(self.zone.clone()));
        time.map_or_else(String::new, |time| time.strftime("%Y-%m-%dT%H:%M:%S%.9f%:z").to_string())
    }

    fn nanoseconds(&self) -> i64 {
        self.time().and_then(|time| i64::try_from(time.as_nanosecond()).ok()).unwrap_or_default()
    }

    /// As podman, which shows whole IDs unless it is told to cut them.
    fn id(&self) -> String {
        let id = &self.event.id;
        if self.no_trunc { id.clone() } else { id.get(..12).unwrap_or(id).to_owned() }
    }

    /// docker names an image by its name, and a volume too.
    fn actor(&self) -> &str {
        match self.event.kind {
            EventKind::Container | EventKind::Network => &self.event.id,
            _ if self.event.name.is_empty() => &self.event.id,
            _ => listed::familiar(&self.event.name),
        }
    }

    fn docker_words(&self) -> Option<String> {
        let action = docker_action(self.event)?;
        Some(self.event.health.as_ref().map_or_else(|| action.to_owned(), |health| format!("{action}: {health}")))
    }

    fn docker_attributes(&self) -> Map<String, Value> {
        let Event { kind, name, image, exit_code, attributes, .. } = self.event;
        let mut all: Map<String, Value> = attributes.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        if *kind == EventKind::Container {
            all.insert("image".to_owned(), json!(listed::familiar(image)));
        }
        if *kind != EventKind::Volume {
            all.insert("name".to_owned(), json!(listed::familiar(name)));
        }
        if let Some(code) = exit_code {
            all.insert("exitCode".to_owned(), json!(code.to_string()));
        }
        all.sort_keys();
        all
    }
}

impl Listed for EventRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("Attributes", "ATTRIBUTES"),
        ("ContainerExitCode", "EXIT CODE"),
        ("HealthStatus", "HEALTH"),
        ("ID", "ID"),
        ("Image", "IMAGE"),
        ("Name", "NAME"),
        ("Network", "NETWORK"),
        ("PodID", "POD ID"),
        ("Status", "STATUS"),
        ("Time", "TIME"),
        ("TimeNano", "TIME"),
        ("Type", "TYPE"),
    ];

    const DOCKER: &'static [&'static str] = &[];

    fn json(&self) -> impl Serialize {
        let Event { kind, action, id, name, image, exit_code, health, attributes, .. } = self.event;
        let mut object = super::inspect::object(json!({
            "ID": id,
            "Image": image,
            "Name": name,
            "Status": action,
            "Time": self.local_time(),
            "TimeNano": self.nanoseconds(),
            "Type": kind.as_str(),
            "Attributes": attributes,
        }));
        object.retain(|_, value| *value != json!("") && *value != json!({}));
        object.extend(exit_code.map(|code| ("ContainerExitCode".to_owned(), json!(code))));
        object.extend(health.as_ref().map(|health| ("health_status".to_owned(), json!(health))));
        object
    }

    fn fields(&self) -> impl Serialize {
        let Event { kind, action, id, name, image, exit_code, health, attributes, .. } = self.event;
        json!({
            "Attributes": attributes,
            "ContainerExitCode": exit_code.unwrap_or_default(),
            "HealthStatus": health.as_deref().unwrap_or_default(),
            "ID": id,
            "Image": image,
            "Name": name,
            "Network": "",
            "PodID": "",
            "Status": action,
            "Time": self.local_time(),
            "TimeNano": self.nanoseconds(),
            "Type": kind.as_str(),
        })
    }

    /// docker's message, which is no row of strings. Source: docker `api/types/events.Message`.
    fn docker(&self) -> Map<String, Value> {
        let action = self.docker_words().unwrap_or_else(|| self.event.action.clone());
        let mut object = Map::new();
        if self.event.kind == EventKind::Container || self.event.kind == EventKind::Image {
            object.insert("status".to_owned(), json!(action));
            object.insert("id".to_owned(), json!(self.actor()));
        }
        if self.event.kind == EventKind::Container {
            object.insert("from".to_owned(), json!(listed::familiar(&self.event.image)));
        }
        object.extend(super::inspect::object(json!({
            "Type": self.event.kind.as_str(),
            "Action": action,
            "Actor": { "ID": self.actor(), "Attributes": self.docker_attributes() },
            "scope": "local",
            "time": self.time().map(Timestamp::as_second).unwrap_or_default(),
            "timeNano": self.nanoseconds(),
        })));
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(event: &Event) -> EventRow<'_> {
        EventRow { event, zone: TimeZone::fixed(jiff::tz::offset(2)), no_trunc: false }
    }

    fn died() -> Event {
        Event {
            time: "2026-01-02T10:00:00.123456789Z".to_owned(),
            image: "docker.io/library/nginx:1".to_owned(),
            exit_code: Some(3),
            ..Event::new(EventKind::Container, "died", "5eacc9e701a2b", "web").with("app", "shop")
        }
    }

    #[test]
    fn the_lines_are_podman_s_and_docker_s() {
        let event = died();
        assert_eq!(
            row(&event).line(),
            "2026-01-02 12:00:00.123456789 +0200 +02 container died 5eacc9e701a2 \
             (image=docker.io/library/nginx:1, name=web, app=shop)"
        );
        assert_eq!(
            row(&event).docker_line().as_deref(),
            Some(
                "2026-01-02T12:00:00.123456789+02:00 container die 5eacc9e701a2b \
                 (app=shop, exitCode=3, image=nginx:1, name=web)"
            )
        );
        let volume = Event { time: event.time.clone(), ..Event::new(EventKind::Volume, "remove", "", "data") };
        assert_eq!(row(&volume).line(), "2026-01-02 12:00:00.123456789 +0200 +02 volume remove data");
        let network = Event { time: event.time.clone(), ..Event::new(EventKind::Network, "remove", "c0ffee", "app") };
        let network = network.with("type", "bridge");
        assert_eq!(
            row(&network).line(),
            "2026-01-02 12:00:00.123456789 +0200 +02 network remove c0ffee (name=app, type=bridge)"
        );
        assert_eq!(
            row(&network).docker_line().as_deref(),
            Some("2026-01-02T12:00:00.123456789+02:00 network destroy c0ffee (name=app, type=bridge)")
        );
        assert_eq!(row(&event.then("init")).docker_line(), None);
    }

    #[test]
    fn json_is_podman_s_or_docker_s_message() {
        let event = died();
        let podman = serde_json::to_value(row(&event).json()).expect("JSON");
        assert_eq!((&podman["Status"], &podman["ContainerExitCode"]), (&json!("died"), &json!(3)));
        assert_eq!((&podman["Name"], &podman["Attributes"]["app"]), (&json!("web"), &json!("shop")));
        let docker = Value::Object(row(&event).docker());
        assert_eq!(
            (&docker["status"], &docker["Action"], &docker["Type"]),
            (&json!("die"), &json!("die"), &json!("container"))
        );
        assert_eq!(docker["Actor"]["Attributes"]["exitCode"], "3");
        assert_eq!((&docker["time"], &docker["from"]), (&json!(1_767_348_000), &json!("nginx:1")));
        let health = Event { health: Some("healthy".to_owned()), ..event.then("health_status") };
        assert_eq!(row(&health).docker()["Action"], "health_status: healthy");
    }
}
