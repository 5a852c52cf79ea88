//! The document as it is written, before anything in it is believed.

use serde::Deserialize;
use serde_saphyr::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: Spanned<u64>,
    pub(super) triggers: Vec<Spanned<Trigger>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trigger {
    pub(super) name: Spanned<String>,
    pub(super) chains: Option<Spanned<Vec<Spanned<NumberOrText>>>>,
    pub(super) registry: Option<Spanned<String>>,
    pub(super) events: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) agents: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) when: Option<Spanned<String>>,
    pub(super) since: Option<Spanned<String>>,
    pub(super) finality: Option<Spanned<NumberOrText>>,
    pub(super) cooldown: Option<Spanned<String>>,
    pub(super) group_by: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) match_all: bool,
    pub(super) actions: Spanned<Vec<Spanned<Action>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Action {
    pub(super) id: Option<Spanned<String>>,
    #[serde(rename = "type")]
    pub(super) kind: Spanned<String>,
    pub(super) url: Option<Spanned<String>>,
    pub(super) secret: Option<Spanned<Secret>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum NumberOrText {
    Number(i64),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Secret {
    Inline(String),
    Elsewhere(SecretPlace),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretPlace {
    pub(super) env: Option<String>,
    pub(super) file: Option<String>,
}
