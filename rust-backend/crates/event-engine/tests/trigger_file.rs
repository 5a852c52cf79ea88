//! The format of triggers: what is accepted, and how the rest is refused.

use std::collections::BTreeMap;

use event_engine::trigger::action::{ActionConfig, SecretSource};
use event_engine::trigger::{Definition, Selectors, Since, TriggerSpec};
use event_engine::trigger_file::{Context, TriggerFileError};

const EVERYTHING: &str = r#"
version: 1
triggers:
  - name: low-score
    chains: [11155111, base]
    registry: reputation
    events: [NewFeedback]
    agents: ["42"]
    when: 'score < 60 && tag1 == "uptime"'
    since: 2026-11-01T00:00:00Z
    finality: instant
    actions:
      - id: hook
        type: webhook
        url: "https://example.org/hook"
        secret: {env: AGENTAURI_SECRET_HOOK}
"#;

fn parse(document: &str) -> Result<Vec<TriggerSpec>, TriggerFileError> {
    let chains = BTreeMap::from([("base".to_owned(), 8453)]);
    let context = Context { chains: &chains, ..Context::default() };
    event_engine::trigger_file::parse(document, &context)
}

#[test]
fn the_documented_example_is_read() {
    let triggers = parse(EVERYTHING).expect("it is accepted");
    let [trigger] = triggers.as_slice() else { panic!("one trigger") };
    let selectors = Selectors {
        chains: vec![11_155_111, 8453],
        registry: Some("reputation".to_owned()),
        events: vec!["NewFeedback".to_owned()],
        agents: vec!["42".to_owned()],
    };
    assert_eq!(trigger.definition.selectors, selectors);
    assert_eq!(trigger.since, Since::Time(1_793_491_200));
    assert_eq!(trigger.actions[0].id, "hook");
    let secret = SecretSource::Variable { env: "AGENTAURI_SECRET_HOOK".to_owned() };
    let url = "https://example.org/hook".to_owned();
    assert_eq!(trigger.actions[0].config, ActionConfig::Webhook { url, secret });
}

#[test]
fn json_is_the_same_format() {
    let json = r#"{"version": 1, "triggers": [{
        "name": "all", "match_all": true, "since": "genesis",
        "actions": [{"type": "webhook", "url": "https://a.example", "secret": {"file": "s"}}]
    }]}"#;
    let triggers = parse(json).expect("it is accepted");
    assert_eq!(triggers[0].since, Since::Time(0));
}

#[test]
fn state_is_told_apart_by_a_group_and_a_cooldown_is_in_seconds() {
    let action = "actions: [{type: webhook, url: 'https://a.example', secret: {file: s}}]";
    let definition = |lines: &str| {
        let document = trigger(&format!("{lines}\n    {action}"));
        parse(&document).expect("accepted").remove(0).definition
    };
    let counted = definition("when: count(10m) >= 5\n    group_by: ' args.tag1 '");
    assert_eq!(counted.when.as_deref(), Some("count(10m) >= 5"));
    assert_eq!(counted.group_by.as_deref(), Some("tag1"));
    assert_eq!(counted.cooldown_s, None);

    let cooled = definition("registry: x\n    group_by: args.id\n    cooldown: 24h");
    assert_eq!(cooled.group_by.as_deref(), Some("args.id"));
    assert_eq!(cooled.cooldown_s, Some(86_400));

    let both = definition("match_all: true\n    cooldown: 90s\n    when: ema(x, 3) < ema(x, 9)");
    assert_eq!((both.group_by, both.cooldown_s), (None, Some(90)));
}

