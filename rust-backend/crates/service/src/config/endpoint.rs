//! A URL whose secrets are not shown.

use std::fmt::{self, Debug, Display, Formatter};

use url::Url;

/// A URL that may hold a password or a key. Debug and Display leave out the password, values of
/// parameters, and of HTTP the user and the path, where many nodes have their key.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Parses a URL. The error does not quote it.
    pub fn parse(text: &str) -> Result<Self, url::ParseError> {
        Url::parse(text).map(Self)
    }

    /// The same with another query; an empty one is left out.
    pub(super) fn with_query(mut self, query: &str) -> Self {
        self.0.set_query(Some(query).filter(|query| !query.is_empty()));
        self
    }

    /// The URL, secrets included: for connecting only.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl Display for Endpoint {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let url = &self.0;
        write!(formatter, "{}://", url.scheme())?;
        let web = matches!(url.scheme(), "http" | "https" | "ws" | "wss");
        if !url.username().is_empty() {
            formatter.write_str(if web { "***" } else { url.username() })?;
        }
        if url.password().is_some() {
            formatter.write_str(":***")?;
        }
        if !url.username().is_empty() || url.password().is_some() {
            formatter.write_str("@")?;
        }
        formatter.write_str(url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(formatter, ":{port}")?;
        }
        match url.path() {
            path if !web => formatter.write_str(path)?,
            "" | "/" => formatter.write_str("/")?,
            _ => formatter.write_str("/…")?,
        }
        for (at, (name, value)) in url.query_pairs().enumerate() {
            let right = |byte: u8| byte.is_ascii_alphanumeric() || b"_-[].".contains(&byte);
            // A name without a value may be a key, too.
            let is_name = !value.is_empty() && name.bytes().all(right);
            // The only parameter of a database's URL that helps to find a mistake.
            let value = if name == "host" { value.as_ref() } else { "***" };
            let name = if is_name { name.as_ref() } else { "***" };
            write!(formatter, "{}{name}={value}", if at == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl Debug for Endpoint {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        format!("{:?}", Endpoint::parse(text).expect("a URL"))
    }

    #[test]
    fn no_secret_is_ever_shown() {
        for text in [
            "postgres://me:hunter2@db:5432/x?password=hunter2&host=/run",
            "redis://:hunter2@127.0.0.1:6379/1",
            "https://mainnet.example.org/v3/hunter2?key=hunter2#hunter2",
            "redis+unix:///run/redis.sock?pass=hunter2",
            "https://hunter2@rpc.example.org/",
            "wss://rpc.example.org/?hunter2",
            "postgres://me:1?hunter2@db/x",
        ] {
            assert!(!shown(text).contains("hunter2"), "{}", shown(text));
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        assert_eq!(
            shown("postgres://me:p@db:5432/x?password=p&host=/run"),
            "postgres://me:***@db:5432/x?password=***&host=/run"
        );
        assert_eq!(shown("https://example.org/v3/key"), "https://example.org/…");
        assert_eq!(shown("redis+unix:///run/redis.sock"), "redis+unix:///run/redis.sock");
    }
}
