//! Exact decimal numbers within bounds. No comparison goes through a float.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use serde::{Deserialize, Serialize};

/// Digits before the point. A `uint256` has at most 78.
pub const INTEGER_DIGITS_MAX: usize = 78;

/// Digits after the point: as many as before it, so that 10^-78 is as far as 10^78.
pub const DECIMALS_MAX: usize = 78;

/// Bytes of a text that may be a number: sign, point and both limits, and room for an exponent.
/// Longer texts are not parsed, so that hostile ones cost nothing.
const TEXT_BYTES_MAX: usize = 192;

/// A decimal number, exact. It compares by value: `1.0` equals `1`. Stored as its shortest text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Number {
    mantissa: Mantissa,
    /// The value is the mantissa × 10^-scale.
    scale: i64,
}

/// The digits of a number. Nearly every number on chain is small, and comparing those allocates
/// nothing.
#[derive(Clone, Debug)]
enum Mantissa {
    Small(i64),
    /// Any integer; used where `Small` does not suffice, and sometimes where it would.
    Large(BigInt),
}

impl Number {
    /// Reads a plain decimal, `-?digits[.digits]`, leading zeros allowed. `None` for every other
    /// text and beyond [`INTEGER_DIGITS_MAX`] or [`DECIMALS_MAX`], counted as written.
    pub fn parse_plain(text: &str) -> Option<Self> {
        if let Some(integer) = short_integer(text) {
            return Some(integer.into());
        }
        Spelling::of(text).filter(|spelling| spelling.exponent.is_none())?.number()
    }

    /// Reads a JSON number: a plain decimal that may have an exponent. `None` for every other text
    /// and where the value or its digits as written lie beyond [`INTEGER_DIGITS_MAX`] or
    /// [`DECIMALS_MAX`]. The size of the exponent costs nothing.
    pub fn parse_json(text: &str) -> Option<Self> {
        if let Some(integer) = short_integer(text) {
            return Some(integer.into());
        }
        Spelling::of(text)?.number()
    }

    /// The number `mantissa` × 10^-`decimals`.
    #[must_use]
    pub fn scaled(mantissa: impl Into<Self>, decimals: u8) -> Self {
        let Self { mantissa, scale } = mantissa.into();
        Self { mantissa, scale: scale + i64::from(decimals) }
    }

    /// The same value as an integer; `None` where it has a fraction.
    pub fn integer(&self) -> Option<BigInt> {
        if self.scale <= 0 {
            return Some(raised(&self.mantissa.to_big(), -self.scale));
        }
        let (mantissa, power) = (self.mantissa.to_big(), ten_to(self.scale));
        let whole = &*mantissa / &power;
        (&whole * power == *mantissa).then_some(whole)
    }

    /// True if it has no fraction other than zeros.
    pub fn is_integer(&self) -> bool {
        self.scale <= 0 || self.integer().is_some()
    }

    /// The same value as an integer; `None` where it has a fraction or does not fit.
    pub fn to_i64(&self) -> Option<i64> {
        match self {
            Self { mantissa: Mantissa::Small(integer), scale: 0 } => Some(*integer),
            _ => i64::try_from(self.integer()?).ok(),
        }
    }

    /// The shortest text that [`Number::parse_plain`] reads as the same number. The unshortened one
    /// may have more zeros than it accepts.
    pub fn shortest(&self) -> String {
        self.decimal().normalized().to_plain_string()
    }

    /// The number for arithmetic. Do not compare with it: the equality of `bigdecimal` 0.4.11
    /// overflows for some operands, which is why this type has its own.
    pub fn decimal(&self) -> BigDecimal {
        BigDecimal::new(self.mantissa.to_big().into_owned(), self.scale)
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self { mantissa: Mantissa::Small(integer), scale: 0 }
    }
}

impl From<Number> for String {
    fn from(number: Number) -> Self {
        number.shortest()
    }
}

impl TryFrom<String> for Number {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse_plain(&text).ok_or("not a number")
    }
}

impl From<BigInt> for Number {
    fn from(integer: BigInt) -> Self {
        Self { mantissa: Mantissa::Large(integer), scale: 0 }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        // Powers of ten that bring both mantissas to one scale.
        let raise_left = other.scale - self.scale;
        let raise_right = self.scale - other.scale;
        if let (Mantissa::Small(left), Mantissa::Small(right)) = (&self.mantissa, &other.mantissa) {
            let left = raised_small(*left, raise_left);
            let right = raised_small(*right, raise_right);
            if let (Some(left), Some(right)) = (left, right) {
                return left.cmp(&right);
            }
        }
        let (left, right) = (self.mantissa.to_big(), other.mantissa.to_big());
        if left.sign() != right.sign() {
            return left.sign().cmp(&right.sign());
        }
        raised(&left, raise_left).cmp(&raised(&right, raise_right))
    }
}

