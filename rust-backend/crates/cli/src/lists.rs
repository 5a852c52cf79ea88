//! An option that the lists share.

/// How many rows a list may have.
pub(crate) fn rows() -> clap::builder::RangedI64ValueParser<i64> {
    clap::value_parser!(i64).range(1..=10_000)
}
