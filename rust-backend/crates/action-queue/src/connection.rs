//! Connections to Redis that reconnect by themselves.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value};

use crate::{QueueError, RedisRefusal, Result};

/// Time for Redis to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest pause between two attempts to reconnect.
const RECONNECT_DELAY_MAX: Duration = Duration::from_millis(500);

/// A connection that is made when first used, and again after it broke. Clones share it.
///
/// The manager replaces a connection that reports an error. A dead one is silent, so an answer
/// that times out replaces it, too, and so does a server that answers and does not serve: behind
/// the same address may be another by now.
#[derive(Clone)]
pub(crate) struct RedisConnection {
    client: Client,
    config: ConnectionManagerConfig,
    manager: Arc<Mutex<ConnectionManager>>,
    password: Option<String>,
}

impl RedisConnection {
    /// `answer_timeout` must be longer than the longest command blocks.
    pub(crate) fn lazy(url: &str, answer_timeout: Duration) -> Result<Self> {
        let client = Client::open(url).map_err(|error| QueueError::Url(error.to_string()))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(answer_timeout))
            .set_max_delay(RECONNECT_DELAY_MAX)
            .set_number_of_retries(1);
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?;
        let settings = client.get_connection_info().redis_settings();
        let password = settings.password().map(str::to_owned).filter(|it| !it.is_empty());
        Ok(Self { client, config, manager: Arc::new(Mutex::new(manager)), password })
    }

    fn manager(&self) -> ConnectionManager {
        self.manager.lock().clone()
    }

    /// Passes an answer on. After a timeout or a refusal the next command uses a new connection.
    fn heard<T>(&self, answer: RedisResult<T>) -> RedisResult<T> {
        let is_useless =
            |error: &RedisError| error.is_timeout() || RedisRefusal::of(error).is_some();
        if answer.as_ref().is_err_and(is_useless) {
            let (client, config) = (self.client.clone(), self.config.clone());
            let manager = ConnectionManager::new_lazy_with_config(client, config)?;
            *self.manager.lock() = manager;
        }
        answer.map_err(|error| self.without_password(error))
    }

    /// Hides an error that repeats the password: a server that does not know a command repeats its
    /// arguments, those of AUTH too.
    fn without_password(&self, error: RedisError) -> RedisError {
        let repeats = |password: &String| error.to_string().contains(password.as_str());
        if self.password.as_ref().is_some_and(repeats) {
            return RedisError::from((error.kind(), "its answer has the password in it"));
        }
        error
    }
}

impl ConnectionLike for RedisConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let answer = self.manager().req_packed_command(command).await;
            self.heard(answer.and_then(Value::extract_error))
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let answers = self.manager().req_packed_commands(commands, offset, count).await;
            self.heard(answers.and_then(refused_first))
        })
    }

    fn get_db(&self) -> i64 {
        self.manager().get_db()
    }
}

/// The answers to a pipeline, or the first refusal: all of a thousand together would make one error
/// of 80 kB.
fn refused_first(answers: Vec<Value>) -> RedisResult<Vec<Value>> {
    let is_refusal = |answer: &Value| matches!(answer, Value::ServerError(_));
    match answers.iter().position(is_refusal) {
        Some(first) => answers.into_iter().skip(first).map(Value::extract_error).collect(),
        None => Ok(answers),
    }
}
