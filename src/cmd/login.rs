//! `rc login`.

mod answer;

use std::path::PathBuf;

use self::answer::{ask_for_user, piped, prompt};
use super::Ctx;
use super::args::{RegistryArgs, Secret};
use crate::console::ask::{self, Echo};
use crate::engine;
use crate::error::{Error, Exit};
use crate::registry::{Credentials, Server};
use crate::ui;

/// Log in to a registry
///
/// The registry checks the user's name and password, which are stored for `pull`, `push` and `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Print the user's name that is stored for the registry
    #[arg(long)]
    get_login: bool,
    /// Password for the registry; other users may see it in the list of processes
    #[arg(short, long, value_name = "PASSWORD", conflicts_with = "password_stdin")]
    password: Option<Secret>,
    /// Take the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Take the password from a secret; its name is that of the user, unless there is one
    #[arg(long, value_name = "SECRET", conflicts_with_all = ["password", "password_stdin"])]
    secret: Option<String>,
    /// Username for the registry
    #[arg(short, long, value_name = "USER")]
    username: Option<String>,
    /// Write more detailed information to standard output
    #[arg(short, long)]
    verbose: bool,
    /// Path of an authentication file of docker's, instead of podman's
    #[arg(long, value_name = "FILE", conflicts_with = "authfile")]
    compat_auth_file: Option<PathBuf>,
    /// The registry: HOST[:PORT] (default: the first that short names are searched in, docker.io)
    #[arg(value_name = "REGISTRY")]
    server: Option<String>,
}

/// Runs the command. Nothing is stored unless the registry accepts it.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let server = engine::server(&ctx.engine, args.server.as_deref())?;
    let mut connection = args.registry.connection();
    connection.authfile = args.compat_auth_file.clone().or(connection.authfile);
    let stored = engine::stored_login(&ctx.engine, &server, &connection)?;
    if args.get_login {
        return print_login(stored.as_ref(), &server);
    }
    let mut out = ui::out();
    if let Some(stored) = stored.clone().filter(|_| args.is_bare()) {
        out.line(format_args!("Authenticating with existing credentials for {server}"))?;
        out.finish()?;
        if engine::check_login(&ctx.engine, &server, stored, &connection).is_ok() {
            out.line(format_args!("Existing credentials are valid. Already logged in to {server}"))?;
            out.finish()?;
            return Ok(Exit::SUCCESS);
        }
        out.line("Existing credentials are invalid, please enter valid username and password")?;
        out.finish()?;
    }
    let (user, password) = match &args.secret {
        Some(name) => (
            args.username.clone().unwrap_or_else(|| name.clone()),
            engine::secret_text(&ctx.engine, name)?.trim_end_matches(['\r', '\n']).to_owned(),
        ),
        None => args.answers(stored.as_ref())?,
    };
    let file = engine::login(&ctx.engine, &server, &user, &password, &connection)?;
    if args.verbose {
        out.line(format_args!("Used: {}", file.display()))?;
    }
    out.line("Login Succeeded!")?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

fn print_login(stored: Option<&Credentials>, server: &Server) -> Result<Exit, Error> {
    let user = match stored {
        Some(Credentials::Password { user, .. }) => user.as_str(),
        Some(Credentials::IdentityToken(_)) => "<token>",
        None => return Err(Error::new(format!("not logged in to `{server}`"))),
    };
    let mut out = ui::out();
    out.line(user)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

impl Args {
    /// Whether nothing says who logs in.
    fn is_bare(&self) -> bool {
        self.username.is_none() && self.password.is_none() && !self.password_stdin && self.secret.is_none()
    }

    /// The user's name and password, from options or from the user at the terminal.
    fn answers(&self, stored: Option<&Credentials>) -> Result<(String, String), Error> {
        if self.password_stdin && self.username.is_none() {
            return Err(Error::new("`--password-stdin` needs `--username`"));
        }
        let is_complete = self.username.is_some() && (self.password.is_some() || self.password_stdin);
        if !is_complete && !ask::can_ask() {
            return Err(Error::new("cannot ask for the user name and password: standard input is not a terminal")
                .with_hint("use `--username USER --password-stdin`"));
        }
        let known = match stored {
            Some(Credentials::Password { user, .. }) => Some(user.as_str()),
            _ => None,
        };
        let user = match &self.username {
            Some(user) => user.clone(),
            None => ask_for_user(known)?,
        };
        if user.is_empty() {
            return Err(Error::new("the user name is empty"));
        }
        let password = match &self.password {
            Some(Secret(password)) => password.clone(),
            None if self.password_stdin => piped()?,
            None => {
                let password = prompt("Password: ", Echo::Hidden)?;
                let mut out = ui::out();
                out.raw(b"\n")?;
                out.finish()?;
                password
            }
        };
        if password.is_empty() {
            return Err(Error::new("the password is empty"));
        }
        Ok((user, password))
    }
}