/// A plain decimal without exponent.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.decimal().to_plain_string())
    }
}

impl Mantissa {
    fn to_big(&self) -> Cow<'_, BigInt> {
        match self {
            Self::Small(small) => Cow::Owned(BigInt::from(*small)),
            Self::Large(large) => Cow::Borrowed(large),
        }
    }
}

/// `mantissa` × 10^`power`, or itself where the power is not positive.
fn raised(mantissa: &BigInt, power: i64) -> BigInt {
    if power <= 0 { mantissa.clone() } else { mantissa * ten_to(power) }
}

/// Likewise for an `i64`; `None` for a power beyond its 18. The product always fits.
fn raised_small(mantissa: i64, power: i64) -> Option<i128> {
    let factor = 10_i64.checked_pow(u32::try_from(power.max(0)).ok()?)?;
    Some(i128::from(mantissa) * i128::from(factor))
}

/// 10^`power`. Callers pass scales and their differences, which every constructor bounds.
fn ten_to(power: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(power).expect("scales are small, and here positive"))
}

/// A fast path for most numbers. `None` says nothing about the text.
fn short_integer(text: &str) -> Option<i64> {
    const BYTES_MAX: usize = 19;
    let standard = text.len() <= BYTES_MAX && !text.starts_with('+');
    if standard { text.parse().ok() } else { None }
}

/// The parts of a text that spells a number.
struct Spelling<'a> {
    negative: bool,
    integer: &'a str,
    fraction: &'a str,
    /// The text behind the `e`: digits with or without a sign.
    exponent: Option<&'a str>,
}

impl<'a> Spelling<'a> {
    fn of(text: &'a str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (integer, rest) = split_digits(unsigned)?;
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest)?,
            None => ("", rest),
        };
        if integer.len() > INTEGER_DIGITS_MAX || fraction.len() > DECIMALS_MAX {
            return None;
        }
        let exponent = match rest.strip_prefix(['e', 'E']) {
            Some(exponent) => {
                let (_, behind) =
                    split_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))?;
                behind.is_empty().then_some(Some(exponent))?
            }
            None => rest.is_empty().then_some(None)?,
        };
        Some(Self { negative: unsigned.len() < text.len(), integer, fraction, exponent })
    }

    fn number(&self) -> Option<Number> {
        if self.digits().all(|digit| digit == b'0') {
            return Some(Number::from(0));
        }
        // An exponent that does not fit an i32 gives a value beyond the limits.
        let exponent: i64 = self.exponent.map_or(Ok(0), str::parse::<i32>).ok()?.into();
        if self.integer_digits() + exponent > length(INTEGER_DIGITS_MAX)
            || self.decimals() - exponent > length(DECIMALS_MAX)
        {
            return None;
        }
        Some(Number { mantissa: self.mantissa(), scale: length(self.fraction.len()) - exponent })
    }

    /// All digits, without the point.
    fn digits(&self) -> impl Iterator<Item = u8> + 'a {
        self.integer.bytes().chain(self.fraction.bytes())
    }

    fn mantissa(&self) -> Mantissa {
        let small = self.digits().try_fold(0_i64, |sum, digit| {
            sum.checked_mul(10)?.checked_add(i64::from(digit - b'0'))
        });
        if let Some(small) = small {
            return Mantissa::Small(if self.negative { -small } else { small });
        }
        let digits: Vec<u8> = self.digits().collect();
        let large = BigInt::parse_bytes(&digits, 10).expect("a spelling holds digits only");
        Mantissa::Large(if self.negative { -large } else { large })
    }

    /// Digits before the point without leading zeros; negative where zeros follow the point.
    fn integer_digits(&self) -> i64 {
        match self.integer.trim_start_matches('0') {
            "" => length(self.fraction.trim_start_matches('0').len()) - length(self.fraction.len()),
            digits => length(digits.len()),
        }
    }

    /// Digits after the point without trailing zeros; negative where zeros precede the point.
    fn decimals(&self) -> i64 {
        match self.fraction.trim_end_matches('0') {
            "" => length(self.integer.trim_end_matches('0').len()) - length(self.integer.len()),
            digits => length(digits.len()),
        }
    }
}

fn length(count: usize) -> i64 {
    i64::try_from(count).expect("bounded by TEXT_BYTES_MAX")
}

/// The digits that `text` begins with, at least one, and the text after them.
fn split_digits(text: &str) -> Option<(&str, &str)> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    (count > 0).then(|| text.split_at(count))
}
