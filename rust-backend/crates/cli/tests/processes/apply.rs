//! `agentauri triggers apply`: what it shows, asks and refuses.

use std::path::Path;

use serde_json::{Value, json};
use testbed::{Bed, Process, trigger_file};

const HOOK: &str = "https://example.org/hook";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_that_nobody_agreed_to() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder, &trigger_file(HOOK, &[("a", "registry: identity"), ("b", "match_all: true")]));
    let (code, said, plan) = apply(&bed, folder, &["t.yaml"]).await;
    assert_eq!((code, said.as_str()), (0, "a: created\nb: created\nIn force: revision 1\n"));
    assert!(plan.ends_with("Plan:\n  a: create\n  b: create\n"), "{plan}");

    write(folder, "version: 1\ntriggers: []\n");
    let (code, _, refusal) = apply(&bed, folder, &["--prune", "t.yaml"]).await;
    assert_eq!(code, 2, "{refusal}");
    let sentence = "error: --prune: would remove 2 triggers (a, b) and cancel 0 pending jobs of \
                    theirs, and nobody can be asked; add --yes, or look with --dry-run\n";
    assert!(refusal.ends_with(sentence), "{refusal}");
    let (code, said, _) = apply(&bed, folder, &["--prune", "--dry-run", "t.yaml"]).await;
    let plan = "Plan:\n  a: remove, and cancel 0 pending jobs\n  b: remove, and cancel 0 pending \
                jobs\n";
    assert_eq!((code, said.as_str()), (0, plan));
    let (code, said, _) = apply(&bed, folder, &["t.yaml"]).await;
    assert_eq!((code, said.as_str()), (0, "In force: revision 1\n"), "the others stay");
    let kept = "SELECT count(*) FROM triggers WHERE state = 'active'";
    assert_eq!(bed.count(kept).await, 2);

    let (code, said, _) = apply(&bed, folder, &["--prune", "--yes", "--json", "t.yaml"]).await;
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let gone = |name: &str| json!({"name": name, "jobs_cancelled": 0});
    assert_eq!((code, &said["removed"]), (0, &json!([gone("a"), gone("b")])));
    assert_eq!(bed.count(kept).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder, &trigger_file(HOOK, &[("a", "registry: nobody-knows")]));
    let (code, said, warned) = apply(&bed, folder, &["--dry-run", "t.yaml"]).await;
    assert_eq!((code, said.as_str()), (0, "Plan:\n  a: create\n"));
    let warning = "warning: t.yaml:4:15: registry: \"nobody-knows\" is none of `identity`, ";
    assert!(warned.contains(warning), "{warned}");
    let (_, said, _) = apply(&bed, folder, &["--dry-run", "--json", "t.yaml"]).await;
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(
        (&said["triggers"]["a"], &said["warnings"][0]["key"]),
        (&json!("created"), &json!("registry"))
    );
    assert_eq!(bed.count("SELECT count(*) FROM triggers").await, 0);
    assert_eq!(bed.count("SELECT revision FROM trigger_set").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_would_refuse_apply_refuses() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let document = trigger_file(HOOK, &[("a", "registry: identity")]);
    for (url, expected) in [
        ("http://a..b/", "url: \"a..b\" is no name of a host"),
        ("http://example.org:0/", "url: the URL has port 0, on which nothing can listen"),
        ("http://${HOST}/", "url: \"${host}\" stands in the URL, where no variable is replaced"),
    ] {
        write(folder, &document.replace(HOOK, url));
        let (code, _, said) = apply(&bed, folder, &["t.yaml"]).await;
        assert_eq!(code, 2, "{url}: {said}");
        assert!(said.contains("t.yaml:6:") && said.contains(expected), "{url}: {said}");
    }
    std::fs::write(folder.join("t.yaml"), b"version: 1\ntriggers: \xff\n").expect("written");
    let (code, _, said) = apply(&bed, folder, &["t.yaml"]).await;
    let sentence = "error: t.yaml:2:11: this byte is no UTF-8; save the document as UTF-8\n";
    assert_eq!((code, said.as_str()), (2, sentence));
    assert_eq!(bed.count("SELECT count(*) FROM triggers").await, 0);
}

fn write(folder: &Path, document: &str) {
    std::fs::write(folder.join("t.yaml"), document).expect("written");
}

/// The exit code, the answer, and what stands beside it.
async fn apply(bed: &Bed, folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Process::command("agentauri", bed);
    command.args(["triggers", "apply"]).args(arguments).current_dir(folder).kill_on_drop(true);
    let output = command.output().await.expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("an exit code");
    (code, text(output.stdout), text(output.stderr))
}
