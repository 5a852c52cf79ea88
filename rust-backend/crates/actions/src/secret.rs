//! A secret: bytes with a place. Its kind makes a signer, a password or a token of it.

use std::fmt;

use event_engine::trigger::config::{ConfigNode, ConfigValue};

use crate::kind::ConfigRefusal;

/// The only variables that a trigger may name: `DATABASE_URL` is no secret of an action.
pub const VARIABLE_PREFIX: &str = "AGENTAURI_SECRET_";
/// Linux's own limit.
const FILE_NAME_BYTES_MAX: usize = 255;

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

/// A name under which no secret can be kept. It is not repeated: it may be the secret itself,
/// pasted there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretNameError {
    /// Not the name of a variable for secrets.
    #[error("the variable of a secret must be named {VARIABLE_PREFIX} and letters, digits or _")]
    Variable,
    /// Not the name of a file in the directory of secrets.
    #[error(
        "the file of a secret must have a plain name of 1 to {FILE_NAME_BYTES_MAX} bytes, without \
         a folder or a leading dot"
    )]
    File,
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
    place: String,
    problem: String,
}

impl SecretPlace {
    /// Reads the value of `key`: `{env: …}`, `{file: …}` or a text that begins with `prefix`. Fails
    /// if it has another form, or if [`Self::check_name`] fails.
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
        let place = match (entry.key.as_str(), entry.node.as_text()) {
            ("env", Some(env)) => Self::Variable(env.to_owned()),
            ("file", Some(file)) => Self::File(file.to_owned()),
            _ => return refuse("must have exactly one of `env` and `file`"),
        };
        place.check_name().map_err(|error| ConfigRefusal::of(key, error))?;
        Ok(place)
    }

    /// Fails if no secret can ever be kept under the name of the place.
    pub fn check_name(&self) -> Result<(), SecretNameError> {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let plain = |c: char| !c.is_control() && c != '/' && c != '\\';
        let is_variable = |name: &str| {
            let rest = name.strip_prefix(VARIABLE_PREFIX);
            rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(letter))
        };
        let is_file = |name: &str| {
            (1..=FILE_NAME_BYTES_MAX).contains(&name.len())
                && !name.starts_with('.')
                && name.chars().all(plain)
        };
        match self {
            Self::Variable(name) if !is_variable(name) => Err(SecretNameError::Variable),
            Self::File(name) if !is_file(name) => Err(SecretNameError::File),
            _ => Ok(()),
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
