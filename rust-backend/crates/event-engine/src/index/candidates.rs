//! The triggers that select an event, one after the other.

use super::in_force::InForce;
use super::{TriggerIndex, keys};

/// Lists that an event's keys can find: with and without its agent, for each shape of a topic.
pub(super) const LISTS_MAX: usize = 2 * keys::SHAPES;

/// Lists of triggers' numbers, each ascending. No number is in two lists: a trigger's keys have one
/// shape and are distinct.
#[derive(Clone, Debug, Default)]
pub(super) struct PostingLists<'a> {
    lists: [&'a [u32]; LISTS_MAX],
    count: usize,
}

impl<'a> PostingLists<'a> {
    pub(super) fn push(&mut self, list: &'a [u32]) {
        self.lists[self.count] = list;
        self.count += 1;
    }
}

/// The triggers whose selectors take an event, each once, in the order of the set.
#[derive(Clone, Debug)]
pub struct Candidates<'a> {
    index: &'a TriggerIndex,
    found: PostingLists<'a>,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(index: &'a TriggerIndex, found: PostingLists<'a>) -> Self {
        Self { index, found }
    }
}

impl<'a> Iterator for Candidates<'a> {
    type Item = InForce<'a>;

    /// Takes the least of the lists' first numbers. The lists are few, and mostly one.
    fn next(&mut self) -> Option<InForce<'a>> {
        let lists = self.found.lists[..self.found.count].iter_mut();
        let list = lists.filter(|list| !list.is_empty()).min_by_key(|list| list[0])?;
        let (number, rest) = list.split_first()?;
        *list = rest;
        Some(self.index.numbered(*number))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.found.lists[..self.found.count].iter().map(|list| list.len()).sum();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Candidates<'_> {}
