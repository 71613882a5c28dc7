//! `rc manifest …`.

pub(crate) mod add;
pub(crate) mod annotate;
pub(crate) mod create;
pub(crate) mod exists;
pub(crate) mod inspect;
pub(crate) mod push;
pub(crate) mod remove;
pub(crate) mod rm;

use std::collections::BTreeMap;

use super::args::{RegistryArgs, Secret};
use crate::engine::{AddToList, Marks};
use crate::error::{Error, Exit};
use crate::registry::Credentials;
use crate::types::Digest;
use crate::ui;

/// What a list says about an image in it.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct MarkArgs {
    /// Set an annotation of the image in the list: NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    /// Set the architecture of the image in the list
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// Set the OS of the image in the list
    #[arg(long, value_name = "OS")]
    os: Option<String>,
    /// Set the version of the OS of the image in the list
    #[arg(long, value_name = "VERSION")]
    os_version: Option<String>,
    /// Set the variant of the architecture of the image in the list
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
}

impl MarkArgs {
    fn marks(&self) -> Result<Marks, Error> {
        Ok(Marks {
            arch: self.arch.clone(),
            os: self.os.clone(),
            os_version: self.os_version.clone(),
            variant: self.variant.clone(),
            annotations: annotations(&self.annotation)?,
        })
    }
}

/// Parses `--annotation`.
fn annotations(typed: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Error::new(format!("`--annotation`: `{text}` must be NAME=VALUE"))),
    };
    typed.iter().map(pair).collect()
}

/// How images are added.
fn adding(registry: &RegistryArgs, creds: Option<&Secret>, all: bool, marks: Marks) -> Result<AddToList, Error> {
    Ok(AddToList {
        connection: registry.connection(),
        credentials: creds.map(|Secret(text)| Credentials::parse(text)).transpose()?,
        all,
        marks,
    })
}

/// Prints the ID of a list.
fn show(id: &Digest) -> Result<Exit, Error> {
    let mut out = ui::out();
    out.line(id.hex())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
