//! PostgreSQL and Redis as users have them: behind poolers, elsewhere, and not serving.

mod databases;
mod serving;
