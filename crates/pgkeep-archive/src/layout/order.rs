//! The order of TOC entries.

use std::collections::HashSet;

use super::Layout;
use crate::DumpId;

/// An entry of the TOC that is to be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Node {
    /// The stock entry at this index, which has no data of its own (any more, if it is a gate).
    Stock(usize),
    /// The piece at this index.
    Piece(usize),
}

impl Layout {
    /// All entries but the sentinel, in the order of the module's docs, and how many stand before the sentinel.
    ///
    /// `file_order` has the index of every piece.
    pub(super) fn order(&self, file_order: &[usize]) -> (Vec<Node>, usize) {
        let entries = &self.toc.entries;
        let has_data = |i: &usize| entries.get(*i).is_some_and(|e| e.has_data);
        let all = 0..entries.len();
        let (Some(first), Some(last)) = (all.clone().find(has_data), all.clone().rfind(has_data)) else {
            return (all.map(Node::Stock).collect(), entries.len());
        };
        let between: Vec<usize> = (first..=last).filter(|i| !has_data(i)).collect();
        let needed = self.needed(first, last);
        let is_early = |i: &usize| needed.contains(i) || is_lo_metadata(self, *i);
        let gates = (first..=last).filter(|i| entries.get(*i).is_some_and(|e| self.is_gate(e.id)));

        let mut walk = Walk { layout: self, region: (first, last), done: HashSet::new(), out: Vec::new() };
        walk.out.extend((0..first).map(Node::Stock));
        let early = between.iter().filter(|i| is_early(i)).map(|i| Node::Stock(*i));
        let data = file_order.iter().map(|p| Node::Piece(*p));
        early.chain(data).chain(gates.map(Node::Stock)).for_each(|node| walk.visit(node));
        let sentinel = walk.out.len();
        between.iter().for_each(|i| walk.visit(Node::Stock(*i)));
        walk.out.extend((last + 1..entries.len()).map(Node::Stock));
        (walk.out, sentinel)
    }

    /// Entries without data, among the data entries, that a data entry depends on, however indirectly.
    fn needed(&self, first: usize, last: usize) -> HashSet<usize> {
        let mut needed = HashSet::new();
        let mut open: Vec<usize> = (first..=last).filter(|i| self.toc.entries[*i].has_data).collect();
        while let Some(i) = open.pop() {
            for id in &self.toc.entries[i].dependencies {
                let Some(&on) = self.by_id.get(id) else { continue };
                let is_stock = (first..=last).contains(&on) && !self.toc.entries[on].has_data;
                if is_stock && needed.insert(on) {
                    open.push(on);
                }
            }
        }
        needed
    }

    /// What must stand before a node. A data entry stands for its pieces.
    fn waits_for(&self, node: Node) -> Vec<Node> {
        match node {
            Node::Piece(p) => {
                let piece = &self.pieces[p];
                let entry = &self.toc.entries[self.by_id[&piece.entry]];
                let mut nodes: Vec<Node> =
                    entry.dependencies.iter().filter_map(|id| self.without_data(*id)).collect();
                if piece.segment > 0 && !piece.after.is_empty() {
                    // The first segment waits for all, the others for it: lists stay short.
                    nodes.push(Node::Piece(p - piece.segment));
                } else {
                    nodes.extend(piece.after.iter().flat_map(|id| self.nodes_of(*id)));
                }
                nodes
            }
            Node::Stock(i) => {
                let entry = &self.toc.entries[i];
                let own = self.nodes_of(entry.id);
                let needs = entry.dependencies.iter();
                let needs = needs.flat_map(|id| self.without_data(*id).into_iter().chain(self.nodes_of(*id)));
                own.chain(needs).collect()
            }
        }
    }

    /// The entry, if it has no data.
    fn without_data(&self, id: DumpId) -> Option<Node> {
        let &i = self.by_id.get(&id)?;
        (!self.toc.entries[i].has_data).then_some(Node::Stock(i))
    }

    /// The pieces of a data entry.
    fn nodes_of(&self, id: DumpId) -> impl Iterator<Item = Node> + '_ {
        self.pieces_of(id).iter().map(|p| Node::Piece(p.index))
    }
}

/// Large object metadata stands before all data, as it does in stock archives.
fn is_lo_metadata(layout: &Layout, i: usize) -> bool {
    layout.toc.entries.get(i).is_some_and(|e| e.desc_is("BLOB METADATA") || e.desc_is("BLOB"))
}

/// Puts out nodes in the order in which they are visited, each after what it waits for.
struct Walk<'l> {
    layout: &'l Layout,
    /// First and last stock entry that may be moved.
    region: (usize, usize),
    done: HashSet<Node>,
    out: Vec<Node>,
}

impl Walk<'_> {
    /// Depth first with a stack of its own: chains can be long. A node is done once met, so a loop (which `pg_dump`
    /// breaks) comes out in the order in which it was met.
    fn visit(&mut self, node: Node) {
        if !self.meet(node) {
            return;
        }
        let mut stack = vec![(node, self.layout.waits_for(node).into_iter())];
        while let Some((node, waits)) = stack.last_mut() {
            match waits.next() {
                None => {
                    self.out.push(*node);
                    stack.pop();
                }
                Some(on) if self.meet(on) => stack.push((on, self.layout.waits_for(on).into_iter())),
                Some(_) => {}
            }
        }
    }

    /// Whether the node is met for the first time and may be moved.
    fn meet(&mut self, node: Node) -> bool {
        let movable = match node {
            Node::Piece(_) => true,
            Node::Stock(i) => (self.region.0..=self.region.1).contains(&i),
        };
        movable && self.done.insert(node)
    }
}
