//! Values of the contract ABI as JSON.
//!
//! Integers wider than 32 bits are decimal strings whatever their value, narrower ones numbers;
//! addresses and bytes are lower-case 0x hex.

use alloy_primitives::{Address, B256, Bytes, U256, hex};
use serde_json::Value;

/// A value that an event's argument can have.
pub(super) trait Argument {
    /// Its form in `events.data`.
    fn to_json(&self) -> Value;
}

impl Argument for U256 {
    fn to_json(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl Argument for u64 {
    fn to_json(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl Argument for i128 {
    fn to_json(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl Argument for u8 {
    fn to_json(&self) -> Value {
        Value::from(*self)
    }
}

impl Argument for bool {
    fn to_json(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Argument for Address {
    fn to_json(&self) -> Value {
        Value::String(hex::encode_prefixed(self))
    }
}

impl Argument for B256 {
    fn to_json(&self) -> Value {
        Value::String(hex::encode_prefixed(self))
    }
}

impl Argument for Bytes {
    fn to_json(&self) -> Value {
        Value::String(hex::encode_prefixed(self))
    }
}

impl Argument for String {
    /// JSONB and TEXT hold every character but U+0000.
    fn to_json(&self) -> Value {
        Value::String(self.replace('\0', "\u{fffd}"))
    }
}
