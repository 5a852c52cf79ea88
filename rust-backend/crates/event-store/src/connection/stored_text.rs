//! Values of the engine that are stored as their text.

use std::error::Error;
use std::str::FromStr;

use event_engine::delivery::job_state::JobState;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};

/// A value read from a column of type `text`, whose `Display` form is the stored text.
#[derive(Debug)]
pub(crate) struct StoredText<T>(pub(crate) T);

impl<T> Type<Postgres> for StoredText<T> {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }

    fn compatible(found: &PgTypeInfo) -> bool {
        <str as Type<Postgres>>::compatible(found)
    }
}

impl<T: FromStr<Err: Error + Send + Sync + 'static>> Decode<'_, Postgres> for StoredText<T> {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(<&str as Decode<'_, Postgres>>::decode(value)?.parse()?))
    }
}

impl From<StoredText<Self>> for JobState {
    fn from(StoredText(state): StoredText<Self>) -> Self {
        state
    }
}
