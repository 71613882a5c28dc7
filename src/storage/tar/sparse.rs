//! Sparse files: four formats of the same thing, a list of pieces with data. Source: GNU tar manual, "Sparse Formats".

use std::io::BufRead;

use super::header::{BLOCK, Header, number};
use super::pax::{Pax, decimal};
use super::{Error, Reader};

/// A run of data in a sparse file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Its offset in the file, in bytes.
    pub(crate) offset: u64,
    /// Its length in bytes.
    pub(crate) length: u64,
}

pub(super) struct Map {
    pub(super) size: u64,
    pub(super) pieces: Vec<Piece>,
}

/// Checks that the pieces are in order, end within the file, and are as long as the data in the archive.
pub(super) fn check(map: &Map, data: u64) -> Result<(), &'static str> {
    let mut end = 0_u64;
    let mut sum = 0_u64;
    for piece in &map.pieces {
        if piece.offset < end {
            return Err("the pieces of a sparse file overlap");
        }
        end = piece.offset.checked_add(piece.length).ok_or("a sparse file is too large")?;
        sum += piece.length;
    }
    if end > map.size || i64::try_from(map.size).is_err() {
        return Err("a piece of a sparse file lies beyond its end");
    }
    if sum != data {
        return Err("the pieces of a sparse file are not as long as its data");
    }
    Ok(())
}

const BAD: &str = "the map of a sparse file is damaged";

fn piece(offset: i64, length: i64) -> Result<Piece, &'static str> {
    match (u64::try_from(offset), u64::try_from(length)) {
        (Ok(offset), Ok(length)) => Ok(Piece { offset, length }),
        _ => Err(BAD),
    }
}

impl<R: BufRead> Reader<R> {
    /// Type `S`: four pieces in the header, 21 in each block that follows.
    pub(super) fn old_sparse(&mut self, header: &Header, start: u64, budget: &mut u64) -> Result<Map, Error> {
        let damaged = |reason| Error::Damaged { offset: start, reason };
        let (first, mut has_more, size) = header.old_sparse().map_err(damaged)?;
        let size = u64::try_from(size).map_err(|_| damaged(BAD))?;
        let mut pieces = Vec::new();
        add(&mut pieces, first).map_err(damaged)?;
        while has_more {
            *budget = budget.checked_sub(BLOCK).ok_or(Error::TooLarge)?;
            let block = self.block()?.ok_or_else(super::cut_off)?;
            add(&mut pieces, &block[..504]).map_err(damaged)?;
            has_more = block[504] != 0;
        }
        Ok(Map { size, pieces })
    }

    /// The PAX formats 0.0, 0.1 (the map is in records) and 1.0 (the map precedes the data).
    pub(super) fn pax_sparse(
        &mut self,
        pax: &mut Pax,
        path: &mut Vec<u8>,
        start: u64,
        budget: &mut u64,
    ) -> Result<Option<Map>, Error> {
        let damaged = |reason| Error::Damaged { offset: start, reason };
        let is_first = pax.number(b"GNU.sparse.major").map_err(damaged)? == Some(1)
            && pax.number(b"GNU.sparse.minor").map_err(damaged)? == Some(0);
        let list = pax.take(b"GNU.sparse.map");
        if !is_first && list.is_none() && pax.sparse_pairs.is_empty() {
            return Ok(None);
        }
        if let Some(name) = pax.take(b"GNU.sparse.name") {
            *path = name;
        }
        let mut size = pax.number(b"GNU.sparse.realsize").map_err(damaged)?;
        if size.is_none() {
            size = pax.number(b"GNU.sparse.size").map_err(damaged)?;
        }
        let size = size.and_then(|size| u64::try_from(size).ok()).ok_or_else(|| damaged(BAD))?;
        let numbers = if is_first {
            self.leading_map(start, budget)?
        } else if let Some(list) = list {
            list.split(|byte| *byte == b',').map(decimal).collect::<Option<Vec<_>>>().ok_or_else(|| damaged(BAD))?
        } else {
            let pairs = std::mem::take(&mut pax.sparse_pairs);
            let flat = pairs.iter().flat_map(|(offset, length)| [decimal(offset), decimal(length)]);
            flat.collect::<Option<Vec<_>>>().ok_or_else(|| damaged(BAD))?
        };
        if numbers.len() % 2 != 0 {
            return Err(damaged(BAD));
        }
        let pieces = numbers.chunks_exact(2).map(|pair| piece(pair[0], pair[1]));
        Ok(Some(Map { size, pieces: pieces.collect::<Result<_, _>>().map_err(damaged)? }))
    }

    /// Format 1.0: the number of pieces, then offset and length of each, a decimal number on each line, padded to whole
    /// blocks.
    fn leading_map(&mut self, start: u64, budget: &mut u64) -> Result<Vec<i64>, Error> {
        let damaged = |reason| Error::Damaged { offset: start, reason };
        let mut numbers = Vec::new();
        let mut line = Vec::new();
        let mut wanted = None;
        while wanted.is_none_or(|wanted| numbers.len() < wanted) {
            *budget = budget.checked_sub(BLOCK).ok_or(Error::TooLarge)?;
            self.left = self.left.checked_sub(BLOCK).ok_or_else(|| damaged(BAD))?;
            let block = self.block()?.ok_or_else(super::cut_off)?;
            for byte in block {
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                let value = decimal(&line).ok_or_else(|| damaged(BAD))?;
                line.clear();
                match wanted {
                    None => {
                        let count = usize::try_from(value).ok().and_then(|count| count.checked_mul(2));
                        wanted = Some(count.ok_or_else(|| damaged(BAD))?);
                    }
                    Some(_) => numbers.push(value),
                }
                if wanted == Some(numbers.len()) {
                    break;
                }
            }
        }
        Ok(numbers)
    }
}

/// Adds pieces of 24 bytes each: offset and length of 12; an empty one ends the list.
fn add(pieces: &mut Vec<Piece>, fields: &[u8]) -> Result<(), &'static str> {
    for field in fields.chunks_exact(24) {
        if field[0] == 0 {
            break;
        }
        pieces.push(piece(number(&field[..12])?, number(&field[12..])?)?);
    }
    Ok(())
}
