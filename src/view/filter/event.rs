//! Filters of events.

use super::{Error, any, split};
use crate::storage::events::{Event, EventKind};
use crate::view::docker_action;

/// The keys of podman-events(1) and docker-events(1) for what rc has.
const KEYS: &[&str] = &["container", "event", "image", "label", "network", "pod", "secret", "type", "volume"];

/// All filters of one command line.
#[derive(Debug, Default)]
pub(crate) struct EventFilter {
    /// Names and IDs, each of a kind.
    objects: Vec<(EventKind, String)>,
    images: Vec<String>,
    actions: Vec<String>,
    labels: Vec<(String, Option<String>)>,
    kinds: Vec<EventKind>,
}

impl EventFilter {
    /// Parses what was typed.
    pub(crate) fn parse(typed: &[String]) -> Result<Self, Error> {
        let mut filter = Self::default();
        for typed in typed {
            let (key, value) = split(typed, KEYS)?;
            let owned = value.to_owned();
            match key {
                "container" => filter.objects.push((EventKind::Container, value.trim_start_matches('/').to_owned())),
                "volume" => filter.objects.push((EventKind::Volume, owned)),
                "network" => filter.objects.push((EventKind::Network, owned)),
                "pod" => filter.objects.push((EventKind::Pod, owned)),
                "secret" => filter.objects.push((EventKind::Secret, owned)),
                "image" => filter.images.push(owned),
                "event" => filter.actions.push(owned),
                "type" => {
                    let kind = EventKind::of_word(value);
                    let unknown =
                        || Error::bad(key, value, "must be container, image, volume, network, secret, pod or system");
                    filter.kinds.push(kind.ok_or_else(unknown)?);
                }
                _ => {
                    let (name, text) = value.split_once('=').map_or((value, None), |(name, text)| (name, Some(text)));
                    filter.labels.push((name.to_owned(), text.map(str::to_owned)));
                }
            }
        }
        Ok(filter)
    }

    /// Whether all filters match.
    pub(crate) fn matches(&self, event: &Event) -> bool {
        any(&self.objects, |(kind, wanted)| *kind == event.kind && is_object(event, wanted))
            && any(&self.images, |wanted| is_image(event, wanted))
            && any(&self.actions, |wanted| is_action(event, wanted))
            && any(&self.kinds, |kind| *kind == event.kind)
            && self.labels.iter().all(|(name, value)| {
                let found = event.attributes.get(name);
                found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
            })
    }
}

fn is_object(event: &Event, wanted: &str) -> bool {
    event.name == wanted || !wanted.is_empty() && event.id.starts_with(wanted)
}

/// `image` is the image itself, or that of a container: its name with or without registry and tag, or its ID.
fn is_image(event: &Event, wanted: &str) -> bool {
    let name = match event.kind {
        EventKind::Container => &event.image,
        EventKind::Image if is_object(event, wanted.trim_start_matches("sha256:")) => return true,
        EventKind::Image => &event.name,
        _ => return false,
    };
    let bare = |name: &str| match name.rsplit_once(':') {
        Some((bare, tag)) if !tag.contains('/') => bare.to_owned(),
        _ => name.to_owned(),
    };
    let is_end = |name: &str| name == wanted || name.strip_suffix(wanted).is_some_and(|rest| rest.ends_with('/'));
    is_end(name) || is_end(&bare(name))
}

/// podman's word or docker's.
fn is_action(event: &Event, wanted: &str) -> bool {
    event.action == wanted || docker_action(event).is_some_and(|action| action == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(event: &Event, typed: &[&str]) -> Result<bool, String> {
        let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
        EventFilter::parse(&typed).map(|filter| filter.matches(event)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_of_events() {
        let container = Event {
            image: "docker.io/library/nginx:1".to_owned(),
            ..Event::new(EventKind::Container, "died", "abc123", "web").with("app", "shop")
        };
        let image = Event::new(EventKind::Image, "pull", "f00", "docker.io/library/nginx:1");
        for (event, typed, expected) in [
            (&container, &[][..], true),
            (&container, &["container=web"], true),
            (&container, &["container=/web"], true),
            (&container, &["container=abc"], true),
            (&container, &["container=bc"], false),
            (&container, &["container=x", "container=web"], true),
            (&container, &["container=web", "event=start"], false),
            (&container, &["event=died"], true),
            (&container, &["event=die"], true),
            (&container, &["event=start", "event=die"], true),
            (&container, &["image=nginx"], true),
            (&container, &["image=nginx:1"], true),
            (&container, &["image=inx"], false),
            (&container, &["label=app"], true),
            (&container, &["label=app=shop"], true),
            (&container, &["label=app", "label=x"], false),
            (&container, &["type=container"], true),
            (&container, &["type=image"], false),
            (&container, &["volume=web"], false),
            (&image, &["image=nginx"], true),
            (&image, &["image=sha256:f0"], true),
            (&image, &["container=f00"], false),
            (&image, &["type=image", "event=pull"], true),
        ] {
            assert_eq!(matching(event, typed), Ok(expected), "{typed:?}");
        }
        let pod = Event::new(EventKind::Pod, "start", "abc456", "shop");
        for (typed, expected) in [("pod=shop", true), ("pod=abc4", true), ("pod=web", false), ("type=pod", true)] {
            assert_eq!(matching(&pod, &[typed]), Ok(expected), "{typed}");
        }
        let unknown = matching(&image, &["machine=x"]).expect_err("rc has no machines");
        assert_eq!(unknown, "unknown filter `machine`");
        assert!(matching(&image, &["type=machine"]).is_err());
    }
}
