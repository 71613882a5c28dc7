//! `rc image trust`.

use std::path::PathBuf;

use crate::cmd::Ctx;
use crate::engine::{self, Trusted};
use crate::error::{Error, Exit};
use crate::ui::{self, Format, Table};
use crate::view::TrustRow;

/// Show or set which images may be pulled and loaded
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Set what is done with images of a registry, or of a part of it
    Set(Set),
    /// Show what is done with images
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Set {
    /// What is required: accept (nothing), reject, or signedBy (a signature by a key of each file)
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "signedBy", hide_possible_values = true)]
    kind: Kind,
    /// A file with public keys of OpenPGP, for signedBy; may be repeated
    #[arg(short = 'f', long = "pubkeysfile", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// The registry, or a part of it: HOST[:PORT][/REPOSITORY], or default
    #[arg(value_name = "SCOPE")]
    scope: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Accept,
    Reject,
    #[value(name = "signedBy")]
    SignedBy,
    #[value(name = "sigstoreSigned")]
    SigstoreSigned,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Print JSON
    #[arg(short, long)]
    json: bool,
    /// Do not print the headings
    #[arg(short, long)]
    noheading: bool,
    /// Print the policy itself
    #[arg(long, conflicts_with = "json")]
    raw: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    match &args.what {
        What::Set(set) => engine::set_trust(&ctx.engine, &set.scope, trusted(set)?)?,
        What::Show(how) => show(ctx, how)?,
    }
    Ok(Exit::SUCCESS)
}

fn trusted(set: &Set) -> Result<Trusted, Error> {
    match set.kind {
        Kind::SigstoreSigned => {
            Err(Error::new("`--type sigstoreSigned` is not supported: rc does not verify signatures of sigstore"))
        }
        Kind::SignedBy if set.keys.is_empty() => {
            let hint = "name it with `--pubkeysfile FILE`; `gpg --export KEY >FILE` writes one";
            Err(Error::new("`--type signedBy` needs a file with public keys").with_hint(hint))
        }
        // The policy is read from other directories, too.
        Kind::SignedBy => Ok(Trusted::SignedBy(set.keys.iter().map(absolute).collect::<Result<_, _>>()?)),
        Kind::Accept | Kind::Reject if !set.keys.is_empty() => {
            Err(Error::new("`--pubkeysfile` is for `--type signedBy`"))
        }
        Kind::Accept => Ok(Trusted::Accept),
        Kind::Reject => Ok(Trusted::Reject),
    }
}

fn absolute(path: &PathBuf) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|error| Error::new(format!("`{}`: {error}", path.display())))
}

fn show(ctx: &Ctx, how: &Show) -> Result<(), Error> {
    let policy = engine::trust(&ctx.engine)?;
    let mut out = ui::out();
    if how.raw {
        out.raw((policy.text().map_err(ui::format::Error::from)? + "\n").as_bytes())?;
        out.finish()?;
        return Ok(());
    }
    let stores = engine::stores(&ctx.engine)?;
    let policy_rows = policy.rows();
    let row = |row| TrustRow::of(row, |scope| stores.of_scope(scope));
    let rows: Vec<TrustRow<'_>> = policy_rows.iter().map(row).collect();
    if how.json {
        Format::Json.object(&mut out, &rows)?;
    } else {
        let mut table = match how.noheading {
            true => Table::without_headings(),
            false => Table::new(&["TRANSPORT", "NAME", "TYPE", "ID", "STORE"]),
        };
        for row in &rows {
            table.row(row.cells());
        }
        out.raw(table.render().as_bytes())?;
    }
    out.finish()?;
    Ok(())
}
