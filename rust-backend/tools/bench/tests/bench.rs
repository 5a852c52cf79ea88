//! The bench, as small as it gets: that each scenario works, that its answer has its shape, and
//! that nothing was lost or doubled. No time is asserted: this is a debug build on a busy machine.

use serde_json::Value;
use testbed::{Bed, Process};

/// Three times the goal: binaries without optimisation, on cores that other tests use.
const TAKEOVER_MS_MAX: f64 = 6_000.0;

#[tokio::test(flavor = "multi_thread")]
async fn the_bench_measures_events_on_their_way_and_loses_none() {
    let report = bench(&["sustained", "latency", "writers"]).await;
    let expected = [
        ("sustained", "row", "events_per_second"),
        ("sustained", "row", "cpu_us_postgres"),
        ("sustained", "yardstick", "cpu_us_per_event"),
        ("sustained", "yardstick, by agent", "cpu_us_per_event"),
        // In a second a yardstick may finish nothing; it never costs nothing.
        ("sustained", "row", "cpu_times_less_than_yardstick"),
        ("sustained", "row", "cpu_times_less_than_kindest_reading"),
        ("writers", "none", "inserts_per_second"),
        ("writers", "row", "times_slower_than_none"),
    ];
    assert_measured(&report, &expected);
    // On a busy machine a rate may be missed, and then the bench says so instead.
    let is_void = report["notes"].to_string().contains("latency 200/s row, round 1 of 1 is void");
    assert!(is_void || figure(&report, ("latency", "200/s row", "p99_ms")).is_some(), "{report}");
    assert_balanced(&report, &["sustained row", "latency 200/s row", "latency 200/s yardstick"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bench_measures_stored_events_and_loses_none() {
    let on_hypertable = std::env::var("AGENTAURI_TEST_POSTGRES").as_deref() == Ok("timescaledb");
    let mut scenarios = vec!["drain", "matching", "delivery", "memory"];
    if on_hypertable {
        scenarios.extend(["hypertable", "--database", "timescaledb"]);
    }
    let report = bench(&scenarios).await;
    let mut expected = vec![
        ("drain", "row", "events_per_second"),
        ("matching", "200 triggers", "match_ns_per_event"),
        ("matching", "200 triggers", "ready_seconds"),
        ("delivery", "row", "webhooks_per_second"),
    ];
    let mut balanced = vec!["drain row", "delivery row", "memory 1000/s row"];
    if on_hypertable {
        expected.push(("hypertable", "drain row", "events_per_second"));
        balanced.extend(["hypertable 200/s row", "hypertable drain row"]);
    }
    assert_measured(&report, &expected);
    assert_balanced(&report, &balanced);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bench_measures_a_chains_history_and_its_head() {
    let report = bench(&["backfill", "chain"]).await;
    let expected = [
        ("backfill", "row", "events_per_second"),
        ("backfill", "row", "resident_mb_max"),
        ("chain", "websocket", "p99_ms"),
        ("chain", "polling, 100 ms", "p50_ms"),
        ("chain", "Ponder, websocket", "p99_ms"),
        ("chain", "Ponder, polling, 100 ms", "p50_ms"),
        ("backfill", "anvil, chain-indexer", "events_per_second"),
        ("backfill", "anvil, Ponder", "events_per_second"),
    ];
    assert_measured(&report, &expected);
    let balanced = ["row", "anvil, chain-indexer", "anvil, Ponder"];
    assert_balanced(&report, &balanced.map(|case| format!("backfill {case}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_ponder_the_bench_says_so_and_measures_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("a path");
    let bed = Bed::start().await;
    let refused = Process::command("agentauri", &bed)
        .args(["bench", "chain", "--allow-debug", "--ponder", path])
        .output()
        .await
        .expect("it runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("it has no ponder.config.ts"), "{said}");

    std::fs::write(folder.path().join("ponder.config.ts"), "").expect("written");
    let report = bench(&["chain", "--ponder", path]).await;
    assert_measured(&report, &[("chain", "websocket", "p50_ms")]);
    assert!(figure(&report, ("chain", "Ponder, websocket", "p50_ms")).is_none(), "{report}");
    let note = format!("chain: Ponder was not measured: run `npm ci` in {path}");
    assert_eq!(report["notes"], serde_json::json!([note]));
}

/// That no shard is judged by two, and that the jobs are those of one, is checked by the scenario.
#[tokio::test(flavor = "multi_thread")]
async fn four_processors_decide_as_one_and_take_over_from_a_dead_one() {
    let report = bench(&["scale"]).await;
    let expected = [
        ("scale", "drain, 1 process row", "events_per_second"),
        ("scale", "2 processes row", "events_per_second"),
        ("scale", "4 processes row", "busiest_judged_percent"),
    ];
    assert_measured(&report, &expected);
    for name in ["takeover_after_kill_ms", "takeover_after_stop_ms"] {
        let takeover = figure(&report, ("scale", "4 processes row", name)).expect(name);
        assert!(takeover["median"].as_f64() < Some(TAKEOVER_MS_MAX), "{takeover}");
    }
    let balanced = ["drain, 4 processes row", "2 processes row", "takeover, 4 processes row"];
    assert_balanced(&report, &balanced.map(|case| format!("scale {case}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debug_build_gives_no_figures_unless_told_to() {
    let bed = Bed::start().await;
    let output = Process::command("agentauri", &bed).arg("bench").output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("debug build"), "{said}");
}

/// The report of a run that is as short as it gets.
async fn bench(scenarios: &[&str]) -> Value {
    let bed = Bed::start().await;
    let short = "--allow-debug --quick --rounds 1 --seconds 1 --triggers 200 --rate 200 \
                 --events 2000 --rows 4000 --modes row";
    let mut command = Process::command("agentauri", &bed);
    command.args(["--json", "bench"]).args(scenarios).args(short.split_ascii_whitespace());
    let output = command.output().await.expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn figure<'a>(report: &'a Value, (scenario, case, name): (&str, &str, &str)) -> Option<&'a Value> {
    report["figures"].as_array().expect("a list").iter().find(|figure| {
        figure["scenario"] == scenario && figure["case"] == case && figure["name"] == name
    })
}

fn assert_measured(report: &Value, expected: &[(&str, &str, &str)]) {
    assert_eq!(report["build"], "debug");
    assert_eq!(
        (&report["failures"], &report["interrupted"]),
        (&Value::Array(vec![]), &false.into())
    );
    for wanted in expected {
        let figure = figure(report, *wanted).unwrap_or_else(|| panic!("{wanted:?}: {report}"));
        assert_eq!(figure["rounds"].as_array().map(Vec::len), Some(1), "{figure}");
        assert!(figure["median"].as_f64().is_some_and(|median| median > 0.0), "{figure}");
    }
}

/// Each of these cases has kept books; those of ours balance, and have something in them.
fn assert_balanced(report: &Value, cases: &[impl AsRef<str>]) {
    let books = report["books"].as_array().expect("a list");
    for case in cases.iter().map(AsRef::as_ref) {
        let of_it = |it: &&Value| {
            let (scenario, case_of) = (it["scenario"].as_str(), it["case"].as_str());
            let name = format!("{} {}", scenario.unwrap_or("?"), case_of.unwrap_or("?"));
            name == format!("{case}, round 1")
        };
        let book = books.iter().find(of_it).unwrap_or_else(|| panic!("{case}: {report}"));
        assert!(book["expected"].as_u64() > Some(0), "{book}");
        assert!(book["ours"] == false || (book["lost"] == 0 && book["doubled"] == 0), "{book}");
    }
}
