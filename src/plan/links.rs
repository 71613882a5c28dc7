//! `--link`: names by which this container alone finds others.

use super::{ContainerConfig, Error, Facts, namespaces};
use crate::types::{Endpoint, Invalid, Linked, Name, Network};

/// The containers that links name.
pub(super) fn containers(links: &[String]) -> impl Iterator<Item = String> {
    links.iter().filter_map(|text| text.parse::<Linked>().ok()).map(|linked| linked.to.to_string())
}

/// The network, in which the container has the names of `--link` for others, each in the networks that both are in.
pub(super) fn linked(mut network: Network, links: &[String], facts: &Facts) -> Result<Network, Error> {
    let Network::Own { endpoints } = &mut network else {
        return match links.first() {
            Some(text) => Err(refused(text, NO_NETWORK)),
            None => Ok(network),
        };
    };
    for text in links {
        let asked: Linked = text.parse().map_err(Error::option(OPTION))?;
        let other = namespaces::container(facts, OPTION, asked.to.as_str())?;
        let linked = Linked { to: other.name.clone(), ..asked };
        if !is_new(&linked, endpoints.iter().flat_map(|endpoint| &endpoint.links), text)? {
            continue;
        }
        let mut common: Vec<&mut Endpoint> = endpoints.iter_mut().filter(|own| is_in(own, other)).collect();
        if common.is_empty() {
            return Err(refused(text, NO_NETWORK));
        }
        common.iter_mut().for_each(|endpoint| endpoint.links.push(linked.clone()));
    }
    Ok(network)
}

const OPTION: &str = "--link";
const NO_NETWORK: &str = "the two containers have no network in common: `rc network create NAME`, and start both with \
                          `--network NAME`";

fn refused(text: &str, reason: &str) -> Error {
    Error::option(OPTION)(Invalid::new("link", text, reason))
}

/// Whether the container has no such link yet. Fails if it has the name for another container.
fn is_new<'a>(linked: &Linked, mut others: impl Iterator<Item = &'a Linked>, text: &str) -> Result<bool, Error> {
    match others.find(|earlier| earlier.alias == linked.alias) {
        Some(earlier) if earlier.to == linked.to => Ok(false),
        Some(earlier) => Err(refused(text, &format!("`{}` has that name already", earlier.to))),
        None => Ok(true),
    }
}

fn is_in(own: &Endpoint, other: &ContainerConfig) -> bool {
    own.is_bridge() && other.network.bridges().any(|(name, _)| own.network.as_ref() == Some(&name))
}

impl ContainerConfig {
    /// Adds a link of `network connect` to a further endpoint of this container, in this network. Fails if the other
    /// container is not in it, or if this one has the name for yet another.
    pub(crate) fn link(
        &self,
        endpoint: &mut Endpoint,
        network: &Name,
        other: &Self,
        asked: Linked,
    ) -> Result<(), Error> {
        if !other.network.bridges().any(|(name, _)| name == *network) {
            return Err(Error::NotConnected { container: other.name.clone(), network: network.clone() });
        }
        let text = asked.to_string();
        let linked = Linked { to: other.name.clone(), ..asked };
        // Of other networks it may have the same one.
        is_new(&linked, self.network.endpoints().iter().flat_map(|earlier| &earlier.links), &text)?;
        if is_new(&linked, endpoint.links.iter(), &text)? {
            endpoint.links.push(linked);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, identity, image};
    use super::*;
    use crate::plan::{Request, resolve};

    #[test]
    fn a_link_is_a_name_in_common_networks() {
        let network = |text: &str| text.parse::<Network>().expect("a network");
        let resolved = resolve(&Request::default(), &image(), &facts(), identity()).expect("a container");
        let db = ContainerConfig { name: "db".parse().expect("a name"), network: network("app"), ..resolved };
        let other = ContainerConfig { name: "other".parse().expect("a name"), ..db.clone() };
        let mut facts = facts();
        facts.found.containers = [
            ("db".to_owned(), Some(Box::new(db.clone()))),
            ("5eac".to_owned(), Some(Box::new(db.clone()))),
            ("other".to_owned(), Some(Box::new(other))),
            ("gone".to_owned(), None),
        ]
        .into();
        let of = |own: &str, links: &[&str]| {
            let links: Vec<String> = links.iter().map(|&text| text.to_owned()).collect();
            let network = linked(network(own), &links, &facts).map_err(|error| error.to_string())?;
            let links = network.endpoints().iter().flat_map(|endpoint| &endpoint.links).map(Linked::to_string);
            Ok::<_, String>(links.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(of("app", &["db", "5eac:sql", "db"]).as_deref(), Ok("db:db db:sql"));
        assert_eq!(of("none", &[]).as_deref(), Ok(""));
        for (own, link, expected) in [
            ("slirp4netns", "db:sql", NO_NETWORK),
            ("host", "db:sql", NO_NETWORK),
            ("web", "db:sql", NO_NETWORK),
            ("app", "gone:sql", "`--link`: invalid container `gone`: no such container"),
            ("app", "db:sql other:sql", "invalid link `other:sql`: `db` has that name already"),
            ("app", "db:a:b", "must be CONTAINER or CONTAINER:ALIAS"),
        ] {
            let links: Vec<&str> = link.split(' ').collect();
            assert!(of(own, &links).is_err_and(|error| error.contains(expected)), "{own} {link}");
        }
        let web = ContainerConfig { network: network("web"), ..db.clone() };
        let own = linked(network("app"), &["db:sql".to_owned()], &facts).expect("a network");
        let own = ContainerConfig { network: own, ..db.clone() };
        let connect = |to: &[(&ContainerConfig, &str)]| {
            let mut endpoint = web.network.endpoints()[0].clone();
            let links = to.iter().try_for_each(|(other, text)| {
                own.link(&mut endpoint, &"web".parse().expect("a name"), other, text.parse().expect("a link"))
            });
            links.map(|()| endpoint.links.len()).map_err(|error| error.to_string())
        };
        assert_eq!(connect(&[(&db, "db")]), Err("container `db` is not in the network `web`".to_owned()));
        let other = ContainerConfig { name: "other".parse().expect("a name"), ..web.clone() };
        assert_eq!(connect(&[(&web, "db:sql"), (&web, "db:sql"), (&web, "db"), (&other, "other:x")]), Ok(3));
        let taken = |text: &str| Err(format!("`--link`: invalid link `{text}`: `db` has that name already"));
        assert_eq!(connect(&[(&other, "other:sql")]), taken("other:sql"));
        assert_eq!(connect(&[(&web, "db:x"), (&other, "other:x")]), taken("other:x"));
    }
}
