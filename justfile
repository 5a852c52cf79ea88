# The menu. Each recipe calls the one truth of its step; see CONTRIBUTING.md.

# So that "$@" keeps quoted arguments whole.
set positional-arguments

# Of compose.yaml
owner_url := "postgres://agentauri_owner:agentauri@localhost:5432/agentauri_backend"
database_url := env("DATABASE_URL", owner_url)

# What there is
default:
    @just --list

# All of it at work on a private chain (--once ends by itself)
demo *ARGS:
    ./scripts/demo.sh "$@"

# Every test there is (--list, --only STEP…)
test *ARGS:
    ./scripts/run-tests.sh "$@"

# A chain's reorgs for many minutes, with kills (a test of crates/cli/tests/processes: reorgs or ponder)
soak TEST="chain::reorgs::a_reorg_is_retracted_at_its_receiver_with_both_blocks" ROUNDS="150":
    ./scripts/soak.sh "$@"

# What takes too long for every commit: soaks, worlds, faults, bench (--list, --only CHECK…)
release-checks *ARGS:
    ./scripts/release-checks.sh "$@"

# Every fault, done to running processes (--list, --only FAULT…)
faults *ARGS:
    cd rust-backend && cargo run --release --bin fault-harness -- "$@"

# What a fresh machine lacks
setup *PARTS:
    ./scripts/setup.sh "$@"

# Formatting, lints and house rules
lint:
    ./scripts/run-tests.sh --only shellcheck rust-fmt rust-lint tidy

# Formats Rust and TypeScript
fmt:
    cd rust-backend && cargo fmt --all
    cd devnet && npm run format
    cd ponder-indexers && npm run format

# The offline answers for the queries in Rust (rust-backend/.sqlx)
prepare:
    cd rust-backend && cargo run -p xtask -- prepare

# PostgreSQL and Redis in containers
up:
    docker compose up --detach --wait

# Stops them; their data stays
down:
    docker compose down

# Brings the schema of DATABASE_URL up to date
migrate:
    @just agentauri migrate

# The operator's hand, on DATABASE_URL
agentauri *ARGS:
    cargo build --quiet --manifest-path rust-backend/Cargo.toml --bin agentauri
    DATABASE_URL='{{ database_url }}' rust-backend/target/debug/agentauri "$@"

# How fast it is on this machine, on servers of its own (--quick, --help)
bench *ARGS:
    cd rust-backend && cargo build --quiet --release --bins && target/release/agentauri bench "$@"

# A shell in DATABASE_URL
psql *ARGS:
    psql '{{ database_url }}' "$@"
