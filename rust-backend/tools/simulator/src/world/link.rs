//! A process's way to a server: messages take their time, and are lost with those who wait.

use std::time::Duration;

use crate::world::World;
use crate::world::life::Life;
use crate::world::weather::{Trouble, Weather};

/// Why a request did not work.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The server did not take it: nothing happened.
    #[error("the server is away")]
    Away,
    /// Nobody knows whether it happened.
    #[error("the answer was lost")]
    Unanswered,
    /// The server had ended the session, and rolled its transaction back.
    #[error("the session has ended")]
    SessionEnded,
    /// Another has judged the shard.
    #[error("shard {0} was judged by another processor")]
    ShardLost(i64),
}

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The fake of PostgreSQL.
    Database,
    /// The fake of Redis.
    Redis,
}

/// A process's way to a server.
#[derive(Clone)]
pub struct Link {
    /// The world that it is in.
    pub world: World,
    /// The process.
    pub life: Life,
    server: Server,
}

impl Link {
    /// The way of a process to a server.
    pub fn new(world: World, life: Life, server: Server) -> Self {
        Self { world, life, server }
    }

    /// The same process's way to another server.
    #[must_use]
    pub fn to(&self, server: Server) -> Self {
        Self { server, ..self.clone() }
    }

    /// Asks the server to do something. Between the request, its effect and the answer the process
    /// may stall or die, and the weather may be bad.
    pub async fn ask<T>(
        &self,
        effect: impl FnOnce() -> Result<T, Fault> + Send,
    ) -> Result<T, Fault> {
        self.life.pass().await;
        dally(&self.world).await;
        if self.life.is_dead() {
            self.life.pass().await;
        }
        let trouble = self.trouble();
        if trouble.down || self.world.dice.chance(trouble.refused) {
            self.life.pass().await;
            return Err(Fault::Away);
        }
        let answer = effect();
        dally(&self.world).await;
        self.life.pass().await;
        if self.world.dice.chance(trouble.unanswered) {
            return Err(Fault::Unanswered);
        }
        answer
    }

    fn trouble(&self) -> Trouble {
        let Weather { database, redis, .. } = *self.world.weather();
        match self.server {
            Server::Database => database,
            Server::Redis => redis,
        }
    }
}

/// Waits as long as a message takes: mostly next to nothing, sometimes long.
pub async fn dally(world: &World) {
    let longest_ms = world.weather().latency_ms_max;
    match world.dice.between(0, 99) {
        _ if longest_ms == 0 => tokio::task::yield_now().await,
        0..=39 => tokio::task::yield_now().await,
        40..=94 => pause(world, 1, 3.min(longest_ms)).await,
        _ => pause(world, 1, longest_ms).await,
    }
}

/// Waits for a while.
pub async fn pause(world: &World, least_ms: u64, most_ms: u64) {
    let pause_ms = world.dice.between(least_ms, most_ms);
    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
}
