//! A kind of action: the meaning of its configuration, its destination, and its messages.

pub use event_engine::delivery::destination::{AddressForm, Destination};
use event_engine::trigger::config::{ConfigNode, TextPlace};
use event_engine::trigger_file::TriggerFileError;

use crate::keys::ConfigKeys;
use crate::message::Message;
use crate::policy::DestinationPolicy;
use crate::secret::{Secret, SecretFormatError, SecretNeed};

/// A kind of action. It decides nothing about time, repetition or limits, and does no I/O: its
/// sender in the worker delivers the result of [`render`](Kind::render) to the
/// [`destination`](Kind::destination).
pub trait Kind: Send + Sync + 'static {
    /// Its name: the `type` of an action.
    const NAME: &'static str;
    /// Its own keys, typed.
    type Config: Send + Sync;
    /// All that its sender needs for one attempt.
    type Request: Send;

    /// Reads its own keys. A key that is not taken is refused by the caller.
    ///
    /// # Errors
    /// A key is missing or cannot have this value; its account changes the document.
    fn read(keys: &mut ConfigKeys<'_>) -> Result<Self::Config, ConfigRefusal>;

    /// Checks a configuration as far as that is possible without I/O.
    ///
    /// # Errors
    /// The policy forbids the destination, or a secret in the document does not serve.
    fn check(config: &Self::Config, policy: &DestinationPolicy) -> Result<(), ConfigRefusal>;

    /// Its destination.
    fn destination(config: &Self::Config) -> Destination;

    /// The text that an action without an id is named by; the address, unless more than that tells
    /// two actions apart.
    fn named_by(config: &Self::Config) -> String {
        Self::destination(config).address
    }

    /// The secrets that it needs; [`render`](Kind::render) is given them in this order.
    fn secrets(config: &Self::Config) -> Vec<SecretNeed<'_>>;

    /// Puts a match, a retraction or a test into the form of its medium: the same bytes for the
    /// same message, in every attempt.
    ///
    /// # Errors
    /// A secret does not serve. The operator may correct it, so a later attempt may succeed.
    fn render(
        config: Self::Config,
        message: &Message<'_>,
        secrets: &[Secret],
    ) -> Result<Self::Request, SecretFormatError>;
}

/// The reason why a kind refuses a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigRefusal {
    pub(crate) key: String,
    pub(crate) at: Option<TextPlace>,
    pub(crate) problem: String,
}

impl ConfigRefusal {
    /// A refusal of the value of `key`, or of its absence.
    pub fn of(key: &str, problem: impl std::fmt::Display) -> Self {
        Self { key: key.to_owned(), at: None, problem: problem.to_string() }
    }

    /// A refusal of a key.
    pub(crate) fn of_key(key: &str, at: TextPlace, problem: impl std::fmt::Display) -> Self {
        Self { at: Some(at), ..Self::of(key, problem) }
    }

    /// The refusal of a document in which `config` stands: at the refused key or value, and where
    /// that is missing, at the action.
    pub(crate) fn in_document(self, config: &ConfigNode) -> TriggerFileError {
        let value = config.get(&self.key).map(|node| node.at);
        let place = self.at.or(value).unwrap_or(config.at);
        TriggerFileError::at(place, &self.key, self.problem)
    }
}
