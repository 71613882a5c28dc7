//! The bytes of everything that the cache compares of files: names, types, permissions, owners, links, attributes and
//! contents, but no times. Everything of variable length has its length before it, so that no two lists of files have
//! the same bytes. (JSON takes ten times as long for thousands of files.)

use super::listing::{Item, ItemKind, Tree};

/// Adds the bytes of `trees`.
pub(crate) fn compared(trees: &[Tree], bytes: &mut Vec<u8>) {
    number(trees.len() as u64, bytes);
    for tree in trees {
        text(&tree.name, bytes);
        number(tree.items.len() as u64, bytes);
        tree.items.iter().for_each(|one| item(one, bytes));
    }
}

fn item(item: &Item, bytes: &mut Vec<u8>) {
    text(&item.path, bytes);
    for part in [item.mode, item.uid, item.gid] {
        bytes.extend_from_slice(&part.to_le_bytes());
    }
    match &item.kind {
        ItemKind::Directory => bytes.push(b'd'),
        ItemKind::File { size, digest } => {
            bytes.push(b'f');
            number(*size, bytes);
            text(digest.hex().as_bytes(), bytes);
        }
        ItemKind::Link { target } => {
            bytes.push(b'l');
            text(target, bytes);
        }
        ItemKind::Fifo => bytes.push(b'p'),
    }
    number(item.attributes.len() as u64, bytes);
    for (name, value) in &item.attributes {
        text(name, bytes);
        text(value, bytes);
    }
}

fn text(text: &[u8], bytes: &mut Vec<u8>) {
    number(text.len() as u64, bytes);
    bytes.extend_from_slice(text);
}

fn number(number: u64, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::types::Digest;

    fn file(path: &str) -> Item {
        Item {
            path: path.into(),
            kind: ItemKind::File { size: 1, digest: Digest::sha256([1; 32]) },
            mode: 0o644,
            uid: 0,
            gid: 0,
            attributes: Vec::new(),
            modified: (1, 2),
        }
    }

    fn bytes(items: Vec<Item>) -> Vec<u8> {
        let mut bytes = Vec::new();
        compared(&[Tree { path: PathBuf::from("from"), name: b"name".to_vec(), items, has_more: false }], &mut bytes);
        bytes
    }

    #[test]
    fn each_difference_but_that_of_times_shows() {
        let plain = bytes(vec![file("a"), file("b")]);
        assert_eq!(bytes(vec![Item { modified: (9, 9), ..file("a") }, file("b")]), plain);
        let attributes = |name: &str, value: &str| vec![(name.into(), value.into())];
        let others = [
            vec![file("a")],
            vec![file("b"), file("a")],
            vec![file("ab"), file("")],
            vec![file("a"), Item { mode: 0o600, ..file("b") }],
            vec![file("a"), Item { uid: 1, ..file("b") }],
            vec![file("a"), Item { gid: 1, ..file("b") }],
            vec![file("a"), Item { kind: ItemKind::Directory, ..file("b") }],
            vec![file("a"), Item { kind: ItemKind::Fifo, ..file("b") }],
            vec![file("a"), Item { kind: ItemKind::Link { target: b"x".to_vec() }, ..file("b") }],
            vec![file("a"), Item { kind: ItemKind::Link { target: b"y".to_vec() }, ..file("b") }],
            vec![file("a"), Item { kind: ItemKind::File { size: 2, digest: Digest::sha256([1; 32]) }, ..file("b") }],
            vec![file("a"), Item { kind: ItemKind::File { size: 1, digest: Digest::sha256([2; 32]) }, ..file("b") }],
            vec![file("a"), Item { attributes: attributes("user.a", "bc"), ..file("b") }],
            vec![file("a"), Item { attributes: attributes("user.ab", "c"), ..file("b") }],
        ];
        let mut all: Vec<Vec<u8>> = others.into_iter().map(bytes).chain([plain]).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
