//! The order in which stages are built, and circles among them.

use std::collections::BTreeSet;

use super::super::file::Dockerfile;
use super::super::findings::Findings;
use super::super::source::Problem;
use super::Node;

/// The stages that the target needs, each after those that it needs. A circle is a problem.
pub(super) fn order(file: &Dockerfile, nodes: &[Node], target: usize, findings: &mut Findings) -> Vec<usize> {
    let mut left: Vec<usize> = nodes.iter().map(|node| node.needs.len()).collect();
    let mut needed_by = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        node.needs.keys().for_each(|other| needed_by[*other].push(index));
    }
    let mut ready: BTreeSet<usize> = (0..nodes.len()).filter(|index| left[*index] == 0).collect();
    let mut order = Vec::new();
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for other in &needed_by[index] {
            left[*other] -= 1;
            if left[*other] == 0 {
                ready.insert(*other);
            }
        }
    }
    if let Some(start) = left.iter().position(|count| *count > 0) {
        findings.problems.push(circle(file, nodes, &left, start));
        return Vec::new();
    }
    let mut is_needed = vec![false; nodes.len()];
    let mut next = vec![target];
    while let Some(index) = next.pop() {
        if !std::mem::replace(&mut is_needed[index], true) {
            next.extend(nodes[index].needs.keys());
        }
    }
    order.retain(|index| is_needed[*index]);
    order
}

/// Follows needs among those that are left, until one comes again.
fn circle(file: &Dockerfile, nodes: &[Node], left: &[usize], start: usize) -> Problem {
    let mut path = vec![start];
    let mut span = nodes[start].span;
    loop {
        let last = path.last().copied().unwrap_or(start);
        let Some((next, place)) = nodes[last].needs.iter().find(|(other, _)| left[**other] > 0) else { break };
        span = *place;
        let again = path.iter().position(|one| one == next);
        path.push(*next);
        if let Some(first) = again {
            path.drain(..first);
            break;
        }
    }
    let name = |index: &usize| file.stages[*index].name.clone().unwrap_or_else(|| index.to_string());
    let names: Vec<String> = path.iter().map(name).collect();
    Problem::new(span, format!("stages need each other in a circle: {}", names.join(" → ")))
}
