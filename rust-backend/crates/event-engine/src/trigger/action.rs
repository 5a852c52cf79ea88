//! An action of a trigger: the consequence of a match. Its kind is only a name here.

use crate::delivery::destination::Destination;
use crate::delivery::terms::DeliveryTerms;
use crate::job::stable_id;
use crate::trigger::config::{ConfigNode, TextPlace};

/// An action as a document has it; its kind has not read it yet. Equal to another that says the
/// same elsewhere.
#[derive(Clone, Debug)]
pub struct WrittenAction {
    /// The action's place.
    pub at: TextPlace,
    /// The id that its account gave it.
    pub id: Option<String>,
    /// The name of its kind.
    pub kind: String,
    /// The place of that name.
    pub kind_at: TextPlace,
    /// The terms of its delivery.
    pub terms: DeliveryTerms,
    /// The kind's own keys, a table.
    pub config: ConfigNode,
}

impl PartialEq for WrittenAction {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, &self.kind, &self.terms, &self.config)
            == (&other.id, &other.kind, &other.terms, &other.config)
    }
}

impl Eq for WrittenAction {}

/// An action that its kind has checked. A stored version of it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSpec {
    /// Its id: its account's, or [`default_id`].
    pub id: String,
    /// The name of its kind.
    pub kind: String,
    /// The terms of its delivery.
    pub terms: DeliveryTerms,
    /// Its destination.
    pub destination: Destination,
    /// The kind's own keys.
    pub config: ConfigNode,
}

/// The id of an action without one from its account: its kind and a hash of the text that its
/// kind names it by.
pub fn default_id(kind: &str, named_by: &str) -> String {
    let hash = stable_id("agentauri action", &[named_by.as_bytes()]);
    format!("{kind}-{}", &hash.simple().to_string()[..12])
}
