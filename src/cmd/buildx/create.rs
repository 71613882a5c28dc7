//! `rc buildx create`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::registry::Platform;
use crate::types::Report;
use crate::ui;

/// Give the builder another name
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Start the builder (accepted for compatibility: there is nothing to start)
    #[arg(long)]
    bootstrap: bool,
    /// Flags of BuildKit's daemon: --allow-insecure-entitlement NAME, which a build asks for with --allow
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    buildkitd_flags: Option<String>,
    /// How BuildKit would run: docker-container or docker (accepted for compatibility: rc builds itself)
    #[arg(long, value_name = "DRIVER")]
    driver: Option<String>,
    /// Options of the driver: network=host or image=IMAGE, which are no matter of a builder without a container
    #[arg(long = "driver-opt", value_name = "OPTION", value_delimiter = ',')]
    options: Vec<String>,
    /// The name (default: builder-N)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it is for (accepted for compatibility: what this host can run it builds for)
    #[arg(long = "platform", value_name = "PLATFORM", value_delimiter = ',')]
    platforms: Vec<String>,
    /// Make it the one in use
    #[arg(long = "use")]
    is_used: bool,
    /// Where it builds: default
    #[arg(value_name = "ENDPOINT")]
    endpoint: Option<String>,
}

/// Runs the command: prints the name.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    args.check()?;
    let name = args.name.as_deref().filter(|name| !name.is_empty());
    let name = engine::create_builder(&ctx.engine, name, args.is_used)?;
    let mut out = ui::out();
    out.line(name)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

impl Args {
    /// Refuses what would be somewhere else, or what a build would not do.
    fn check(&self) -> Result<(), Error> {
        let elsewhere = |option: &str, value: &str| {
            let error =
                Error::new(format!("`{option} {}`: rc builds on this host alone, itself", value.escape_debug()));
            Err(error.with_hint("leave it out"))
        };
        if let Some(driver) =
            self.driver.as_deref().filter(|driver| !matches!(*driver, "" | "docker-container" | "docker"))
        {
            return elsewhere("--driver", driver);
        }
        if let Some(endpoint) = self.endpoint.as_deref().filter(|endpoint| !matches!(*endpoint, "" | "default")) {
            return elsewhere("the endpoint", endpoint);
        }
        let is_known = |option: &&String| *option == "network=host" || option.starts_with("image=");
        if let Some(option) = self.options.iter().find(|option| !is_known(option)) {
            return elsewhere("--driver-opt", option);
        }
        for platform in &self.platforms {
            platform.parse::<Platform>().map_err(Report::from)?;
        }
        let flags = self.buildkitd_flags.as_deref().unwrap_or_default().replace('=', " ");
        let mut words = flags.split_whitespace();
        while let Some(word) = words.next() {
            match (word, words.next()) {
                ("--allow-insecure-entitlement", Some("network.host" | "security.insecure" | "device")) => {}
                _ => {
                    let error =
                        Error::new(format!("`--buildkitd-flags`: rc has no daemon with `{}`", word.escape_debug()));
                    return Err(error.with_hint("what takes confinement away is allowed for one build: `--allow`"));
                }
            }
        }
        Ok(())
    }
}
