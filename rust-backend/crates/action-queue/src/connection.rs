//! Connections that come back by themselves.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use crate::{QueueError, Result};

/// How long Redis may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two attempts to reconnect.
const RECONNECT_DELAY_MAX: Duration = Duration::from_millis(500);

/// A connection that is made when it is first used. `answer_timeout` must be longer than the
/// longest command blocks.
pub(crate) fn lazy(url: &str, answer_timeout: Duration) -> Result<ConnectionManager> {
    let client = redis::Client::open(url).map_err(|error| QueueError::Url(error.to_string()))?;
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(answer_timeout))
        .set_max_delay(RECONNECT_DELAY_MAX)
        .set_number_of_retries(1);
    Ok(ConnectionManager::new_lazy_with_config(client, config)?)
}
