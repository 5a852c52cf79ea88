//! Destinations: the places that messages go to, each with an identity and a state of its own.

use std::fmt;

use uuid::Uuid;

use crate::job::stable_id;

/// The name of a destination everywhere: a function of (account, kind, address), so that all
/// actions that go there share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationId(pub Uuid);

impl DestinationId {
    /// Names the destination of an account's actions of this kind.
    pub fn of(account: &str, kind: &str, address: &str) -> Self {
        let parts = [account.as_bytes(), kind.as_bytes(), address.as_bytes()];
        Self(stable_id("agentauri destination", &parts))
    }

    /// The name for people until its account gives another: the kind, and the beginning of the id.
    pub fn default_name(self, kind: &str) -> String {
        format!("{kind}-{}", &self.0.simple().to_string()[..12])
    }
}

impl fmt::Display for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The destination of an action, as its kind names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Identifies the destination among those of its account and kind.
    pub address: String,
    /// The form of the address.
    pub form: AddressForm,
    /// The machine or account behind it, which bears the load: a host and its port.
    pub origin: String,
}

/// The form of an address, by which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressForm {
    /// A URL, which is shown shortened: its path or query may be enough to post there.
    Url,
    /// A name, which is shown whole.
    Name,
}

impl AddressForm {
    /// Its name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Name => "name",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_named_by_account_kind_and_address() {
        let id = DestinationId::of("default", "webhook", "https://example.org/hook");
        assert_eq!(id, DestinationId::of("default", "webhook", "https://example.org/hook"));
        for other in [
            DestinationId::of("other", "webhook", "https://example.org/hook"),
            DestinationId::of("default", "email", "https://example.org/hook"),
            DestinationId::of("default", "webhook", "https://example.org/hooks"),
            DestinationId::of("defaultw", "ebhook", "https://example.org/hook"),
        ] {
            assert_ne!(id, other);
        }
        let name = id.default_name("webhook");
        let digits = name.strip_prefix("webhook-").expect("the kind first");
        assert!(id.to_string().replace('-', "").starts_with(digits), "{name}");
    }
}
