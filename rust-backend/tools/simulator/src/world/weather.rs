//! How the servers and the ways to them behave at the moment.

/// What goes wrong, and how often.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// The longest that a message takes, where it takes long.
    pub latency_ms_max: u64,
    /// PostgreSQL and the way to it.
    pub database: Trouble,
    /// Redis and the way to it.
    pub redis: Trouble,
    /// The share of attempts that lack something of their machine, a file for instance.
    pub lacking: f64,
    /// The share of notifications that never arrive.
    pub bells_lost: f64,
    /// The share that arrives twice.
    pub bells_doubled: f64,
}

/// What goes wrong with one server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// Nothing gets through.
    pub down: bool,
    /// The share of requests that are refused, with no effect.
    pub refused: f64,
    /// The share of requests that have their effect and no answer.
    pub unanswered: f64,
}

impl Weather {
    /// The weather with nothing wrong, which is how every world ends.
    pub fn fine(latency_ms_max: u64) -> Self {
        Self { latency_ms_max, ..Self::default() }
    }
}
