//! The action worker as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::arguments::refuse_all(
        "action-worker",
        "Acts on the matches: sends their messages and records what came of each attempt.",
        "Example:\n  \
         DATABASE_URL=postgres://postgres:postgres@localhost:5432/agentauri_backend \\\n  \
         REDIS_URL=redis://localhost:6379 AGENTAURI_SECRET_HOOK=whsec_… action-worker",
    );
    service::process::run("worker", action_worker::main())
}
