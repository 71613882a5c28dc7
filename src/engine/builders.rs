//! Builders: there is one, `default`, and scripts may give it further names.

use super::context::Context;
use crate::types::{Name, Report, ReportKind};

/// The name that the builder always has.
const DEFAULT: &str = "default";

/// The names of the builder, `default` first, and which of them is in use.
pub(crate) fn builders(context: &Context) -> Result<(Vec<String>, String), Report> {
    let store = context.store_to_read()?;
    let given = store.builders()?.into_iter().map(|name| name.to_string());
    let in_use = store.builder_in_use()?.map_or_else(|| DEFAULT.to_owned(), |name| name.to_string());
    Ok((std::iter::once(DEFAULT.to_owned()).chain(given).collect(), in_use))
}

/// The builder's name that was typed, or the one in use.
pub(crate) fn builder(context: &Context, typed: Option<&str>) -> Result<String, Report> {
    let Some(typed) = typed.filter(|typed| !typed.is_empty()) else { return Ok(builders(context)?.1) };
    if typed == DEFAULT || builders(context)?.0.iter().any(|name| name == typed) {
        return Ok(typed.to_owned());
    }
    let report = Report::new(ReportKind::Invalid, format!("no such builder: `{}`", typed.escape_debug()));
    Err(report.with_hint(format!("rc has one builder, `{DEFAULT}`; `rc buildx create --name NAME` gives it a name")))
}

/// Gives the builder a name; without one that was typed, the first `builder-N` that is free. Returns it.
pub(crate) fn create_builder(context: &Context, typed: Option<&str>, is_used: bool) -> Result<String, Report> {
    let store = context.store()?;
    let name = match typed {
        Some(typed) => {
            let name: Name = typed.parse()?;
            if typed == DEFAULT || !store.add_builder(&name)? {
                let report = Report::new(ReportKind::Conflict, format!("there is a builder `{name}`"));
                return Err(report.with_hint(format!("use it: `rc buildx use {name}`")));
            }
            name
        }
        None => {
            let mut number = 1_u32;
            loop {
                let name: Name = format!("builder-{number}").parse()?;
                if store.add_builder(&name)? {
                    break name;
                }
                number += 1;
            }
        }
    };
    if is_used {
        store.use_builder(Some(&name))?;
    }
    Ok(name.to_string())
}

/// Makes a name of the builder the one in use.
pub(crate) fn use_builder(context: &Context, typed: &str) -> Result<(), Report> {
    let name = builder(context, Some(typed))?;
    let given: Option<Name> = if name == DEFAULT { None } else { Some(name.parse()?) };
    Ok(context.store()?.use_builder(given.as_ref())?)
}

/// Takes a name of the builder away; that of the builder itself stays.
pub(crate) fn remove_builder(context: &Context, typed: &str) -> Result<(), Report> {
    if typed == DEFAULT {
        return Err(Report::new(ReportKind::Invalid, format!("the builder `{DEFAULT}` cannot be removed")));
    }
    let name = builder(context, Some(typed))?;
    context.store()?.remove_builder(&name.parse()?)?;
    Ok(())
}
