//! `--format`: `json`, `table TEMPLATE` or a Go template.
//!
//! A template sees a row as serde serialises it ([`Listed::fields`], or the object that `inspect` shows), converted by
//! [`gotmpl::to_value`]: structs and maps become maps, and a template finds a field by its exact name. Names are
//! case-sensitive, as with podman and docker. An unknown field is an error that names it; Go's `<no value>` would get
//! into scripts unnoticed. A key that a map of labels lacks has no value, as in Go: the data decide which keys exist.

mod fields;
mod functions;

use gotmpl::{MissingKey, Template, TemplateError, Value};
use serde::Serialize;

use self::fields::Fields;
use super::{BrokenOutput, Output, Table, escape, json};
use crate::types::{Dialect, Report, ReportKind};
use crate::view::Listed;

/// Why output is missing or incomplete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The template does not parse.
    #[error("invalid template `{}`: {}", escape::line(.template), message(.source))]
    Syntax {
        /// As typed.
        template: String,
        /// Where and why.
        source: TemplateError,
    },
    /// The template names a field that does not exist.
    #[error("invalid template `{}`: no such field `{}`", escape::line(.template), escape::line(.field))]
    UnknownField {
        /// As typed.
        template: String,
        /// The unknown name.
        field: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The template parses, but cannot be applied to this data.
    #[error("cannot apply template `{}`: {}", escape::line(.template), message(.source))]
    Execute {
        /// As typed.
        template: String,
        /// Why.
        source: TemplateError,
    },
    /// The data cannot be JSON: a bug of rc.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The result could not be written.
    #[error(transparent)]
    Output(#[from] BrokenOutput),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Output(error) => return error.into(),
            Error::Syntax { .. } | Error::UnknownField { .. } | Error::Execute { .. } => ReportKind::Invalid,
            Error::Json(_) => ReportKind::Internal,
        };
        Self::new(kind, error.to_string()).with_hint_of(error.hint())
    }
}

impl Error {
    /// The fields that exist, after an unknown one.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownField { known, .. } if !known.is_empty() => Some(format!("fields are {}", known.join(", "))),
            _ => None,
        }
    }
}

/// gotmpl's message, without the heading and the position, which make sense only for template files.
fn message(error: &TemplateError) -> String {
    match error {
        TemplateError::Parse { message, .. } | TemplateError::Lex { message, .. } | TemplateError::Exec(message) => {
            escape::line(message).into_owned()
        }
        other => escape::line(&other.to_string()).into_owned(),
    }
}

/// A parsed `--format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    /// `json`: the array of all objects.
    Json,
    /// `json` under docker's name: docker's object for each row, a line each.
    JsonLines,
    /// A Go template, applied to each row, or once to all rows if it begins with `{{range .}}`.
    Template {
        /// The template as typed.
        typed: String,
        /// The template with real tabs and newlines.
        text: String,
        /// `table TEMPLATE`: with a heading row, and columns at the template's tabs.
        is_table: bool,
        /// Under docker's name a template sees docker's object.
        is_docker: bool,
    },
}

impl Format {
    /// Parses the value of `--format`; `None` for `table` alone, which is the default.
    pub(crate) fn parse(typed: &str, dialect: Dialect) -> Option<Self> {
        let trimmed = typed.trim();
        let is_docker = dialect == Dialect::Docker;
        if trimmed == "json" {
            return Some(if is_docker { Self::JsonLines } else { Self::Json });
        }
        let (text, is_table) = match trimmed.strip_prefix("table") {
            Some("") => return None,
            Some(rest) if rest.starts_with([' ', '\t', '{']) || rest.starts_with("\\t") => {
                (rest.trim_start_matches([' ', '\t']), true)
            }
            _ => (typed, false),
        };
        Some(Self::Template { typed: typed.to_owned(), text: functions::prepare(text), is_table, is_docker })
    }

    /// Whether a template asks for this field. It may also do so as part of all (`{{json .}}`), which does not count.
    pub(crate) fn names(&self, field: &str) -> bool {
        let Self::Template { text, .. } = self else { return false };
        let field = format!(".{field}");
        let mut found = text.match_indices(&field).map(|(at, name)| &text[at + name.len()..]);
        found.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    }

    /// Prints a listing; a `table` without its heading row if `no_heading`. It renders everything before it writes the
    /// first byte.
    pub(crate) fn list<T: Listed>(&self, out: &mut Output, rows: &[T], no_heading: bool) -> Result<(), Error> {
        let rendered = self.render_list(rows, no_heading)?;
        Ok(out.raw(rendered.as_bytes())?)
    }

    /// Prints one row of a listing that has no end, in a line.
    pub(crate) fn row<T: Listed>(&self, out: &mut Output, row: &T) -> Result<(), Error> {
        match self {
            Self::Json => Ok(out.raw((json::compact(&row.json())? + "\n").as_bytes())?),
            _ => self.list(out, std::slice::from_ref(row), true),
        }
    }

