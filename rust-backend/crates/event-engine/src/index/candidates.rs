//! The triggers that an event meets, one after the other.

use super::in_force::InForce;
use super::{TriggerIndex, keys};

/// Lists that an event's keys can find: with and without its agent, for each shape of a topic.
pub(super) const LISTS_MAX: usize = 2 * keys::SHAPES;

/// Lists of numbers of triggers, each ascending. No two have a number in common: keys of two shapes
/// are never of one trigger, and one trigger's keys are distinct.
#[derive(Clone, Debug, Default)]
pub(super) struct Found<'a> {
    lists: [&'a [u32]; LISTS_MAX],
    count: usize,
}

impl<'a> Found<'a> {
    pub(super) fn push(&mut self, list: &'a [u32]) {
        self.lists[self.count] = list;
        self.count += 1;
    }
}

/// The triggers whose selectors take an event, each once, in the order of the set.
#[derive(Clone, Debug)]
pub struct Candidates<'a> {
    index: &'a TriggerIndex,
    found: Found<'a>,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(index: &'a TriggerIndex, found: Found<'a>) -> Self {
        Self { index, found }
    }
}

impl<'a> Iterator for Candidates<'a> {
    type Item = InForce<'a>;

    /// The least of what the lists begin with: there are few of them, and mostly one.
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
