//! Texts of nodes, made fit to be shown and kept.

use service::config::RpcUrl;
use service::escape::escape;
use service::mask::Masker;

/// Characters of a node's error that are passed on: it is a stranger's text.
const CHARACTERS_MAX: usize = 300;

/// Makes the text of a chain's nodes harmless. Every [`IndexerError`](crate::IndexerError) of a
/// node goes through it, so that log, table, `status` and `doctor` have the same.
#[derive(Clone)]
pub(crate) struct Said(Masker);

impl Said {
    /// Hides the secrets of all the chain's URLs and headers: a node may name another one's.
    pub(crate) fn of(urls: &[RpcUrl]) -> Self {
        Self(Masker::hiding(urls.iter().flat_map(RpcUrl::secrets)))
    }

    /// The text without the URLs' secrets, escaped, and then shortened: a secret that was cut or
    /// escaped first would not be found.
    pub(crate) fn shown(&self, text: &str) -> String {
        escape(&self.0.mask(text), CHARACTERS_MAX).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_says_is_masked_before_it_is_cut_and_escaped() {
        let url = RpcUrl::parse("https://a.example/v3/abcdef0123456789").expect("a URL");
        let said = Said::of(&[url]);
        let long = format!("{}\u{1b}/abcdef\\u00301234567890", "x".repeat(290));
        assert_eq!(said.shown(&long), format!("{}\\u{{1b}}/***…", "x".repeat(290)));
        let shown = said.shown(&format!("{}/abcdef0123456789", "x".repeat(294)));
        assert_eq!(shown, format!("{}/***", "x".repeat(294)));
    }
}
