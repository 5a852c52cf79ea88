//! Signs messages as Standard Webhooks 1.0 says: HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use standardwebhooks::Webhook;

use crate::secret::{Secret, SecretFormatError};

/// The beginning of a secret, so that a scanner of repositories recognises it.
pub const SECRET_PREFIX: &str = "whsec_";
/// Fewer bytes can be guessed (Standard Webhooks, "Signature scheme").
pub const KEY_BYTES_MIN: usize = 24;
/// More than a block of SHA-256 adds nothing.
pub const KEY_BYTES_MAX: usize = 64;
/// Rotation takes two; each adds 48 bytes to a header.
pub const KEYS_MAX: usize = 8;

/// One or more keys. Each adds its own signature, so that a receiver who knows one of them is
/// content: that is how a secret is rotated.
pub struct Signer {
    keys: Vec<Webhook>,
}

/// The fault in the text of a secret, mostly with its number, from 1. The text is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFormatError {
    /// No secret, or too many.
    #[error("must hold 1 to {KEYS_MAX} secrets, separated by spaces, and holds {0}")]
    Count(usize),
    /// Not a secret of Standard Webhooks.
    #[error("secret {0} does not begin with {SECRET_PREFIX}")]
    Prefix(usize),
    /// The text behind the prefix cannot be decoded.
    #[error("secret {0} is not base64 after {SECRET_PREFIX}")]
    Base64(usize),
    /// The key is too short or too long.
    #[error("secret {0} decodes to {1} bytes, not to {KEY_BYTES_MIN} to {KEY_BYTES_MAX}")]
    Length(usize, usize),
}

impl Signer {
    /// Makes a signer of a secret, as [`Self::from_secrets`] does of its text.
    pub fn of(secret: &Secret) -> Result<Self, SecretFormatError> {
        Self::from_secrets(&secret.text()).map_err(|error| secret.refused(error))
    }

    /// Reads secrets separated by spaces or line ends, each `whsec_` and the base64 of
    /// [`KEY_BYTES_MIN`] to [`KEY_BYTES_MAX`] bytes.
    pub fn from_secrets(text: &str) -> Result<Self, KeyFormatError> {
        let secrets = text.split_ascii_whitespace();
        let count = secrets.clone().count();
        if !(1..=KEYS_MAX).contains(&count) {
            return Err(KeyFormatError::Count(count));
        }
        let keys = secrets.zip(1..).map(|(secret, position)| key(secret, position));
        Ok(Self { keys: keys.collect::<Result<_, _>>()? })
    }

    /// The value of `webhook-signature`: `v1,<base64>` of each key, separated by spaces.
    /// `timestamp` is the attempt's, in unix seconds.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signatures = self.keys.iter().map(|key| {
            key.sign(id, timestamp, body.as_bytes()).expect("a string is UTF-8, all that is asked")
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn key(secret: &str, position: usize) -> Result<Webhook, KeyFormatError> {
    let encoded = secret.strip_prefix(SECRET_PREFIX).ok_or(KeyFormatError::Prefix(position))?;
    let key = STANDARD.decode(encoded).map_err(|_| KeyFormatError::Base64(position))?;
    if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
        return Err(KeyFormatError::Length(position, key.len()));
    }
    Webhook::from_bytes(key).map_err(|_| KeyFormatError::Base64(position))
}

/// Never says the keys.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} keys)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretPlace;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

    fn signer(text: &str) -> Signer {
        Signer::from_secrets(text).expect("secrets")
    }

    #[test]
    fn the_published_example_is_signed_as_published() {
        assert_eq!(signer(SECRET).sign(ID, 1_649_367_553, BODY), SIGNATURE);
    }

    #[test]
    fn while_a_secret_rotates_each_signs_in_its_order() {
        let both = signer(&format!("{OTHER} {SECRET}\n")).sign(ID, 1_649_367_553, BODY);
        let (other, ours) = both.split_once(' ').expect("two signatures");
        assert_eq!(ours, SIGNATURE);
        assert_eq!(other, signer(OTHER).sign(ID, 1_649_367_553, BODY));
        assert_ne!(other, ours);
    }

    #[test]
    fn a_secret_that_does_not_serve_is_named_by_its_place() {
        let place = SecretPlace::Variable("AGENTAURI_SECRET_HOOK".to_owned());
        let secret = Secret::found(&place, b"hunter2".to_vec());
        assert_eq!(
            Signer::of(&secret).expect_err("refused").to_string(),
            "the variable AGENTAURI_SECRET_HOOK: secret 1 does not begin with whsec_"
        );
        // It is not UTF-8, and so no base64 either.
        let secret = Secret::found(&place, b"whsec_\xff".to_vec());
        Signer::of(&secret).expect_err("refused");
    }

    #[test]
    fn a_secret_of_another_form_is_refused_and_never_repeated() {
        let of_bytes = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for (text, error) in [
            (String::new(), KeyFormatError::Count(0)),
            ([SECRET; 9].join(" "), KeyFormatError::Count(9)),
            (format!("{SECRET} hunter2"), KeyFormatError::Prefix(2)),
            ("whsec_hunter2!".to_owned(), KeyFormatError::Base64(1)),
            (of_bytes(23), KeyFormatError::Length(1, 23)),
            (of_bytes(65), KeyFormatError::Length(1, 65)),
        ] {
            let refused = Signer::from_secrets(&text).expect_err("refused");
            assert_eq!(refused, error);
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
        for bytes in [24, 32, 64] {
            signer(&of_bytes(bytes));
        }
        assert_eq!(format!("{:?}", signer(SECRET)), "Signer(1 keys)");
    }
}
