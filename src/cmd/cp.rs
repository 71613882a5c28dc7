//! `rc cp`.

use std::io::IsTerminal as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::Ctx;
use crate::engine::{self, Copy, Place};
use crate::error::{Error, Exit};
use crate::sys::fs::AtPath as _;
use crate::ui;

/// Copy files between a container and the host, or between containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Give files in a container to the user of its program; with =false they keep their owners (default: true)
    #[arg(
        short,
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value_t = true,
        hide_default_value = true,
        action = clap::ArgAction::Set
    )]
    archive: bool,
    /// Follow a link at the end of the source's path
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Let directories replace files, and files directories
    #[arg(long)]
    overwrite: bool,
    /// Suppress progress output (accepted for compatibility: rc prints none here)
    #[arg(short, long)]
    quiet: bool,
    /// [CONTAINER:]PATH, or `-` to unpack a tar archive from standard input
    #[arg(value_name = "SOURCE")]
    from: String,
    /// [CONTAINER:]PATH, or `-` to write a tar archive to standard output
    #[arg(value_name = "DESTINATION")]
    to: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (from, to) = (place(&args.from)?, place(&args.to)?);
    let stream: OwnedFd = match (&from, &to) {
        (Place::Stream, _) if std::io::stdin().is_terminal() => {
            let error = Error::new("standard input is a terminal");
            return Err(error.with_hint("pipe a tar archive into rc, or name a file"));
        }
        (Place::Stream, _) => rustix::stdio::stdin().try_clone_to_owned().at("read", "standard input")?,
        (_, Place::Stream) if ui::is_terminal(ui::Stream::Out) => {
            let error = Error::new("standard output is a terminal");
            return Err(error.with_hint("redirect the archive to a file or a pipe, or name a destination"));
        }
        _ => rustix::stdio::stdout().try_clone_to_owned().at("write to", "standard output")?,
    };
    let request = Copy { from, to, follow: args.follow_link, chown: args.archive, overwrite: args.overwrite };
    let copied = engine::copy(&ctx.engine, &request, stream);
    engine::sweep_soon(&ctx.engine);
    let left_out = copied?.special;
    if left_out > 0 {
        ui::warning(format_args!("{left_out} sockets and device files were left out"));
    }
    Ok(Exit::SUCCESS)
}

/// `-`, `CONTAINER:PATH`, or a path of the host: one that begins with `/` or `.`, or has no colon. Source: docker,
/// `splitCpArg`.
fn place(word: &str) -> Result<Place, Error> {
    if word == "-" {
        return Ok(Place::Stream);
    }
    match word.split_once(':') {
        Some((name, path)) if !word.starts_with(['/', '.']) && !name.contains('/') => {
            let invalid = |reason: &str| Err(Error::new(format!("invalid path `{word}`: {reason}")));
            match (name, path) {
                ("", _) => invalid("the container is missing"),
                (_, "") => invalid("the path in the container is missing"),
                (name, path) => Ok(Place::Container { name: name.to_owned(), path: PathBuf::from("/").join(path) }),
            }
        }
        _ if word.is_empty() => Err(Error::new("a path is empty")),
        _ => {
            // As it was typed: a slash or dot at the end has a meaning.
            let directory = std::env::current_dir().at("find", ".")?;
            let typed = if word == "." { "./." } else { word };
            Ok(Place::Host(directory.join(typed)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_separates_a_container_from_a_path_unless_the_word_begins_as_a_path() {
        let inside = |name: &str, path: &str| Some(Place::Container { name: name.into(), path: path.into() });
        let here = |path: &str| Some(Place::Host(std::env::current_dir().expect("a directory").join(path)));
        for (word, expected) in [
            ("-", Some(Place::Stream)),
            ("web:/etc/x", inside("web", "/etc/x")),
            ("web:etc/x/.", inside("web", "/etc/x/.")),
            ("web:a:b", inside("web", "/a:b")),
            ("file", here("file")),
            ("./a:b", here("./a:b")),
            ("/a:b", Some(Place::Host("/a:b".into()))),
            ("dir/a:b", here("dir/a:b")),
            (".", here("./.")),
            ("dir/", here("dir/")),
            (":/x", None),
            ("web:", None),
            ("", None),
        ] {
            assert_eq!(place(word).ok(), expected, "{word}");
        }
    }
}
