//! `rc search`.

use super::Ctx;
use super::args::{RegistryArgs, Secret};
use crate::engine::{self, Found};
use crate::error::{Error, Exit};
use crate::registry::Credentials;
use crate::ui::{self, Format, Table};
use crate::view::{SearchRow, TagList, TagRow};

/// Search a registry for images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    /// List stars, official and automated columns, as docker does
    #[arg(long)]
    compatible: bool,
    /// Credentials to use for accessing the registry: USER:PASSWORD
    #[arg(long, value_name = "CREDENTIALS")]
    creds: Option<Secret>,
    /// Filter output: stars=N, is-official=BOOL, is-automated=BOOL
    #[arg(short, long, value_name = "FILTER", value_parser = filter)]
    filter: Vec<Filter>,
    /// Change the output format to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Limit the number of results (default: 25)
    #[arg(long, value_name = "N", default_value_t = 25, hide_default_value = true,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    limit: usize,
    /// List the tags of a repository
    #[arg(long, conflicts_with = "filter")]
    list_tags: bool,
    /// Do not truncate the output
    #[arg(long)]
    no_trunc: bool,
    /// What to search for: [REGISTRY/]TERM; with --list-tags, a repository
    #[arg(value_name = "TERM")]
    term: String,
}

/// A condition of `--filter`.
#[derive(Debug, Clone, Copy)]
enum Filter {
    Stars(u64),
    Official(bool),
    Automated(bool),
}

/// Parses `--filter`. Source: podman-search(1).
fn filter(text: &str) -> Result<Filter, String> {
    let (key, value) = text.split_once('=').unwrap_or((text, "true"));
    let truth = || value.parse().map_err(|_| format!("`{key}` must be true or false"));
    match key {
        "stars" => value.parse().map(Filter::Stars).map_err(|_| "`stars` must be a number".to_owned()),
        "is-official" => Ok(Filter::Official(truth()?)),
        "is-automated" => Ok(Filter::Automated(truth()?)),
        _ => Err("the keys are stars, is-official and is-automated".to_owned()),
    }
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut connection = args.registry.connection();
    connection.credentials = args.creds.as_ref().map(|Secret(text)| Credentials::parse(text)).transpose()?;
    let format = ctx.format(args.format.as_deref());
    let mut out = ui::out();
    if args.list_tags {
        let (name, tags) = engine::search_tags(&ctx.engine, &args.term, args.limit, &connection)?;
        match format {
            Some(Format::Json) => Format::Json.list(&mut out, &[TagList { name: &name, tags: &tags }], false)?,
            Some(format) => {
                let rows: Vec<_> = tags.iter().map(|tag| TagRow { name: &name, tag }).collect();
                format.list(&mut out, &rows, false)?;
            }
            None => {
                let mut table = Table::new(&["NAME", "TAG"]);
                tags.iter().for_each(|tag| table.row([&name, tag]));
                out.raw(table.render().as_bytes())?;
            }
        }
        out.finish()?;
        return Ok(Exit::SUCCESS);
    }
    let (mut found, failures) = engine::search(&ctx.engine, &args.term, args.limit, &connection)?;
    failures.iter().for_each(|report| ui::warning(&report.message));
    found.retain(|found| args.shows(found));
    let rows: Vec<_> = found
        .iter()
        .map(|Found { index, name, hit }| SearchRow {
            index,
            name,
            description: hit.description.as_deref().unwrap_or_default(),
            stars: hit.star_count,
            is_official: hit.is_official,
            is_automated: hit.is_automated,
            no_trunc: args.no_trunc,
        })
        .collect();
    match format {
        Some(format) => format.list(&mut out, &rows, false)?,
        None if rows.is_empty() => {}
        None => {
            let mut columns = vec!["NAME", "DESCRIPTION"];
            columns.extend(["STARS", "OFFICIAL", "AUTOMATED"].iter().filter(|_| args.compatible));
            let mut table = Table::new(&columns);
            rows.iter().for_each(|row| table.row(row.cells().into_iter().take(columns.len())));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}

impl Args {
    fn shows(&self, found: &Found) -> bool {
        self.filter.iter().all(|filter| match filter {
            Filter::Stars(least) => found.hit.star_count >= *least,
            Filter::Official(wanted) => found.hit.is_official == *wanted,
            Filter::Automated(wanted) => found.hit.is_automated == *wanted,
        })
    }
}
