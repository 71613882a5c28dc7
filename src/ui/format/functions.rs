//! The functions that docker and podman add to Go's, and how their command lines change a template before they parse
//! it.
//!
//! Source: docker/cli `templates/templates.go`; containers/common `pkg/report/template.go`.

use std::sync::Arc;

use gotmpl::{FuncMap, TemplateError, Value};

use crate::ui::json;

/// `json join split lower upper title pad truncate`, and an `index` that returns the empty string, Go's zero value, for
/// a missing label.
pub(super) fn all() -> FuncMap {
    let mut functions = FuncMap::new();
    let mut add = |name: &str, function: fn(&[Value]) -> gotmpl::Result<Value>| {
        functions.insert(name.to_owned(), Arc::new(function));
    };
    add("json", |args| match args {
        [value] => {
            json::compact(&to_json(value)).map(string).map_err(|error| TemplateError::Exec(format!("json: {error}")))
        }
        _ => Err(arguments("json", 1, args)),
    });
    add("join", |args| match args {
        [Value::List(items), Value::String(separator)] => {
            Ok(string(items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)))
        }
        // A column that is a string in templates and a list in JSON (`.Names`) is joined already.
        [text @ Value::String(_), Value::String(_)] => Ok(text.clone()),
        _ => Err(arguments("join LIST SEPARATOR", 2, args)),
    });
    add("split", |args| match args {
        [Value::String(text), Value::String(separator)] if separator.is_empty() => {
            Ok(Value::List(text.chars().map(|c| string(c.to_string())).collect()))
        }
        [Value::String(text), Value::String(separator)] => {
            Ok(Value::List(text.split(&**separator).map(|part| string(part.to_owned())).collect()))
        }
        _ => Err(arguments("split TEXT SEPARATOR", 2, args)),
    });
    add("lower", |args| on_text("lower", args, str::to_lowercase));
    add("upper", |args| on_text("upper", args, str::to_uppercase));
    add("title", |args| on_text("title", args, title));
    add("pad", |args| match args {
        [text, before, after] => {
            let blanks = |count: &Value| " ".repeat(width(count));
            Ok(string(if text.to_string().is_empty() {
                String::new()
            } else {
                format!("{}{text}{}", blanks(before), blanks(after))
            }))
        }
        _ => Err(arguments("pad TEXT BEFORE AFTER", 3, args)),
    });
    add("truncate", |args| match args {
        [text, length] => Ok(string(text.to_string().chars().take(width(length)).collect())),
        _ => Err(arguments("truncate TEXT LENGTH", 2, args)),
    });
    add("index", index);
    functions
}

fn index(args: &[Value]) -> gotmpl::Result<Value> {
    let [first, keys @ ..] = args else { return Err(arguments("index", 2, args)) };
    let mut value = first.clone();
    for key in keys {
        value = match (&value, key) {
            (Value::Map(fields), Value::String(name)) => match fields.get(&**name) {
                Some(found) => found.clone(),
                None if fields.values().all(|value| matches!(value, Value::String(_))) => string(String::new()),
                None => Value::Nil,
            },
            // In the heading row of a table every field is a string: `{{index .Labels "app"}}` has the heading `app`.
            (Value::String(_), Value::String(name)) => Value::String(Arc::clone(name)),
            (value, key) => value.index(key)?,
        };
    }
    Ok(value)
}

fn string(text: String) -> Value {
    Value::String(text.into())
}

fn arguments(name: &str, expected: usize, args: &[Value]) -> TemplateError {
    TemplateError::ArgCount { name: name.to_owned(), expected, got: args.len() }
}

fn on_text(name: &str, args: &[Value], change: fn(&str) -> String) -> gotmpl::Result<Value> {
    match args {
        [text] => Ok(string(change(&text.to_string()))),
        _ => Err(arguments(name, 1, args)),
    }
}

/// The text with the first letter of each word in upper case.
fn title(text: &str) -> String {
    let mut at_start = true;
    text.chars()
        .flat_map(|c| {
            let first = std::mem::replace(&mut at_start, c.is_whitespace());
            if first { c.to_uppercase().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}

/// A number of characters, limited so that a template cannot use up the memory.
fn width(count: &Value) -> usize {
    usize::try_from(count.as_int().unwrap_or(0)).unwrap_or(0).min(4096)
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil | Value::Function(_) => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Uint(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(value) => (**value).into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(fields) => {
            serde_json::Value::Object(fields.iter().map(|(name, value)| (name.to_string(), to_json(value))).collect())
        }
    }
}

/// Replaces `\t` and `\n` outside of actions by tab and newline (inside, Go's string syntax does), and docker's method
/// `.Label "x"` by `index .Labels "x"`.
pub(super) fn prepare(text: &str) -> String {
    let mut prepared = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find("{{").unwrap_or(rest.len());
        prepared.push_str(&rest[..end].replace("\\t", "\t").replace("\\n", "\n"));
        rest = &rest[end..];
        let action = rest.len().min(action_length(rest));
        prepared.push_str(&label_calls(&rest[..action]));
        rest = &rest[action..];
    }
    prepared
}

/// The length of the action at the beginning of `text`, with its braces; braces in quotes do not end it.
fn action_length(text: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            _ if escaped => escaped = false,
            (Some(b'"'), b'\\') => escaped = true,
            (Some(open), byte) if open == byte => quote = None,
            (None, b'"' | b'`') => quote = Some(byte),
            (None, b'}') if text[..at].ends_with('}') => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn label_calls(action: &str) -> String {
    const CALL: &str = ".Label \"";
    let mut changed = String::with_capacity(action.len());
    let mut rest = action;
    while let Some(at) = rest.find(CALL) {
        let is_method_of_dot = rest[..at].ends_with(['{', ' ', '(', '|', '-']);
        changed.push_str(&rest[..at]);
        changed.push_str(if is_method_of_dot { "index .Labels \"" } else { CALL });
        rest = &rest[at + CALL.len()..];
    }
    changed + rest
}
