//! Errors of the queue, and the caller's remedy for each.

use redis::RedisError;

/// An error of the queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Redis's client cannot parse the URL. Refuse it at the start.
    #[error("{0}")]
    Url(String),
    /// Redis refused the login. Refuse to start.
    #[error("Redis refused the login: {0}")]
    Login(RedisError),
    /// Redis answers and does not serve. Go on without it, on another connection, which may lead
    /// to a server that serves; an operator looks at its cause.
    #[error("Redis answers and does not serve: {says}; {}", .refusal.remedy())]
    Refused {
        /// The cause.
        refusal: RedisRefusal,
        /// Redis's words.
        says: String,
    },
    /// Redis cannot be reached or does not answer. Go on without it; the sweep catches up.
    #[error("Redis: {0}")]
    Unavailable(RedisError),
}

/// The reason why a Redis that answers does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisRefusal {
    /// The user may not use a command or a key.
    Rights,
    /// Its memory is used up, and nothing may be evicted.
    Memory,
    /// It is a replica.
    Replica,
    /// It reads its data.
    Loading,
    /// It cannot save its data.
    Disk,
    /// Fewer replicas follow it than it wants for a write.
    Replicas,
    /// It is a node of a cluster, or its cluster is down.
    Cluster,
    /// A script of another client keeps it busy.
    Busy,
}

impl RedisRefusal {
    pub(crate) fn of(error: &RedisError) -> Option<Self> {
        Some(match error.code()? {
            "NOPERM" => Self::Rights,
            "OOM" => Self::Memory,
            "READONLY" | "MASTERDOWN" => Self::Replica,
            "LOADING" => Self::Loading,
            "MISCONF" => Self::Disk,
            "NOREPLICAS" => Self::Replicas,
            "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" => Self::Cluster,
            "BUSY" => Self::Busy,
            _ => return None,
        })
    }

    /// Its remedy, a sentence.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Rights => {
                "grant it: ACL SETUSER user ~agentauri:* +@connection +@stream +time +del"
            }
            Self::Memory => {
                "raise its maxmemory, or free some: a queue of 100,000 ids takes about 10 MB"
            }
            Self::Replica => {
                "let REDIS_URL lead to the master, or promote the replica by REPLICAOF NO ONE"
            }
            Self::Loading => "wait until it has read its data; an empty Redis serves as well",
            Self::Disk => {
                "let it save, see its log, or CONFIG SET stop-writes-on-bgsave-error no: it holds \
                 nothing that PostgreSQL does not have"
            }
            Self::Replicas => "start its replicas, or CONFIG SET min-replicas-to-write 0",
            Self::Cluster => "let REDIS_URL lead to a Redis that is no cluster",
            Self::Busy => "let the script end, or SCRIPT KILL",
        }
    }
}

/// A result of the queue.
pub type Result<T, E = QueueError> = std::result::Result<T, E>;

impl From<RedisError> for QueueError {
    fn from(error: RedisError) -> Self {
        if let Some(refusal) = RedisRefusal::of(&error) {
            let (code, detail) = (error.code().unwrap_or_default(), error.detail());
            let says = format!("{code} {}", detail.unwrap_or_default());
            return Self::Refused { refusal, says };
        }
        let refused = error.kind() == redis::ErrorKind::AuthenticationFailed
            || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"));
        if refused { Self::Login(error) } else { Self::Unavailable(error) }
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    /// Redis's answer on its wire, as its client reads it.
    fn said(answer: &str) -> QueueError {
        let read = redis::parse_redis_value(format!("-{answer}\r\n").as_bytes());
        read.and_then(Value::extract_error).expect_err("a refusal").into()
    }

    #[test]
    fn each_refusal_has_its_own_remedy() {
        let table = [
            ("NOPERM this user has no permissions to run the 'time' command", "ACL SETUSER"),
            ("OOM command not allowed when used memory > 'maxmemory'.", "maxmemory"),
            ("READONLY You can't write against a read only replica.", "REPLICAOF NO ONE"),
            ("MASTERDOWN Link with MASTER is down", "REPLICAOF NO ONE"),
            ("LOADING Redis is loading the dataset in memory", "wait until"),
            ("MISCONF Redis is configured to save RDB snapshots", "stop-writes-on-bgsave-error"),
            ("NOREPLICAS Not enough good replicas to write.", "min-replicas-to-write"),
            ("CLUSTERDOWN The cluster is down", "no cluster"),
            ("MOVED 3999 127.0.0.1:6381", "no cluster"),
            ("BUSY Redis is busy running a script.", "SCRIPT KILL"),
        ];
        for (answer, remedy) in table {
            let error = said(answer);
            assert!(matches!(error, QueueError::Refused { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(answer) && text.contains(remedy), "{answer}: {text}");
            assert!(text.len() < 400, "{text}");
        }
        assert!(matches!(said("WRONGPASS invalid username-password pair"), QueueError::Login(_)));
        assert!(matches!(said("ERR unknown command"), QueueError::Unavailable(_)));
    }
}
