//! The connection that listens.

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};

use crate::Result;
use crate::connection::settings;
use crate::connection::usable::refuse_read_only;

/// Opens a connection that listens to nothing yet, where `pool` leads to. It has a pool of its own:
/// a silently dead one occupies its place in the pool for as long as TCP believes in it.
///
/// # Errors
/// As for [`check`].
pub async fn connect(pool: &PgPool) -> Result<PgListener> {
    let options = pool.connect_options().as_ref().clone();
    let own = PgPoolOptions::new()
        .max_connections(1)
        .after_connect(|connection, _| Box::pin(settings::apply(connection)))
        .connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&own).await?;
    check(&mut listener).await?;
    Ok(listener)
}

/// Fails if the connection cannot do our work: on a standby, the notifications of another server
/// are not heard.
///
/// # Errors
/// [`StoreError::ReadOnly`](crate::StoreError::ReadOnly), or PostgreSQL does not answer.
pub async fn check(listener: &mut PgListener) -> Result<()> {
    refuse_read_only(listener).await
}
