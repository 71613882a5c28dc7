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
        let mut all = endpoints.iter().flat_map(|endpoint| &endpoint.links);
        match all.find(|earlier| earlier.alias == linked.alias) {
            Some(earlier) if earlier.to == linked.to => continue,
            Some(earlier) => return Err(refused(text, &format!("`{}` has that name already", earlier.to))),
            None => {}
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

fn is_in(own: &Endpoint, other: &ContainerConfig) -> bool {
    own.is_bridge() && other.network.bridges().any(|(name, _)| own.network.as_ref() == Some(&name))
}

impl ContainerConfig {
    /// A link of `network connect` to this container, in this network. Fails if the container is not in it.
    pub(crate) fn linked_in(&self, network: &Name, asked: Linked) -> Result<Linked, Error> {
        match self.network.bridges().any(|(name, _)| name == *network) {
            true => Ok(Linked { to: self.name.clone(), ..asked }),
            false => Err(Error::NotConnected { container: self.name.clone(), network: network.clone() }),
        }
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
        let connected = db.linked_in(&"web".parse().expect("a name"), "db".parse().expect("a link"));
        assert_eq!(connected.unwrap_err().to_string(), "container `db` is not in the network `web`");
    }
}
