//! Percent-encoding (RFC 3986) of paths in URLs.

use std::fmt::Write as _;

/// `bytes` with everything but unreserved characters and slashes encoded.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_with_any_bytes_survives_in_a_url() {
        assert_eq!(super::encoded(b"/a b/\xffc?d&e%"), "/a%20b/%FFc%3Fd%26e%25");
    }
}
