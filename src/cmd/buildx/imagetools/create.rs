//! `rc buildx imagetools create`.

use super::{Args, Progress};
use crate::cmd::Ctx;
use crate::cmd::args::read_all;
use crate::engine::{self, AddToList, Annotation, AnnotationLevel, Combine, Push};
use crate::error::{Error, Exit};
use crate::types::Report;
use crate::ui;

/// Makes a list, and pushes it.
pub(super) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if args.raw || args.format.is_some() {
        return Err(Error::new("`imagetools create` has no options `--raw` and `--format`: `inspect` has"));
    }
    if args.progress == Some(Progress::Rawjson) {
        return Err(Error::new("`imagetools create` has no status in JSON: nothing is built")
            .with_hint("use `--progress=plain`"));
    }
    let mut sources: Vec<String> = read_all(&args.files)?.into_iter().map(|file| file.text).collect();
    sources.extend(args.names.iter().cloned());
    if sources.is_empty() {
        return Err(Error::new("`imagetools create` needs a source").with_hint("name an image in a registry"));
    }
    if args.tags.is_empty() && (args.append || !args.dry_run) {
        return Err(Error::new("the list has no name").with_hint("name it: `--tag NAME`, or print it: `--dry-run`"));
    }
    let request = Combine {
        sources,
        tags: args.tags.clone(),
        appends: args.append,
        prefers_list: args.prefer_index != Some(false),
        annotations: args.annotations.iter().map(|typed| annotation(typed)).collect::<Result<Vec<_>, _>>()?.concat(),
    };
    let connection = args.registry.connection();
    let how = AddToList { connection: connection.clone(), ..AddToList::default() };
    let made = engine::combine_images(&ctx.engine, &request, &how)?;
    if args.dry_run {
        let mut out = ui::out();
        out.raw(&made.bytes)?;
        out.line("")?;
        out.finish()?;
        return Ok(Exit::SUCCESS);
    }
    let how = Push { connection, ..Push::default() };
    let progress = ui::progress::for_push(!matches!(args.progress, Some(Progress::Plain | Progress::Tty)));
    for name in &args.tags {
        progress.start(name);
        made.push(&ctx.engine, name, &how)?;
    }
    Ok(Exit::SUCCESS)
}

/// An annotation: what is annotated, in front of a colon, then `NAME=VALUE`. Source: buildx, `ParseAnnotations`.
fn annotation(typed: &str) -> Result<Vec<Annotation>, Error> {
    let wrong = |reason: &str| Error::new(format!("`--annotation {}`: {reason}", typed.escape_debug()));
    let Some((name, value)) = typed.split_once('=') else { return Err(wrong("must be NAME=VALUE")) };
    let (levels, name) = name.split_once(':').unwrap_or(("manifest", name));
    let level = |text: &str| {
        let (kind, platform) = match text.split_once('[') {
            Some((kind, rest)) => (kind, rest.strip_suffix(']')),
            None => (text, None),
        };
        match (kind, platform) {
            ("index", None) => Ok(AnnotationLevel::List),
            ("manifest-descriptor", None) => Ok(AnnotationLevel::Member(None)),
            ("manifest-descriptor", Some(platform)) => {
                Ok(AnnotationLevel::Member(Some(platform.parse().map_err(Report::from)?)))
            }
            ("manifest", _) => Err(wrong("the images stay as they are")
                .with_hint("annotate the list, `index:NAME=VALUE`, or the image when it is built")),
            _ => Err(wrong("what is annotated must be index or manifest-descriptor")),
        }
    };
    let levels = levels.split(',').map(level).collect::<Result<Vec<_>, Error>>()?;
    Ok(levels.into_iter().map(|level| Annotation { level, name: name.to_owned(), value: value.to_owned() }).collect())
}
