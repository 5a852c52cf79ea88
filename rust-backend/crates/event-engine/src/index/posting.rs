//! The triggers of one key.

use std::slice;

/// The number of a key's only trigger, or else the index of its list of triggers. Nearly every key
/// of an agent has one trigger.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posting(u32);

/// The lists of the keys that have several triggers.
pub(super) type Lists = Vec<Vec<u32>>;

const IS_LIST: u32 = 1 << 31;

impl Posting {
    /// Of one trigger.
    pub(super) fn of(trigger: u32) -> Self {
        assert!(trigger < IS_LIST, "fewer than 2^31 triggers");
        Self(trigger)
    }

    /// Adds a trigger with a higher number than all before.
    pub(super) fn push(&mut self, trigger: u32, lists: &mut Lists) {
        if let Some(list) = self.list() {
            lists[list].push(trigger);
            return;
        }
        let list = u32::try_from(lists.len()).ok().filter(|list| *list < IS_LIST);
        lists.push(vec![self.0, trigger]);
        self.0 = IS_LIST | list.expect("fewer than 2^31 keys");
    }

    /// Their numbers, ascending; one at least.
    pub(super) fn triggers<'a>(&'a self, lists: &'a Lists) -> &'a [u32] {
        self.list().map_or_else(|| slice::from_ref(&self.0), |list| &lists[list])
    }

    fn list(self) -> Option<usize> {
        (self.0 & IS_LIST != 0).then_some((self.0 & !IS_LIST) as usize)
    }
}
