//! What can go wrong between us and Redis, and what the caller does about it.

/// An error of the queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The URL is none that Redis understands. Refuse it at the door.
    #[error("{0}")]
    Url(String),
    /// Redis refused the login. Refuse it at the door.
    #[error("Redis refused the login: {0}")]
    Login(redis::RedisError),
    /// Redis cannot be reached or does not answer. Go on without it; the sweep catches up.
    #[error("Redis: {0}")]
    Unavailable(redis::RedisError),
}

/// A result of the queue.
pub type Result<T, E = QueueError> = std::result::Result<T, E>;

impl From<redis::RedisError> for QueueError {
    fn from(error: redis::RedisError) -> Self {
        let refused = error.kind() == redis::ErrorKind::AuthenticationFailed
            || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
        if refused { Self::Login(error) } else { Self::Unavailable(error) }
    }
}
