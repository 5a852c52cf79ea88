//! Errors of the queue, and the caller's remedy for each.

/// An error of the queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Redis's client cannot parse the URL. Refuse it at the start.
    #[error("{0}")]
    Url(String),
    /// Redis refused the login. Refuse to start.
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
