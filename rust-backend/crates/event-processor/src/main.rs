//! The event processor as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::arguments::refuse_all(
        "event-processor",
        "Judges events against triggers and hands the matches to the workers.",
        "Example:\n  \
         DATABASE_URL=postgres://postgres:postgres@localhost:5432/agentauri_backend \\\n  \
         REDIS_URL=redis://localhost:6379 event-processor",
    );
    service::process::run_on_one_thread(event_processor::main())
}
