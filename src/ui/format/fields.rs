//! Fields in templates, by Go's rules. There a field of a struct either exists or is a mistake, an optional one has its
//! zero value, and a key that a map lacks has no value. The template engine has maps alone, so each `.A.B` is replaced
//! by a call of [`FIELD`], which knows by [`Shape`] which of them are structs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr};
use gotmpl::{FuncMap, Template, TemplateError, Value};

use crate::view::{Shape, Zero, shape};

/// The function that looks up fields; no template can name it.
const FIELD: &str = "field of";

/// The objects that a template is applied to.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Each object by its address, which is unique while the data lives: values share their maps.
    shapes: HashMap<usize, Shape>,
    /// The fields that exist where one was looked up in vain.
    siblings: Vec<String>,
    /// The data is the heading row of a table, in which each field is its heading.
    is_heading: bool,
}

impl Fields {
    /// Adds the function that looks up fields.
    pub(super) fn add_to(&self, functions: &mut FuncMap) {
        let fields = self.clone();
        functions.insert(FIELD.to_owned(), Arc::new(move |args: &[Value]| fields.look_up(args)));
    }

    /// Takes the objects in `data`, which must live until the template has been applied to it.
    pub(super) fn learn(&self, data: &Value, is_heading: bool) {
        let mut known = self.known();
        *known = Known { is_heading, ..Known::default() };
        known.learn(data, "", false);
    }

    /// The names that exist beside the field that was looked up in vain.
    pub(super) fn siblings(&self) -> Vec<String> {
        std::mem::take(&mut self.known().siblings)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `VALUE NAME…`: the field of a field … of a value.
    fn look_up(&self, args: &[Value]) -> gotmpl::Result<Value> {
        let [value, names @ ..] = args else { return Ok(Value::Nil) };
        let mut value = value.clone();
        for name in names {
            let Value::String(name) = name else { return Ok(Value::Nil) };
            value = self.known().field(&value, name)?;
        }
        Ok(value)
    }
}

impl Known {
    fn learn(&mut self, value: &Value, name: &str, is_element: bool) {
        match value {
            Value::List(items) => items.iter().for_each(|item| self.learn(item, name, true)),
            Value::Map(fields) => {
                let shape = shape(name, is_element);
                self.shapes.insert(Arc::as_ptr(fields).addr(), shape);
                for (key, value) in fields.iter() {
                    match shape {
                        Shape::Map => self.learn(value, name, true),
                        Shape::Struct(_) => self.learn(value, key, false),
                    }
                }
            }
            _ => {}
        }
    }

    fn field(&mut self, value: &Value, name: &Arc<str>) -> gotmpl::Result<Value> {
        let fields = match value {
            Value::Map(fields) => fields,
            Value::Nil => return Ok(Value::Nil),
            Value::String(_) if self.is_heading => return Ok(Value::String(Arc::clone(name))),
            other => {
                let message = format!("can't evaluate field {name} in type {}", other.type_name());
                return Err(TemplateError::Exec(message));
            }
        };
        if let Some(found) = fields.get(name) {
            return Ok(found.clone());
        }
        let optional = match self.shapes.get(&Arc::as_ptr(fields).addr()) {
            Some(Shape::Map) => return Ok(Value::Nil),
            Some(Shape::Struct(optional)) => *optional,
            None => &[],
        };
        if let Some((_, zero)) = optional.iter().find(|(optional, _)| **optional == **name) {
            return Ok(match zero {
                Zero::Text => Value::String("".into()),
                Zero::False => Value::Bool(false),
                Zero::Nothing => Value::Nil,
            });
        }
        self.siblings = fields.keys().map(ToString::to_string).collect();
        self.siblings.extend(optional.iter().map(|(name, _)| (*name).to_owned()));
        self.siblings.sort_unstable();
        self.siblings.dedup();
        Err(TemplateError::MissingKey { key: name.to_string() })
    }
}

/// The template with calls of [`FIELD`] instead of fields.
pub(super) fn with_calls(mut template: Template) -> Template {
    let names: Vec<String> = template.templates().into_iter().map(str::to_owned).collect();
    for name in names {
        if let Some(mut tree) = template.lookup(&name).cloned() {
            list(&mut tree);
            template = template.add_parse_tree(&name, tree);
        }
    }
    template
}

fn list(list: &mut ListNode) {
    for node in &mut list.nodes {
        match node {
            Node::List(inner) => self::list(inner),
            Node::Action(action) => pipe(&mut action.pipe),
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => self::branch(branch),
            Node::Template(call) => call.pipe.iter_mut().for_each(pipe),
            Node::Define(definition) => self::list(&mut definition.body),
            Node::Text(_) | Node::Break(_) | Node::Continue(_) => {}
        }
    }
}

fn branch(branch: &mut BranchNode) {
    pipe(&mut branch.pipe);
    list(&mut branch.body);
    branch.else_body.iter_mut().for_each(list);
}

fn pipe(pipe: &mut PipeNode) {
    pipe.commands.iter_mut().flat_map(|command| &mut command.args).for_each(expression);
}

fn expression(expr: &mut Expr) {
    let (at, base, names) = match expr {
        Expr::Pipe(_, inner) => return pipe(inner),
        Expr::Field(at, names) => (*at, Expr::Dot(*at), names),
        Expr::Variable(at, name, names) if !names.is_empty() => {
            (*at, Expr::Variable(*at, name.clone(), Vec::new()), names)
        }
        Expr::Chain(at, inner, names) => {
            expression(inner);
            (*at, Expr::clone(inner), names)
        }
        _ => return,
    };
    *expr = call(at, base, names);
}

fn call(at: Pos, base: Expr, names: &[SmolStr]) -> Expr {
    let mut args = vec![Expr::Identifier(at, FIELD.into()), base];
    args.extend(names.iter().map(|name| Expr::String(at, name.as_str().into())));
    let commands = vec![CommandNode { pos: at, args }];
    Expr::Pipe(at, PipeNode { pos: at, decl: Vec::new(), commands, is_assign: false })
}
