//! Which file uses definitions of which other file, and the circles among them.
//!
//! A name belongs to the file that defines it, even if others export it again (`pub(crate) use`). A child may use what
//! its ancestors define (an error type, the types of the module): that is not a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{File, Module};

/// All files, with the files that each uses.
pub(super) struct Graph<'a> {
    files: &'a BTreeMap<Module, File>,
    edges: BTreeMap<&'a Module, BTreeSet<&'a Module>>,
}

/// The target of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Module(Module),
    /// A definition in this file.
    Item(Module),
}

impl<'a> Graph<'a> {
    /// The graph of `files`.
    pub(super) fn new(files: &'a BTreeMap<Module, File>) -> Self {
        let mut graph = Self { files, edges: BTreeMap::new() };
        for (module, file) in files {
            let brought_in = file.uses.iter().filter(|used| !used.is_public || file.has_word(&used.name));
            let paths = brought_in.map(|used| &used.path).chain(file.words.iter().map(|word| &word.path));
            let found: BTreeSet<Module> = paths
                .filter_map(|path| graph.resolve(module, path, 0))
                .filter_map(|found| if let Found::Item(other) = found { Some(other) } else { None })
                .filter(|other| other != module && !is_above(other, module))
                .collect();
            let found = found.iter().filter_map(|other| Some(files.get_key_value(other)?.0)).collect();
            graph.edges.insert(module, found);
        }
        graph
    }

    /// The files that `module` uses.
    pub(super) fn used_by(&self, module: &Module) -> impl Iterator<Item = &'a Module> {
        self.edges.get(module).into_iter().flatten().copied()
    }

    /// The sets of files that reach one another, inside one module of the crate.
    pub(super) fn circles(&self) -> Vec<Vec<String>> {
        let reach: BTreeMap<&Module, BTreeSet<&Module>> =
            self.edges.keys().map(|from| (*from, self.reach(from))).collect();
        let mut circles = BTreeSet::new();
        for (from, reached) in &reach {
            if reached.contains(*from) {
                let members = reached.iter().filter(|other| reach[**other].contains(*from));
                circles.insert(members.map(|module| module.join("/")).collect::<Vec<_>>());
            }
        }
        circles.into_iter().collect()
    }

    fn reach(&self, from: &Module) -> BTreeSet<&'a Module> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&Module> = self.used_by(from).collect();
        while let Some(module) = next.pop() {
            if module[0] == from[0] && reached.insert(module) {
                next.extend(self.used_by(module));
            }
        }
        reached
    }

    /// The target of a path in `module`; `None` if it is in another crate, or unknown.
    fn resolve(&self, module: &Module, path: &[String], depth: usize) -> Option<Found> {
        // Names that export each other in a circle do not compile; this prevents a hang if the test misreads some.
        let depth = Some(depth + 1).filter(|depth| *depth < 16)?;
        let first = path.first()?;
        let own = self.files.get(module)?;
        match first.as_str() {
            "crate" => self.look_up(&Vec::new(), &path[1..], depth),
            "self" => self.look_up(module, &path[1..], depth),
            "super" => {
                let ups = path.iter().take_while(|segment| *segment == "super").count();
                self.look_up(&module[..module.len().checked_sub(ups)?].to_vec(), &path[ups..], depth)
            }
            _ if own.has_child(first) => self.look_up(&below(module, first), &path[1..], depth),
            _ => {
                let used = own.uses.iter().find(|used| used.name == *first && used.path != path)?;
                match self.resolve(module, &used.path, depth)? {
                    Found::Module(found) => self.look_up(&found, &path[1..], depth),
                    item @ Found::Item(_) => Some(item),
                }
            }
        }
    }

    /// The target of a path that begins in `module`.
    fn look_up(&self, module: &Module, path: &[String], depth: usize) -> Option<Found> {
        let Some(first) = path.first() else { return Some(Found::Module(module.clone())) };
        let child = below(module, first);
        if self.files.contains_key(&child) {
            return self.look_up(&child, &path[1..], depth);
        }
        let file = self.files.get(module)?;
        let Some(used) = file.uses.iter().find(|used| used.name == *first) else {
            return Some(Found::Item(module.clone()));
        };
        match self.resolve(module, &used.path, depth) {
            Some(Found::Module(found)) => self.look_up(&found, &path[1..], depth),
            Some(item) => Some(item),
            // In another crate, or in a module inside this file.
            None => Some(Found::Item(module.clone())),
        }
    }
}

fn below(module: &Module, name: &str) -> Module {
    [&module[..], &[name.to_owned()]].concat()
}

/// Whether `above` is an ancestor of `module`.
fn is_above(above: &Module, module: &Module) -> bool {
    above.len() < module.len() && module.starts_with(above)
}

#[test]
fn circles_are_found_through_reexported_names() {
    let files = [
        ("m", "mod a;\nmod b;\nmod c;\npub(crate) use a::A;\npub(crate) struct Word;"),
        ("m/a", "use super::{Word, b};\npub(crate) struct A;\nfn f() { b::f() }"),
        ("m/b", "use crate::m::A;\nuse super::Word;\npub(crate) fn f() {}"),
        ("m/c", "use super::A;\nuse super::b::f;"),
    ];
    let files = files.map(|(path, text)| (path.split('/').map(str::to_owned).collect(), File::new(text))).into();
    assert_eq!(Graph::new(&files).circles(), [["m/a", "m/b"]]);
}
