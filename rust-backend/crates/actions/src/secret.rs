//! A secret: bytes with a place. Its kind makes a signer, a password or a token of it.

use std::fmt;

use event_engine::trigger::config::{ConfigNode, ConfigValue};

use crate::kind::ConfigRefusal;

/// The only variables that a trigger may name: `DATABASE_URL` is no secret of an action.
pub const VARIABLE_PREFIX: &str = "AGENTAURI_SECRET_";

/// The place where a secret is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// A variable of the worker's environment.
    Variable(String),
    /// A file in the worker's directory of secrets.
    File(String),
    /// The document itself, for trials.
    Inline(String),
}

/// A secret that an action needs.
#[derive(Clone, Debug)]
pub struct SecretNeed<'c> {
    /// Its place.
    pub place: &'c SecretPlace,
    /// The beginning of its text, public so that a scanner of repositories finds it.
    pub prefix: &'static str,
}

/// A secret as it was found.
pub struct Secret {
    /// The name of its place, for errors.
    place: String,
    bytes: Vec<u8>,
}

/// An unusable secret, named by its place. Its text is never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SecretFormatError {
    /// The name of its place.
    pub place: String,
    /// The rule that it breaks.
    pub problem: String,
}

impl SecretPlace {
    /// Reads the value of `key`: `{env: …}`, `{file: …}` or a text that begins with `prefix`.
    ///
    /// # Errors
    /// The value has another form. A wrong name is not repeated: it may be the secret itself,
    /// pasted there.
    pub fn read(key: &str, node: &ConfigNode, prefix: &str) -> Result<Self, ConfigRefusal> {
        let refuse = |problem: &str| Err(ConfigRefusal::of(key, problem));
        let entries = match &node.value {
            ConfigValue::Text(text) if text.starts_with(prefix) => {
                return Ok(Self::Inline(text.clone()));
            }
            ConfigValue::Text(_) => {
                return Err(ConfigRefusal::of(key, format!("does not begin with `{prefix}`")));
            }
            ConfigValue::List(_) => &[][..],
            ConfigValue::Table(entries) => entries,
        };
        let [entry] = entries else {
            return refuse("must have exactly one of `env` and `file`");
        };
        match (entry.key.as_str(), entry.node.as_text()) {
            ("env", Some(env)) if env.starts_with(VARIABLE_PREFIX) => {
                Ok(Self::Variable(env.to_owned()))
            }
            ("env", Some(_)) => {
                Err(ConfigRefusal::of(key, format!("env does not begin with {VARIABLE_PREFIX}")))
            }
            ("file", Some(file)) if !file.contains('/') && !file.starts_with('.') => {
                Ok(Self::File(file.to_owned()))
            }
            ("file", Some(_)) => refuse("file is not a plain file name"),
            _ => refuse("must have exactly one of `env` and `file`"),
        }
    }
}

/// Never says a secret.
impl fmt::Debug for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(env) => write!(f, "{{env: {env}}}"),
            Self::File(file) => write!(f, "{{file: {file}}}"),
            Self::Inline(_) => f.write_str("…"),
        }
    }
}

/// As it is shown to its account: the place, or the prefix of a secret in the document.
impl fmt::Display for SecretNeed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let SecretPlace::Inline(_) = self.place {
            f.write_str(self.prefix)?;
        }
        write!(f, "{:?}", self.place)
    }
}

impl Secret {
    /// The bytes that were found at a place.
    pub fn found(place: &SecretPlace, bytes: Vec<u8>) -> Self {
        let place = match place {
            SecretPlace::Variable(env) => format!("the variable {env}"),
            SecretPlace::File(file) => format!("the file {file}"),
            SecretPlace::Inline(_) => "the secret".to_owned(),
        };
        Self { place, bytes }
    }

    /// The bytes as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// An error that names its place.
    pub fn refused(&self, problem: impl fmt::Display) -> SecretFormatError {
        SecretFormatError { place: self.place.clone(), problem: problem.to_string() }
    }
}

/// Never says the bytes.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.place)
    }
}
