//! The registries of a chain, by their addresses.

use std::fmt;
use std::str::FromStr;

/// A registry of ERC-8004.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registry {
    /// The agents themselves.
    Identity,
    /// Feedback of their clients.
    Reputation,
    /// Checks of their work.
    Validation,
}

impl Registry {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Identity, Self::Reputation, Self::Validation];

    /// Its name in `events.registry` and in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Reputation => "reputation",
            Self::Validation => "validation",
        }
    }
}

/// The address of a contract. Read from `0x` and 40 hexadecimal digits, written in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractAddress(pub [u8; 20]);

/// A text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address: 0x and 40 hexadecimal digits")]
pub struct NotAnAddress;

impl FromStr for ContractAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let digits = text.strip_prefix("0x").ok_or(NotAnAddress)?;
        if digits.len() != 40 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NotAnAddress);
        }
        let mut bytes = [0; 20];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = &digits[2 * at..2 * at + 2];
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotAnAddress)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for ContractAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The addresses of a chain's registries: at least one, no two alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registries {
    /// Address of [`Registry::Identity`].
    pub identity: Option<ContractAddress>,
    /// Address of [`Registry::Reputation`].
    pub reputation: Option<ContractAddress>,
    /// Address of [`Registry::Validation`].
    pub validation: Option<ContractAddress>,
}

impl Registries {
    /// The registries that are configured.
    pub fn configured(&self) -> impl Iterator<Item = (Registry, ContractAddress)> {
        Registry::ALL
            .into_iter()
            .zip([self.identity, self.reputation, self.validation])
            .filter_map(|(registry, address)| Some((registry, address?)))
    }
}
