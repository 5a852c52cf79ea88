//! `${NAME}` in a value of the file: the value of an environment variable, so that a key need not
//! stand in the file.

use super::Result;
use crate::config::ConfigError;
use crate::config::document::TomlNode;
use crate::config::environment::Environment;

/// A text with places for values.
pub(super) struct Template<'t> {
    pub(super) text: &'t str,
    parts: Vec<TemplatePart<'t>>,
}

enum TemplatePart<'t> {
    Text(&'t str),
    /// A variable's name, and where its `$` stands in the text.
    Variable(&'t str, usize),
}

impl<'t> Template<'t> {
    /// Reads the text of `node`.
    pub(super) fn read(node: &TomlNode<'t>) -> Result<Self> {
        let text = node.text()?;
        let (mut parts, mut at) = (Vec::new(), 0);
        while let Some(found) = text[at..].find("${") {
            let dollar = at + found;
            let end = text[dollar..].find('}').map(|end| dollar + end);
            let Some(end) = end.filter(|end| is_name(&text[dollar + 2..*end])) else {
                return node.refuse(
                    "has a ${ that is not followed by a name (letters, digits and _) and }",
                );
            };
            parts.push(TemplatePart::Text(&text[at..dollar]));
            parts.push(TemplatePart::Variable(&text[dollar + 2..end], dollar));
            at = end + 1;
        }
        parts.push(TemplatePart::Text(&text[at..]));
        Ok(Self { text, parts })
    }

    /// The text with values of the environment in it, as `put` writes a value for its place. A
    /// variable that is not set leaves a stand-in, and its refusal in `unset`: most processes ask
    /// no node, and need no key of one.
    pub(super) fn filled(
        &self,
        node: &TomlNode<'_>,
        environment: &Environment,
        unset: &mut Option<ConfigError>,
        mut put: impl FnMut(usize, &str) -> String,
    ) -> Result<String> {
        let filled = self.parts.iter().map(|part| match *part {
            TemplatePart::Text(text) => Ok(text.to_owned()),
            TemplatePart::Variable(name, at) => match environment.inserted(name) {
                None => {
                    let refused =
                        node.refused(format!("${{{name}}} is not set in the environment"));
                    unset.get_or_insert(refused);
                    Ok(self.stand_in(at).to_owned())
                }
                Some(value) if value.contains(char::is_control) => {
                    node.refuse(format!("${{{name}}} has a control character in its value"))
                }
                Some(value) => Ok(put(at, value)),
            },
        });
        filled.collect()
    }

    /// The text with a stand-in for each value, by its place: the file's own words.
    pub(super) fn bare(&self, stand_in: impl Fn(usize) -> &'static str) -> String {
        let bare = self.parts.iter().map(|part| match *part {
            TemplatePart::Text(text) => text,
            TemplatePart::Variable(_, at) => stand_in(at),
        });
        bare.collect()
    }

    /// A stand-in for the value at a place of a URL.
    pub(super) fn stand_in(&self, at: usize) -> &'static str {
        match at {
            0 if self.text.contains("://") => "http",
            0 => "http://x",
            _ => "x",
        }
    }

    /// The places of the values.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Text(_) => None,
            TemplatePart::Variable(_, at) => Some(*at),
        })
    }
}

fn is_name(text: &str) -> bool {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(right) && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}
