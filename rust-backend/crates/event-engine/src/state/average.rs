//! Exponential moving averages: 18 decimals, rounded half to even at each step.

use bigdecimal::num_bigint::BigInt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::argument::number::Number;

/// Digits behind the point.
const DECIMALS: u8 = 18;

/// An average after some number of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Average {
    /// The average × 10^18.
    scaled: BigInt,
    /// The number of its values.
    seen: u64,
}

impl Average {
    /// The average once `value` follows `before`: alpha = 2 / (`periods` + 1), and the first value
    /// is the start.
    pub(super) fn after(before: Option<&Self>, value: &Number, periods: u32) -> Self {
        let (digits, scale) = value.decimal().into_bigint_and_exponent();
        // Both over one power of ten, so that only the result is rounded.
        let common = scale.max(i64::from(DECIMALS));
        let digits = digits * ten_to(common - scale);
        let unit = ten_to(common - i64::from(DECIMALS));
        match before {
            None => Self { scaled: divided(&digits, &unit), seen: 1 },
            Some(Self { scaled, seen }) => {
                let periods = BigInt::from(periods);
                let sum = digits * 2 + (&periods - 1) * scaled * &unit;
                Self { scaled: divided(&sum, &((periods + 1) * unit)), seen: seen + 1 }
            }
        }
    }

    /// The average itself.
    pub(super) fn value(&self) -> Number {
        Number::scaled(self.scaled.clone(), DECIMALS)
    }

    /// The number of its values.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }
}

/// `sum` / `by`, rounded half to even; `by` is positive.
fn divided(sum: &BigInt, by: &BigInt) -> BigInt {
    let (mut floor, mut rest) = (sum / by, sum % by);
    if rest < BigInt::ZERO {
        floor -= 1;
        rest += by;
    }
    let up = match (rest * 2_u8).cmp(by) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => floor.bit(0),
        std::cmp::Ordering::Greater => true,
    };
    if up { floor + 1 } else { floor }
}

fn ten_to(power: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(power).expect("never below zero, and scales are small"))
}

/// Written as the average × 10^18 and the number of values: `["61250000000000000000", 4]`.
impl Serialize for Average {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.scaled.to_string(), self.seen).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Average {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (scaled, seen) = <(String, u64)>::deserialize(deserializer)?;
        let scaled = scaled.parse().map_err(serde::de::Error::custom)?;
        Ok(Self { scaled, seen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(values: &[&str], periods: u32) -> String {
        let mut average = None;
        for value in values {
            let value = Number::parse_plain(value).expect("a number");
            average = Some(Average::after(average.as_ref(), &value, periods));
        }
        average.expect("one value at least").value().to_string()
    }

    #[test]
    fn it_starts_at_the_first_value_with_alpha_two_over_n_plus_one() {
        assert_eq!(run(&["80"], 3), "80.000000000000000000");
        assert_eq!(run(&["80", "60"], 3), "70.000000000000000000");
        assert_eq!(run(&["80", "60", "100"], 3), "85.000000000000000000");
        assert_eq!(run(&["1", "2"], 1), "2.000000000000000000");
    }

    #[test]
    fn each_step_is_rounded_half_to_even_at_18_decimals() {
        assert_eq!(run(&["0", "1"], 2), "0.666666666666666667");
        assert_eq!(run(&["0.0000000000000000005"], 2), "0.000000000000000000");
        assert_eq!(run(&["0.0000000000000000015"], 2), "0.000000000000000002");
        assert_eq!(run(&["-0.0000000000000000005"], 2), "0.000000000000000000");
        assert_eq!(run(&["-0.0000000000000000015"], 2), "-0.000000000000000002");
        assert_eq!(run(&["-0.00000000000000000051"], 2), "-0.000000000000000001");
    }

    #[test]
    fn numbers_of_the_largest_size_are_exact() {
        let large = "9".repeat(78);
        assert_eq!(run(&[&large, &large], 9_999), format!("{large}.{}", "0".repeat(18)));
    }

    #[test]
    fn an_average_survives_being_stored() {
        let value = Number::parse_plain("-12.5").expect("a number");
        let average = Average::after(None, &value, 3);
        let stored = serde_json::to_string(&average).expect("JSON");
        assert_eq!(stored, r#"["-12500000000000000000",1]"#);
        assert_eq!(serde_json::from_str::<Average>(&stored).expect("read"), average);
    }
}
