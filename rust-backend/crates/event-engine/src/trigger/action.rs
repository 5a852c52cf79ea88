//! What is done for a match: the configuration of an action, as its account wrote it.

use serde::{Deserialize, Serialize};

use crate::job::Name;

/// The configuration of an action. A version of it never changes once it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ActionConfig {
    /// An HTTP POST by Standard Webhooks.
    Webhook {
        /// Where to: http or https.
        url: String,
        /// What signs it.
        secret: SecretSource,
    },
}

impl ActionConfig {
    /// The kind of action, as files name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
        }
    }

    /// An id for an action whose account gave none: its kind and a hash of its destination.
    pub fn default_id(&self) -> String {
        let Self::Webhook { url, .. } = self;
        let mut name = Name::begin("agentauri action");
        name.part(url.as_bytes());
        format!("{}-{}", self.kind(), &name.end().simple().to_string()[..12])
    }
}

/// Where the secret of an action is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SecretSource {
    /// In a variable of the worker's environment; its name begins with `AGENTAURI_SECRET_`.
    Variable {
        /// The variable's name.
        env: String,
    },
    /// In a file of the worker's directory of secrets.
    File {
        /// The file's name.
        file: String,
    },
    /// Here, for trials: `whsec_…`.
    Inline(String),
}

/// Never says the secret itself.
impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable { env } => write!(f, "{{env: {env}}}"),
            Self::File { file } => write!(f, "{{file: {file}}}"),
            Self::Inline(_) => f.write_str("whsec_…"),
        }
    }
}
