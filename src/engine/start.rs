use super::image;
use crate::container::{self, Attach, Container, Environment, Origin, Outcome};
use crate::types::Report;

/// Starts a container from its image's layers.
pub(crate) fn start(environment: &Environment, container: Container, attach: &Attach) -> Result<Outcome, Report> {
    let image = image::of_container(&environment.store, &container)?;
    let lowers = image::layers(&environment.store, &image, environment)?;
    Ok(container::start(environment, Origin::Existing(Box::new(container)), lowers, attach)?)
}
