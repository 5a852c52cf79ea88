//! The demo, as the README's first command runs it.

use std::path::Path;

use serde_json::Value;
use testbed::{Bed, Process};

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_delivers_every_log_of_the_node_once_and_verified() {
    let bed = Bed::start().await;
    let mut command = Process::command("agentauri", &bed);
    let devnet = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../devnet");
    let output = command
        .args(["--json", "demo", "--once", "--events", "310", "--rate", "100", "--devnet"])
        .arg(devnet)
        .output()
        .await
        .expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(summary["logs"].as_u64() >= Some(310), "{summary}");
    assert_eq!(summary["logs"], summary["delivered"], "{summary}");
    for nothing in ["missing", "doubled", "unknown", "refused"] {
        assert_eq!(summary[nothing], 0, "{summary}");
    }
    for registry in ["identity", "reputation", "validation"] {
        assert!(summary["by_registry"][registry].as_u64() >= Some(1), "{summary}");
    }
}