    /// Prints one object (`inspect`, `info`, `version`), with a newline at the end.
    pub(crate) fn object(&self, out: &mut Output, data: &impl Serialize) -> Result<(), Error> {
        let rendered = match self {
            Self::Json => json::pretty(data)? + "\n",
            Self::JsonLines => json::compact(data)? + "\n",
            Self::Template { typed, text, .. } => {
                let mut rendered = Applied::new(typed, text)?.to(&value(typed, data)?)?;
                rendered.push('\n');
                rendered
            }
        };
        Ok(out.raw(rendered.as_bytes())?)
    }

    fn render_list<T: Listed>(&self, rows: &[T], no_heading: bool) -> Result<String, Error> {
        let (typed, text, is_table, is_docker) = match self {
            Self::Json => return Ok(json::pretty(&rows.iter().map(Listed::json).collect::<Vec<_>>())? + "\n"),
            Self::JsonLines => {
                let lines = rows.iter().map(|row| json::compact(&row.docker()));
                return lines.map(|line| Ok(line? + "\n")).collect();
            }
            Self::Template { typed, text, is_table, is_docker } => (typed, text, is_table, *is_docker),
        };
        let template = Applied::new(typed, text)?;
        let fields = |row: &T| if is_docker { value(typed, &row.docker()) } else { value(typed, &row.fields()) };
        let values = rows.iter().map(fields).collect::<Result<Vec<_>, _>>()?;
        if ranges_over_all(text) {
            return template.to(&Value::List(values.into()));
        }
        let mut lines = Vec::with_capacity(values.len() + 1);
        if *is_table && !no_heading {
            lines.push(template.to_headings(&headings(T::HEADINGS))?);
        }
        for value in &values {
            lines.push(template.to(value)?);
        }
        if !is_table {
            return Ok(lines.iter().fold(String::new(), |all, line| {
                let newline = if line.ends_with('\n') { "" } else { "\n" };
                all + line + newline
            }));
        }
        let mut table = Table::without_headings();
        for line in &lines {
            table.row(line.trim_end_matches('\n').split('\t'));
        }
        Ok(table.render())
    }
}

/// The row above a `table`: each field is its heading.
fn headings(known: &[(&str, &str)]) -> Value {
    Value::Map(std::sync::Arc::new(
        known.iter().map(|(field, heading)| ((*field).into(), Value::String((*heading).into()))).collect(),
    ))
}

/// Whether the template begins with `{{range .}}` and so gets the whole list, as with podman.
fn ranges_over_all(text: &str) -> bool {
    let action = text.trim_start().strip_prefix("{{").map(|rest| rest.trim_start_matches('-').trim_start());
    let over = action.and_then(|rest| rest.strip_prefix("range")).map(str::trim_start);
    let rest = over.and_then(|rest| rest.strip_prefix('.')).map(str::trim_start);
    rest.is_some_and(|rest| rest.starts_with("}}") || rest.starts_with("-}}"))
}

fn value(typed: &str, data: &impl Serialize) -> Result<Value, Error> {
    gotmpl::to_value(data).map_err(|source| Error::Execute { template: typed.to_owned(), source })
}

/// A parsed template, and its text as typed.
struct Applied<'a> {
    typed: &'a str,
    template: Template,
    fields: Fields,
}

impl<'a> Applied<'a> {
    /// The name that the template has for the engine.
    const NAME: &'static str = "format";

    fn new(typed: &'a str, text: &str) -> Result<Self, Error> {
        let fields = Fields::default();
        let mut functions = functions::all();
        fields.add_to(&mut functions);
        let template = Template::new(Self::NAME).missing_key(MissingKey::Error).funcs(functions);
        match template.parse(text) {
            Ok(template) => Ok(Self { typed, template: fields::with_calls(template), fields }),
            Err(source) => Err(Error::Syntax { template: typed.to_owned(), source }),
        }
    }

    fn to(&self, data: &Value) -> Result<String, Error> {
        self.fields.learn(data, false);
        self.apply(data)
    }

    fn to_headings(&self, headings: &Value) -> Result<String, Error> {
        self.fields.learn(headings, true);
        self.apply(headings)
    }

    fn apply(&self, data: &Value) -> Result<String, Error> {
        // The engine does not list a template without any text or action.
        let rendered = match self.template.lookup(Self::NAME) {
            Some(_) => self.template.execute_template_to_string(Self::NAME, data),
            None => self.template.execute_to_string(data),
        };
        let rendered = rendered.map_err(|source| match source {
            TemplateError::MissingKey { key } => {
                Error::UnknownField { template: self.typed.to_owned(), known: self.fields.siblings(), field: key }
            }
            source => Error::Execute { template: self.typed.to_owned(), source },
        })?;
        Ok(escape::text(&rendered).into_owned())
    }
}

#[cfg(test)]
mod tests;
