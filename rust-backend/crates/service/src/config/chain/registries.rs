//! The registries of a chain, by their addresses.

use std::fmt;
use std::str::FromStr;

use sha3::{Digest as _, Keccak256};

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

/// The address of a contract. Read from `0x` and 40 hexadecimal digits, where letters of both cases
/// are its checksum ([EIP-55](https://eips.ethereum.org/EIPS/eip-55)); written in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractAddress(pub [u8; 20]);

/// The reason why a text is no address of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// It has another form.
    #[error("is not an address: 0x and 40 hexadecimal digits")]
    Form,
    /// It has another checksum than its digits.
    #[error("has a wrong checksum (EIP-55), so a digit or a letter's case is wrong: copy it again")]
    Checksum,
    /// It is zero.
    #[error("is the zero address, where no contract can be")]
    Zero,
}

impl ContractAddress {
    /// The address with its checksum, as explorers show it.
    pub fn checksummed(&self) -> String {
        let text = self.to_string();
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        let hash = Keccak256::digest(digits.as_bytes());
        let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        let upper: Vec<bool> = nibbles.map(|nibble| nibble >= 8).collect();
        let digits = digits
            .chars()
            .zip(upper)
            .map(|(digit, upper)| if upper { digit.to_ascii_uppercase() } else { digit });
        format!("0x{}", digits.collect::<String>())
    }
}

impl FromStr for ContractAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let digits = text.strip_prefix("0x").ok_or(NotAnAddress::Form)?;
        if digits.len() != 40 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NotAnAddress::Form);
        }
        let mut bytes = [0; 20];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = &digits[2 * at..2 * at + 2];
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotAnAddress::Form)?;
        }
        let address = Self(bytes);
        let has = |is: fn(&u8) -> bool| digits.as_bytes().iter().any(is);
        let is_checksummed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        if bytes == [0; 20] {
            Err(NotAnAddress::Zero)
        } else if is_checksummed && text != address.checksummed() {
            Err(NotAnAddress::Checksum)
        } else {
            Ok(address)
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of EIP-55.
    const CHECKSUMMED: [&str; 4] = [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    fn read(text: &str) -> Result<ContractAddress, NotAnAddress> {
        text.parse()
    }

    #[test]
    fn an_address_with_a_wrong_checksum_is_refused() {
        for text in CHECKSUMMED {
            let address = read(text).expect("an address");
            assert_eq!(address.checksummed(), text);
            assert_eq!(address.to_string(), text.to_lowercase());
            assert_eq!(read(&text.to_lowercase()), Ok(address));
            assert_eq!(read(&text.to_uppercase().replace('X', "x")), Ok(address));
        }
        let mistyped = CHECKSUMMED[0].replace("6053", "6054");
        assert_eq!(read(&mistyped), Err(NotAnAddress::Checksum));
    }

    #[test]
    fn the_zero_address_is_refused() {
        assert_eq!(read(&format!("0x{:040}", 0)), Err(NotAnAddress::Zero));
        assert!(read(&format!("0x{:040}", 1)).is_ok());
    }

    proptest! {
        #[test]
        fn of_all_cases_one_is_the_checksum(bytes: [u8; 20], cases: [bool; 40]) {
            prop_assume!(bytes != [0; 20]);
            let checksummed = ContractAddress(bytes).checksummed();
            prop_assert_eq!(read(&checksummed), Ok(ContractAddress(bytes)));
            let digits = checksummed[2..].chars().zip(cases).map(|(digit, upper)| {
                if upper { digit.to_ascii_uppercase() } else { digit.to_ascii_lowercase() }
            });
            let text = format!("0x{}", digits.collect::<String>());
            let letters: Vec<char> = text[2..].chars().filter(char::is_ascii_alphabetic).collect();
            let is_plain = letters.iter().all(char::is_ascii_lowercase)
                || letters.iter().all(char::is_ascii_uppercase);
            prop_assert_eq!(read(&text).is_ok(), is_plain || text == checksummed);
        }
    }
}