#[test]
fn a_definition_is_stored_with_what_it_says_and_nothing_else() {
    let cooled = Definition {
        group_by: Some("agent_id".to_owned()),
        cooldown_s: Some(600),
        match_all: true,
        ..Definition::default()
    };
    let stored = r#"{"group_by":"agent_id","cooldown_s":600,"match_all":true}"#;
    assert_eq!(serde_json::to_string(&cooled).expect("it is JSON"), stored);
    assert_eq!(serde_json::from_str::<Definition>(stored).expect("it reads"), cooled);
    let plain = Definition { match_all: true, ..Definition::default() };
    assert_eq!(serde_json::to_string(&plain).expect("it is JSON"), r#"{"match_all":true}"#);
}

#[test]
fn every_example_of_the_documentation_is_accepted() {
    let documentation = include_str!("../../../../docs/triggers.md");
    let blocks = documentation.split("```yaml\n").skip(1);
    let examples: Vec<&str> = blocks.filter_map(|block| block.split("```").next()).collect();
    assert!(examples.len() >= 2, "the format, and state");
    for example in examples {
        if let Err(error) = parse(example) {
            panic!("{error}\n{example}");
        }
    }
}

#[test]
fn an_action_without_an_id_is_named_by_its_type_and_destination() {
    let id = |url: &str| {
        let text = trigger(&format!(
            "match_all: true\n    actions: [{{type: webhook, url: '{url}', secret: {{file: s}}}}]"
        ));
        parse(&text).expect("accepted")[0].actions[0].id.clone()
    };
    assert_eq!(id("https://a.example"), id("https://a.example"));
    assert_ne!(id("https://a.example"), id("https://b.example"));
    assert!(id("https://a.example").starts_with("webhook-"));
}

#[test]
fn what_is_wrong_is_refused_with_its_place_and_its_key() {
    let action = "actions: [{type: webhook, url: 'https://a.example', secret: {file: s}}]";
    let with = |line: &str| trigger(&format!("{line}\n    {action}"));
    let table = [
        (with("registry: x").replace("version: 1", "version: 2"), "1:10: version: 2 is unknown"),
        (with("chains: [nowhere]"), "4:14: chains: no chain named \"nowhere\" is configured"),
        (with("chains: [-1]"), "4:14: chains: -1 is not a chain id"),
        (with("chains: []"), "4:13: chains: an empty list"),
        (with("agents: ['042']"), "4:14: agents: \"042\" is not a decimal number"),
        (with("when: 'score <'"), "4:11: when: column"),
        (with("registry: x\n    since: yesterday"), "5:12: since: \"yesterday\" is neither"),
        (
            with("registry: x\n    cooldown: 10min"),
            "5:15: cooldown: column 3: unknown unit \"min\": write 10m",
        ),
        (with("registry: x\n    cooldown: 600"), "5:15: cooldown: column 4: expected a unit"),
        (with("registry: x\n    cooldown: 0s"), "5:15: cooldown: column 1: 0s is less than 1s"),
        (with("registry: x\n    cooldown: 31d"), "cooldown: column 1: 31d is more than 30d"),
        (with("registry: x\n    cooldown: 1h 5m"), "cooldown: column 3: nothing may stand after"),
        (with("registry: x\n    cooldown: ''"), "cooldown: column 1: expected a whole number"),
        (with("cooldown: 10m"), "would match every event of every chain"),
        (with("registry: x\n    group_by: agent_id"), "5:15: group_by: would do nothing"),
        (with("when: score < 60\n    group_by: agent_id"), "5:15: group_by: would do nothing"),
        (
            with("when: count(1m) > 5\n    group_by: score <"),
            "5:15: group_by: column 7: expected nothing after `score`, found \"<\"",
        ),
        (
            with("when: 'count(10) > 5'"),
            "4:11: when: column 9: expected a unit directly after 10: s, m, h or d",
        ),
        (with("registry: x\n    finality: 0"), "5:15: finality: \"0\" is unknown"),
        (with("registry: x\n    finality: soon"), "5:15: finality: \"soon\" is unknown"),
        (with("registri: x"), "unknown field `registri`"),
        (with("events: NewFeedback"), "4:13:"),
        (with("# nothing"), "would match every event of every chain"),
        (trigger("registry: x\n    actions: []"), "5:14: actions: must be 1 to 16"),
        (
            trigger("registry: x\n    actions: [{type: email, url: a, secret: {file: s}}]"),
            "5:22: type: `email` is not built yet",
        ),
        (trigger("registry: x\n    actions: [{type: fax}]"), "5:22: type: \"fax\" is unknown"),
        (trigger("registry: x\n    actions: [{type: webhook, url: a}]"), "secret: is missing"),
        (
            trigger("registry: x\n    actions: [{type: webhook, url: a, secret: {env: HOME}}]"),
            "env does not begin with AGENTAURI_SECRET_",
        ),
        (
            trigger("registry: x\n    actions: [{type: webhook, url: a, secret: {file: ../x}}]"),
            "file is not a plain file name",
        ),
        (
            trigger("registry: x\n    actions: [{type: webhook, url: a, secret: hunter2}]"),
            "secret: does not begin with `whsec_`",
        ),
    ];
    let mut wrong = Vec::new();
    for (document, expected) in table {
        let error = parse(&document).expect_err(expected).to_string();
        if !error.contains(expected) {
            wrong.push(format!("{document}\nsaid:     {error}\nexpected: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn two_triggers_of_one_name_are_refused() {
    let one = trigger("match_all: true\n    actions: [{type: webhook, url: a, secret: {file: s}}]");
    let both = format!("{one}{}", one.lines().skip(2).collect::<Vec<_>>().join("\n"));
    let error = parse(&both).expect_err("refused").to_string();
    assert!(error.contains("\"t\" stands here twice"), "{error}");
}

#[test]
fn nonsense_is_refused_and_never_a_panic() {
    for document in [
        "",
        "\u{0}",
        "version",
        "[]",
        "version: 1",
        "{",
        "version: 1\ntriggers: 7",
        "&a *a",
        "- - -",
    ] {
        parse(document).expect_err(document);
    }
}

#[test]
fn a_condition_without_quotes_is_refused_with_its_place() {
    let action = "actions: [{type: webhook, url: 'https://a.example', secret: {file: s}}]";
    let table = [
        ("when: !approved", "4:11: when: a tag begins", "quote all of it: when: '!approved'"),
        (
            "when: !approved && score < 60",
            "4:11: when: a tag begins",
            "quote all of it: when: '!approved && score < 60'",
        ),
        ("when: ! approved", "4:11: when: a tag", "when: '! approved'"),
        ("when: !!str approved", "4:11: when: a tag", "when: '!!str approved'"),
        ("when: !tag1 == 'x'", "4:11: when: a tag", "when: '!tag1 == ''x'''"),
        ("when: &a score < 60", "4:11: when: an anchor", "when: '&a score < 60'"),
        ("when: *a", "4:11: when: an alias", "when: '*a'"),
        ("when: !approved\n    registry: x", "4:11: when: a tag", "when: '!approved'"),
        ("agents: [!a '42']", "4:14: agents: a tag begins", "quote all of it, or"),
        ("agents: !a ['42']", "4:13: agents: a tag begins", "quote all of it, or"),
        ("agents: [&a '42', *a]", "4:14: agents: an anchor", "quote all of it, or"),
        ("match_all: !a true", "4:16: match_all: a tag", "quote all of it, or"),
        ("!a when: score < 60", "4:5: triggers: a tag", "quote all of it, or"),
        ("&a when: score < 60", "4:5: triggers: an anchor", "quote all of it, or"),
    ];
    for (lines, place, remedy) in table {
        let document = trigger(&format!("{lines}\n    {action}"));
        let error = parse(&document).expect_err(lines).to_string();
        assert!(error.starts_with(place) && error.contains(remedy), "{lines}: {error}");
    }
}

#[test]
fn null_where_a_value_belongs_is_refused_in_every_key() {
    let action = "actions: [{type: webhook, url: 'https://a.example', secret: {file: s}}]";
    let keys = ["chains", "registry", "events", "agents", "when", "since", "finality", "group_by"];
    for key in keys.into_iter().chain(["cooldown", "match_all"]) {
        for null in ["", " ~", " null", " Null", " NULL", " # all"] {
            let lines = format!("{key}:{null}\n    {action}");
            let error = parse(&trigger(&lines)).expect_err(&lines).to_string();
            let told = error.starts_with("4:") || error.starts_with("5:");
            let told = told && error.contains(&format!("{key}: nothing stands here"));
            assert!(told, "{lines}: {error}");
        }
    }
    for lines in [
        "agents: [~]",
        "events:\n      -\n      - X",
        "? ~\n    : x",
        "<<: ~",
        "actions:",
        "actions: [~]",
        "actions: [{type: webhook, url: a, secret: }]",
        "actions: [{type: webhook, url: a, secret: {file: s, env: ~}}]",
        "actions: [{id: ~, type: webhook, url: a, secret: {file: s}}]",
    ] {
        let document = trigger(&format!("registry: x\n    {lines}\n    {action}"));
        let error = parse(&document).expect_err(lines).to_string();
        assert!(error.contains("nothing stands here"), "{lines}: {error}");
    }
    for document in ["", "---", "~", "version: 1\ntriggers:", "version: 1\ntriggers:\n  -\n"] {
        parse(document).expect_err(document);
    }
}

#[test]
fn json_null_is_refused_as_in_yaml() {
    let json = r#"{"version": 1, "triggers": [{"name": "t", "registry": "x", "when": null,
        "actions": [{"type": "webhook", "url": "https://a.example", "secret": {"file": "s"}}]}]}"#;
    let error = parse(json).expect_err("null").to_string();
    assert!(error.starts_with("1:68: when: nothing stands here"), "{error}");
}

#[test]
fn a_second_document_is_refused_where_it_begins() {
    let one = trigger("match_all: true\n    actions: [{type: webhook, url: a, secret: {file: s}}]");
    for more in ["---\nversion: 1\n", "...\n---\nversion: 1\n", "...\n{}\n"] {
        let error = parse(&format!("{one}{more}")).expect_err(more).to_string();
        assert!(error.contains("a second document begins here"), "{more}: {error}");
    }
}

#[test]
fn what_is_quoted_or_shared_as_a_whole_means_what_it_says() {
    let document = trigger(
        "when: '!approved'\n    actions: &hooks\n      \
         - {type: webhook, url: 'https://a.example', secret: {file: s}}\n  \
         - name: u\n    when: |\n      !approved &&\n      score < 60\n    actions: *hooks",
    );
    let triggers = parse(&document).expect("accepted");
    assert_eq!(triggers[0].definition.when.as_deref(), Some("!approved"));
    assert_eq!(triggers[0].actions, triggers[1].actions);
    let both = triggers[1].definition.when.as_deref().map(str::trim_end);
    assert_eq!(both, Some("!approved &&\nscore < 60"));
}

#[test]
fn a_stored_definition_with_an_unknown_key_is_refused() {
    let stored = r#"{"registry":"x","wallets":["0x1"]}"#;
    let error = serde_json::from_str::<Definition>(stored).expect_err("refused").to_string();
    assert!(error.contains("unknown field `wallets`"), "{error}");
}

fn trigger(rest: &str) -> String {
    format!("version: 1\ntriggers:\n  - name: t\n    {rest}\n")
}
