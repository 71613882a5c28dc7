//! What the objects of one `inspect` need of all containers and networks: looked up once, when the first of them does.

use std::collections::BTreeMap;

use crate::container::{Container, Listing};
use crate::engine::{self, Context};
use crate::types::{Network, Report};

/// What was looked up so far.
#[derive(Debug, Default)]
pub(super) struct LookedUp {
    containers: Option<Listing>,
    network_ids: Option<BTreeMap<String, String>>,
}

impl LookedUp {
    /// The container or the pod that a container has the network of; `None` if that is its own.
    pub(super) fn network_owner<'a>(
        &'a mut self,
        context: &Context,
        container: &'a Container,
    ) -> Result<Option<&'a Container>, Report> {
        if !matches!(container.config.network, Network::Container(_)) {
            return Ok(None);
        }
        let all = once(&mut self.containers, || engine::containers(context))?;
        Ok(engine::network_owner(all, container))
    }

    /// The IDs of the networks that can be read, by name.
    pub(super) fn network_ids(&mut self, context: &Context) -> Result<&BTreeMap<String, String>, Report> {
        once(&mut self.network_ids, || engine::network_ids(context))
    }
}

/// What is in the place, or is found and put there. A failure leaves it empty.
fn once<T, E>(place: &mut Option<T>, find: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
    let found = match place.take() {
        Some(found) => found,
        None => find()?,
    };
    Ok(place.insert(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_looked_up_no_more_and_a_failure_is() {
        let mut place = None;
        assert_eq!(once(&mut place, || Err::<u8, _>("no")), Err("no"));
        assert_eq!(once(&mut place, || Ok::<_, &str>(1)), Ok(&1));
        assert_eq!(once(&mut place, || Err("again")), Ok(&1));
    }
}
