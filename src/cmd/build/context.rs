//! `rc build`: what is read, and from where.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use super::{Args, secret};
use crate::build::dockerfile::source::FILE_LIMIT;
use crate::build::named::{ContextPlace, NamedContext};
use crate::cmd::Ctx;
use crate::cmd::args::read_all;
use crate::engine::{CheckBuild, DockerfileAt};
use crate::error::Error;
use crate::sys::fs::AtPath as _;
use crate::types::Report;

/// Reads what the options say, and the secrets; of standard input only a Dockerfile.
pub(super) fn read(args: &Args, ctx: &Ctx) -> Result<CheckBuild, Error> {
    let context = ContextPlace::new(args.context.as_deref().unwrap_or("."))?;
    let file = match args.file.as_deref() {
        Some("-") if context == ContextPlace::Standard => {
            return Err(Error::new("standard input cannot be both the context and the Dockerfile"));
        }
        Some("-") => DockerfileAt::Text(standard_input()?),
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => DockerfileAt::Url(url.to_owned()),
        Some(path) => DockerfileAt::Path(path.into()),
        None => DockerfileAt::Usual,
    };
    let named: Vec<NamedContext> =
        args.contexts.iter().map(|typed| NamedContext::new(typed)).collect::<Result<_, _>>()?;
    let read =
        named.iter().map(|named| &named.place).chain([&context]).filter(|place| **place == ContextPlace::Standard);
    let is_text = matches!(file, DockerfileAt::Text(_));
    let input = match read.count() {
        0 if !(is_text && args.steps.stdin) => None,
        1 if !is_text && !args.steps.stdin => {
            Some(std::io::stdin().as_fd().try_clone_to_owned().at("duplicate", "standard input")?.into())
        }
        _ => return Err(Error::new("standard input is read once: name it once")),
    };
    Ok(CheckBuild {
        context,
        named,
        input,
        file,
        secrets: args.secrets.iter().map(|typed| secret::read(typed)).collect::<Result<_, _>>()?,
        ignore_file: args.ignore_file.clone(),
        cpp_flags: args.cpp_flags.clone(),
        arguments: [from_files(&args.argument_files)?, args.arguments.clone()].concat(),
        target: args.target.clone(),
        platform: args.platform.all().into_iter().next(),
        tls_verify: args.transfer.tls_verify(),
        passes_proxies: args.steps.passes_proxies(ctx.engine.settings.container.http_proxy.value),
    })
}

/// The arguments of files: a line each, without comments. Source: podman-build(1), `--build-arg-file`.
fn from_files(paths: &[PathBuf]) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for file in read_all(paths)? {
        for (index, line) in file.text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.split_once('=').is_none_or(|(name, _)| name.is_empty()) {
                let place = format!("`{}`, line {}", file.path, index + 1);
                return Err(Error::new(format!("{place}: `{}` must be NAME=VALUE", line.escape_debug())));
            }
            found.push(line.to_owned());
        }
    }
    Ok(found)
}

fn standard_input() -> Result<Vec<u8>, Report> {
    let mut bytes = Vec::new();
    // One byte more than a Dockerfile may have, so that it is refused and not cut.
    let limit = u64::try_from(FILE_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    std::io::stdin().lock().take(limit).read_to_end(&mut bytes).at("read", "standard input")?;
    Ok(bytes)
}
