//! The chain indexer as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::arguments::refuse_all(
        "chain-indexer",
        "Stores the logs of the ERC-8004 registries as events, from the chains' nodes.",
        "Example:\n  \
         DATABASE_URL=postgres://postgres:postgres@localhost:5432/agentauri_backend \\\n  \
         AGENTAURI_CONFIG=agentauri.toml chain-indexer\n\n\
         agentauri.toml:\n  [[chains]]\n  name = \"sepolia\"\n  id = 11155111\n  \
         rpc_urls = [\"https://rpc.example.org/\"]\n  start_block = 9000000\n  \
         registries = { identity = \"0x8004A818BFB912233c491871b3d84c89A494BD9e\" }",
    );
    service::process::run("indexer", chain_indexer::main())
}
