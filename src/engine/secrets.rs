//! Secrets.

use std::collections::BTreeMap;

use super::context::Context;
use super::observer::Observer;
use crate::monitor;
use crate::storage::Store;
use crate::storage::events::{Event, EventKind};
use crate::storage::secrets::{IfExists, LARGEST, SecretRecord};
use crate::types::{Name, Report, ReportKind, Thing};
use crate::view::filter::SecretFilter;

/// A secret to create.
pub(crate) struct NewSecret {
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: Vec<u8>,
    /// Labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// One of that name gets the new value.
    pub(crate) replace: bool,
    /// One of that name stays, and is no failure.
    pub(crate) ignore: bool,
}

/// Creates a secret, and returns its ID.
pub(crate) fn create_secret(context: &Context, new: NewSecret) -> Result<String, Report> {
    let NewSecret { name, value, labels, replace, ignore } = new;
    let name: Name = name.parse()?;
    if value.is_empty() || value.len() > LARGEST {
        let message = format!("the secret `{name}` has {} bytes: it must have 1 to {LARGEST}", value.len());
        return Err(Report::new(ReportKind::Invalid, message));
    }
    let now = monitor::now();
    let record = SecretRecord { id: new_id()?, name: name.clone(), created: now.clone(), updated: now, labels };
    let store = context.store()?;
    let if_exists = if replace { IfExists::Replace } else { IfExists::Keep };
    match store.write_secret(&record, &value, if_exists)? {
        Some(before) if !replace && ignore => return Ok(before.id),
        Some(_) if !replace => {
            let report = Report::new(ReportKind::Conflict, format!("the secret `{name}` already exists"));
            return Err(report.with_hint("use --replace to give it another value"));
        }
        _ => {}
    }
    tell(store, "create", &record);
    Ok(record.id)
}

fn tell(store: &Store, action: &str, record: &SecretRecord) {
    store.events().add(&[Event::new(EventKind::Secret, action, record.id.clone(), record.name.as_str())]);
}

/// 25 hexadecimal digits, as podman's IDs of secrets.
fn new_id() -> Result<String, Report> {
    let name = crate::container::random_name()?;
    Ok(name.as_str().get(..25).unwrap_or_default().to_owned())
}

/// The secrets that match, in the order of their names, and why others cannot be read.
pub(crate) fn secrets(context: &Context, filters: &[String]) -> Result<(Vec<SecretRecord>, Vec<Report>), Report> {
    let filter = SecretFilter::parse(filters)?;
    let (mut found, damaged) = context.store_to_read()?.list_secrets()?;
    found.retain(|record| filter.matches(record));
    Ok((found, damaged.into_iter().map(Into::into).collect()))
}

/// The secret of this name, ID or unique beginning of an ID, with its value.
pub(crate) fn secret(context: &Context, typed: &str) -> Result<(SecretRecord, Vec<u8>), Report> {
    find(&context.store_to_read()?, typed)
}

/// The value of a secret as text.
pub(crate) fn secret_text(context: &Context, typed: &str) -> Result<String, Report> {
    let (record, value) = secret(context, typed)?;
    String::from_utf8(value)
        .map_err(|_| Report::new(ReportKind::Invalid, format!("the secret `{}` is not text", record.name)))
}

/// Whether there is such a secret.
pub(crate) fn secret_exists(context: &Context, typed: &str) -> Result<bool, Report> {
    match secret(context, typed) {
        Ok(_) => Ok(true),
        Err(report) if report.kind == ReportKind::NotFound(Thing::Secret) => Ok(false),
        Err(report) => Err(report),
    }
}

pub(super) fn find(store: &Store, typed: &str) -> Result<(SecretRecord, Vec<u8>), Report> {
    let missing =
        || Report::new(ReportKind::NotFound(Thing::Secret), format!("no such secret: {}", typed.escape_debug()));
    if let Ok(name) = typed.parse::<Name>()
        && let Some(found) = store.secret(&name)?
    {
        return Ok(found);
    }
    let mut by_id =
        store.list_secrets()?.0.into_iter().filter(|record| !typed.is_empty() && record.id.starts_with(typed));
    let found = by_id.next().ok_or_else(missing)?;
    if by_id.next().is_some() {
        let message = format!("`{}` matches several secret IDs", typed.escape_debug());
        return Err(Report::new(ReportKind::Invalid, message));
    }
    store.secret(&found.name)?.ok_or_else(missing)
}

/// Removes secrets, even damaged ones; a container that has one cannot be started any more. With `ignore`, a missing
/// one is no failure.
pub(crate) fn remove_secrets(
    context: &Context,
    names: &[String],
    all: bool,
    ignore: bool,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let store = context.store()?;
    let names: Vec<String> = match all {
        true => store.secret_names()?.iter().map(ToString::to_string).collect(),
        false => names.to_vec(),
    };
    for name in names {
        let (shown, result) = match remove_one(store, &name) {
            Ok((id, is_removed)) => (id, Ok(is_removed)),
            Err(report) if (ignore || all) && report.kind == ReportKind::NotFound(Thing::Secret) => (name, Ok(false)),
            Err(report) => (name, Err(report)),
        };
        if observer.item(&shown, result).is_break() {
            break;
        }
    }
    Ok(())
}

/// Returns the ID, or the name if the record cannot be read, and whether it was there.
fn remove_one(store: &Store, typed: &str) -> Result<(String, bool), Report> {
    match find(store, typed) {
        Ok((record, _)) => {
            let is_removed = store.remove_secret(&record.name)?;
            if is_removed {
                tell(store, "remove", &record);
            }
            Ok((record.id, is_removed))
        }
        Err(report) if matches!(report.kind, ReportKind::NotFound(_) | ReportKind::Invalid) => Err(report),
        Err(_) => Ok((typed.to_owned(), store.remove_secret(&typed.parse()?)?)),
    }
}
