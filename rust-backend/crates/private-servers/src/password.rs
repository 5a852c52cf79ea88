//! Passwords for servers that listen on TCP.

/// A fresh password of 128 random bits, in hexadecimal: safe in URLs, SQL and configuration.
pub(crate) fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}
