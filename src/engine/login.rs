//! Logging in to a registry, and out of it.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::registry::{self as connection, Connection};
use crate::registry::{self, Client, Credentials, Forgotten, Server};
use crate::types::{Report, ReportKind};

/// Parses the name of a registry; without one, the first that short names are searched in, docker.io if no file says
/// otherwise.
pub(crate) fn server(context: &Context, typed: Option<&str>) -> Result<Server, Report> {
    let usual = match typed {
        Some(_) => None,
        None => context.registries.get()?.searched().next(),
    };
    Ok(Server::parse(typed.or(usual).unwrap_or_default())?)
}

/// The user's name and password that are stored for a registry. The name of an identity token is empty.
pub(crate) fn stored_login(
    context: &Context,
    server: &Server,
    connection: &Connection,
) -> Result<Option<Credentials>, Report> {
    let authfile = connection.authfile.as_deref();
    // A file that does not exist yet has nothing.
    let file = authfile.filter(|path| crate::sys::fs::metadata(path).is_ok());
    if authfile.is_some() && file.is_none() {
        return Ok(None);
    }
    Ok(Credentials::of_server(server, authfile, &context.places)?)
}

/// Checks credentials with the registry. Fails with `Denied` if it refuses them.
pub(crate) fn check_login(
    context: &Context,
    server: &Server,
    credentials: Credentials,
    connection: &Connection,
) -> Result<(), Report> {
    let options = connection::options_for(context, server.registry(), connection, Some(credentials))?;
    let fail = |error: registry::Error| {
        let message = format!("cannot log in to `{server}`: {error}");
        Report::from(error).with_message(message)
    };
    let client = Client::for_registry(server.registry(), Vec::new(), options).map_err(fail)?;
    registry::block_on(client.check_login()).and_then(|answer| answer).map_err(fail)
}

/// Checks a user's name and password with the registry and stores them. Returns the auth file.
pub(crate) fn login(
    context: &Context,
    server: &Server,
    user: &str,
    password: &str,
    connection: &Connection,
) -> Result<PathBuf, Report> {
    if user.contains(':') {
        return Err(Report::new(ReportKind::Invalid, format!("the user name `{user}` contains a `:`")));
    }
    let credentials = Credentials::Password { user: user.to_owned(), password: password.to_owned() };
    check_login(context, server, credentials, connection)?;
    Ok(registry::store(server, user, password, connection.authfile.as_deref(), &context.places)?)
}

/// Removes the credentials of a registry.
pub(crate) fn logout(context: &Context, server: &Server, authfile: Option<&Path>) -> Result<Forgotten, Report> {
    Ok(registry::forget(server, authfile, &context.places)?)
}

/// Removes the credentials of all registries from the auth file.
pub(crate) fn logout_all(context: &Context, authfile: Option<&Path>) -> Result<(), Report> {
    Ok(registry::forget_all(authfile, &context.places)?)
}
