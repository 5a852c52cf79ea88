//! A long JSON text, read without being held: strings that would exceed the limit are replaced by
//! their length, and the rest stays as it is.

use crate::rpc::call::Failure;

/// Sign before the length that stands for a string. Hex never begins so.
pub(crate) const MARK: char = '~';
/// Bytes that are read at all. No honest answer is longer.
const READ_BYTES_MAX: u64 = 1 << 30;
/// Bytes that may be kept beside the strings, numbers and names for instance.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// A string that is no longer stays, however full it is: names, hashes and numbers are short.
const SHORT_BYTES_MAX: u64 = 128;

/// A text that is being read.
pub(crate) struct Shortener {
    kept: Vec<u8>,
    kept_max: usize,
    read_bytes: u64,
    position: JsonPosition,
    /// Beginning and present length of the string that is being read.
    string: (usize, u64),
    drops: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum JsonPosition {
    OutsideString,
    InString,
    AfterBackslash,
}

impl Shortener {
    /// Keeps `kept_max` bytes, roughly.
    pub(crate) fn new(kept_max: usize) -> Self {
        let position = JsonPosition::OutsideString;
        Self { kept: Vec::new(), kept_max, read_bytes: 0, position, string: (0, 0), drops: false }
    }

    /// Reads on. Fails if too much would have to be read or kept.
    pub(crate) fn read(&mut self, part: &[u8]) -> Result<(), Failure> {
        self.read_bytes += part.len() as u64;
        if self.read_bytes > READ_BYTES_MAX {
            return Err(Failure::TooLong("the answer does not end".to_owned()));
        }
        let mut rest = part;
        while !rest.is_empty() {
            let run = match self.position {
                JsonPosition::OutsideString => rest.iter().position(|byte| *byte == b'"'),
                JsonPosition::InString => rest.iter().position(|byte| matches!(byte, b'"' | b'\\')),
                JsonPosition::AfterBackslash => Some(0),
            };
            let run = run.unwrap_or(rest.len());
            self.keep(&rest[..run]);
            if let Some(byte) = rest.get(run) {
                self.turn(*byte);
            }
            rest = rest.get(run + 1..).unwrap_or_default();
        }
        if self.kept.len() > self.kept_max.saturating_add(FRAME_BYTES_MAX) {
            return Err(Failure::TooLong("the answer has too many parts".to_owned()));
        }
        Ok(())
    }

    /// The shortened text.
    pub(crate) fn into_kept(self) -> Vec<u8> {
        self.kept
    }

    /// Reads a byte that may change the position.
    fn turn(&mut self, byte: u8) {
        match (self.position, byte) {
            (JsonPosition::OutsideString, _) => {
                self.kept.push(byte);
                self.string = (self.kept.len(), 0);
                self.position = JsonPosition::InString;
            }
            (JsonPosition::InString, b'"') => {
                if std::mem::take(&mut self.drops) {
                    let length = format!("{MARK}{}", self.string.1);
                    self.kept.extend_from_slice(length.as_bytes());
                }
                self.kept.push(byte);
                self.position = JsonPosition::OutsideString;
            }
            (JsonPosition::InString, _) => {
                self.keep(&[byte]);
                self.position = JsonPosition::AfterBackslash;
            }
            (JsonPosition::AfterBackslash, _) => {
                self.keep(&[byte]);
                self.position = JsonPosition::InString;
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.position == JsonPosition::OutsideString {
            self.kept.extend_from_slice(bytes);
            return;
        }
        self.string.1 += bytes.len() as u64;
        let is_long = self.string.1 > SHORT_BYTES_MAX;
        if is_long && !self.drops && self.kept.len() + bytes.len() > self.kept_max {
            self.kept.truncate(self.string.0);
            self.drops = true;
        }
        if !self.drops {
            self.kept.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Reads a text in parts of this size.
    fn shortened(text: &str, kept_max: usize, part: usize) -> Value {
        let mut shortener = Shortener::new(kept_max);
        for part in text.as_bytes().chunks(part) {
            shortener.read(part).expect("not too long");
        }
        serde_json::from_slice(&shortener.into_kept()).expect("still JSON")
    }

    proptest! {
        #[test]
        fn long_strings_become_their_length_and_all_else_stays(
            texts in prop::collection::vec(("\\PC{0,12}", 0_usize..400), 0..8),
            part in 1_usize..50,
        ) {
            let text_of = |(text, zeros): &(String, usize)| format!("{text}{}", "0".repeat(*zeros));
            let texts: Vec<String> = texts.iter().map(text_of).collect();
            let whole = json!({"logs": texts, "n": 7});
            let written = whole.to_string();
            prop_assert_eq!(&shortened(&written, written.len(), part), &whole);

            let found = shortened(&written, 200, part);
            prop_assert_eq!(&found["n"], &json!(7));
            let found = found["logs"].as_array().expect("a list");
            prop_assert_eq!(found.len(), texts.len());
            for (found, text) in found.iter().zip(&texts) {
                let length = json!(text).to_string().len() - 2;
                let is_whole = *found == json!(text);
                prop_assert!(is_whole || *found == json!(format!("~{length}")), "{found}");
                prop_assert!(is_whole || length + written.len() > 200);
                prop_assert!(is_whole || length > 128);
            }
        }
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let mut shortener = Shortener::new(100);
        shortener.read(b"{\"data\":\"0x").expect("a beginning");
        let part = vec![b'0'; 1 << 24];
        let given_up = (0..1_000).find(|_| shortener.read(&part).is_err());
        assert!(given_up.is_some_and(|parts| parts < 65));
        assert!(shortener.kept.len() < 200, "nothing of it is held");
        let mut shortener = Shortener::new(100);
        assert!((0..1_000).any(|_| shortener.read(&[b'['; 10_000]).is_err()));
    }
}
