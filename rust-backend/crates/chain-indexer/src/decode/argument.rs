//! Values of the contract ABI as JSON.
//!
//! Integers wider than 32 bits are decimal strings, even small values, and narrower ones numbers;
//! addresses and bytes are lower-case 0x hex.

use alloy_primitives::{Address, B256, Bytes, U256, hex};
use serde_json::Value;

/// A value of an event's argument.
pub(super) trait Argument {
    /// Its form in `events.data`.
    fn to_json(&self) -> Value;
}

macro_rules! to_json {
    ($($argument:ty),*; $value:ident => $json:expr) => {$(
        impl Argument for $argument {
            fn to_json(&self) -> Value {
                let $value = self;
                $json
            }
        }
    )*};
}

to_json!(U256, u64, i128; integer => Value::String(integer.to_string()));
to_json!(u8, bool; small => Value::from(*small));
to_json!(Address, B256, Bytes; bytes => Value::String(hex::encode_prefixed(bytes)));
// JSONB and TEXT hold every character but U+0000.
to_json!(String; text => Value::String(text.replace('\0', "\u{fffd}")));
