//! The format of triggers: what is accepted, and how the rest is refused.

use std::collections::BTreeMap;

use event_engine::trigger::config::ConfigNode;
use event_engine::trigger::{Definition, Selectors, Since};
use event_engine::trigger_file::{TriggerFileError, WrittenTrigger};

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

fn parse(document: &str) -> Result<Vec<WrittenTrigger>, TriggerFileError> {
    let chains = BTreeMap::from([("base".to_owned(), 8453)]);
    event_engine::trigger_file::parse(document, &chains).map(|file| file.triggers)
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
    let action = &trigger.actions[0];
    assert_eq!((action.id.as_deref(), action.kind.as_str()), (Some("hook"), "webhook"));
    let secret = ConfigNode::table([("env", ConfigNode::text("AGENTAURI_SECRET_HOOK"))]);
    let url = ConfigNode::text("https://example.org/hook");
    assert_eq!(action.config, ConfigNode::table([("url", url), ("secret", secret)]));
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

    let both =
        definition("match_all: true\n    cooldown: 90s\n    when: ema(value, 3) < ema(value, 9)");
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
fn a_scalar_of_an_action_keeps_its_text() {
    let texts =
        ["0x1f", "010", "no", "yes", "1e3", "1_000", "0o17", "-0", "1.10", ".inf", "+1", "é"];
    let written = texts.iter().enumerate().map(|(number, text)| format!("k{number}: {text}"));
    let written = written.collect::<Vec<_>>().join(", ");
    let actions = format!("actions: [{{type: x, 'é€': \"no\", {written}, deep: [{{a: 007}}]}}]");
    let action = parse(&trigger(&format!("match_all: true\n    {actions}"))).expect("accepted");
    let config = &action[0].actions[0].config;
    for (number, text) in texts.iter().enumerate() {
        let found = config.get(&format!("k{number}")).and_then(ConfigNode::as_text);
        assert_eq!(found, Some(*text));
    }
    let stored = serde_json::to_string(config).expect("JSON");
    assert!(stored.contains(r#""deep":[{"a":"007"}]"#), "{stored}");
    assert_eq!(&serde_json::from_str::<ConfigNode>(&stored).expect("it reads"), config);
}

#[test]
fn a_scalar_behind_an_alias_or_a_merge_keeps_its_text() {
    let document = "version: 1\ntriggers:\n  - name: a\n    match_all: true\n    actions:\n      \
         - &base {type: x, depth: 010}\n      - {<<: *base, id: b, flag: no}\n";
    let triggers = parse(document).expect("accepted");
    let [base, merged] = &triggers[0].actions[..] else { panic!("two actions") };
    for action in [base, merged] {
        assert_eq!(action.config.get("depth").and_then(ConfigNode::as_text), Some("010"));
    }
    assert_eq!(merged.config.get("flag").and_then(ConfigNode::as_text), Some("no"));
    assert_eq!((merged.id.as_deref(), merged.kind.as_str()), (Some("b"), "x"));
}

#[test]
fn each_value_of_an_action_knows_its_place() {
    let document = trigger("match_all: true\n    actions: [{type: x, a: 1, b: [no, {c: 2}]}]");
    let action = parse(&document).expect("accepted").remove(0).actions.remove(0);
    let place = |node: &ConfigNode| (node.at.line, node.at.column);
    assert_eq!((action.at.line, action.at.column), (5, 15));
    assert_eq!((action.kind_at.line, action.kind_at.column), (5, 22));
    assert_eq!(place(action.config.get("a").expect("a")), (5, 28));
    assert_eq!(place(action.config.get("b").expect("b")), (5, 34));
}

#[test]
fn a_document_that_nests_too_deep_is_refused() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let with =
        |value: &str| trigger(&format!("match_all: true\n    actions: [{{type: x, a: {value}}}]"));
    parse(&with(&deep(20))).expect("accepted");
    for levels in [40, 200, 100_000] {
        parse(&with(&deep(levels))).expect_err("refused");
    }
    // Each level says the one below it ten times.
    let mut bomb = "a0: &a0 [x]".to_owned();
    for level in 1..20 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.extend([", a", &level.to_string(), ": &a", &level.to_string(), " [", &below, "]"]);
    }
    let actions = format!("match_all: true\n    actions: [{{type: x, {bomb}}}]");
    parse(&trigger(&actions)).expect_err("refused");
}

#[test]
fn what_is_wrong_is_refused_with_its_place_and_its_key() {
    let action = "actions: [{type: webhook, url: 'https://a.example', secret: {file: s}}]";
    let with = |line: &str| trigger(&format!("{line}\n    {action}"));
    let table = [
        (with("registry: x").replace("version: 1", "version: 2"), "1:10: version: 2 is unknown"),
        (with("chains: [nowhere]"), "4:14: chains: no chain named \"nowhere\" is configured"),
        (with("chains: [-1]"), "4:14: chains: -1 is not a chain id: a whole number in decimal"),
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
        (with("registri: x"), "4:5: registri: is unknown; did you mean `registry`?"),
        (with("events: NewFeedback"), "4:13: events: must be a list: put its values in brackets"),
        (with("# nothing"), "would match every event of every chain"),
        (trigger("registry: x\n    actions: []"), "5:14: actions: must be 1 to 16"),
        (trigger("registry: x\n    actions: [x]"), "5:15: actions: each is a table"),
        (trigger("registry: x\n    actions: [{id: a}]"), "5:15: type: is missing"),
        (trigger("registry: x\n    actions: [{type: [x]}]"), "5:22: type: must be a text"),
        (
            trigger("registry: x\n    actions: [{type: x, id: a b}]"),
            "5:29: id: \"a b\" is not 1 to 128 letters",
        ),
        (
            trigger("registry: x\n    actions: [{type: x, a: 1, a: 2}]"),
            "5:31: a: stands here twice; it stands in line 5, too",
        ),
    ];
    are_refused(table.into());
}

#[test]
fn terms_of_delivery_are_refused_with_their_place() {
    let table = [
        (
            trigger("registry: x\n    actions: [{type: x, retry: 5s}]"),
            "5:32: retry: must be a list",
        ),
        (
            trigger("registry: x\n    actions: [{type: x, retry: [0s, '5s,5s']}]"),
            "5:32: retry: entry 2 of the retry schedule, \"5s,5s\", is not a number",
        ),
        (
            trigger("registry: x\n    actions: [{type: x, retry: [5s]}]"),
            "5:32: retry: entry 1 of the retry schedule, \"5s\", must be 0s",
        ),
        (
            trigger("registry: x\n    actions: [{type: x, retry: []}]"),
            "5:32: retry: a retry schedule has 1 to 50 entries",
        ),
        (
            trigger("registry: x\n    actions: [{type: x, expires: 8d}]"),
            "5:34: expires: \"8d\" is not a time from 1s to 7d",
        ),
    ];
    are_refused(table.into());
}

fn are_refused(table: Vec<(String, &str)>) {
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

#[test]
fn no_value_is_refused_without_its_key_and_place() {
    let action = "actions: [{type: webhook, url: 'https://a.example', secret: {file: s}}]";
    let table = [
        ("chains: [010]", "4:14: chains: 010 begins with a zero, which is octal to some; write 10"),
        ("chains: [0x1f]", "4:14: chains: 0x1f is not a chain id: a whole number in decimal"),
        ("chains: [1e3]", "4:14: chains: 1e3 is not a chain id"),
        ("chains: [1_000]", "4:14: chains: 1_000 is not a chain id"),
        ("chains: [1.0]", "4:14: chains: 1.0 is not a chain id"),
        ("chains: [9223372036854775808]", "4:14: chains: 9223372036854775808 is too large"),
        (
            "chains: [bas]",
            "4:14: chains: no chain named \"bas\" is configured; did you mean `base`?",
        ),
        ("chains: [[1]]", "4:14: chains: must be a text, and is a list"),
        ("chains: 1", "4:13: chains: must be a list: put its values in brackets"),
        ("agents: 42", "4:13: agents: must be a list: put its values in brackets"),
        ("agents: [4.2e1]", "4:14: agents: \"4.2e1\" is not a decimal number"),
        ("agents: [true]", "4:14: agents: \"true\" is not a decimal number"),
        (
            "agents: ['2157920892373161954235709850086879078532699846656405640394575840079131296\
             39935']",
            "4:14: agents: \"2157",
        ),
        ("agents: {a: 1}", "4:13: agents: must be a list"),
        ("events: [{a: 1}]", "4:14: events: must be a text, and is a table"),
        ("registry: [identity]", "4:15: registry: must be a text, and is a list"),
        ("registry: \"a\\0b\"", "4:15: registry: the character U+0000 is in this text"),
        ("events: [\"a\\u0000b\"]", "4:14: events: the character U+0000 is in this text"),
        ("when: \"tag1 == 'a\\0'\"", "4:11: when: the character U+0000 is in this text"),
        ("\"a\\0b\": 1", "4:5: triggers: the character U+0000 is in this text"),
        ("when: [score < 60]", "4:11: when: must be a text, and is a list"),
        ("when: 60", "4:11: when: column 1: 60 is a number, not a condition"),
        ("when: yes", "4:11: when: column 1: `yes` is no argument"),
        ("registry: identity\n    since: 2026-11-01", "5:12: since: \"2026-11-01\" is neither"),
        ("registry: identity\n    since: 1793491200", "5:12: since: \"1793491200\" is neither"),
        ("registry: identity\n    finality: 010", "5:15: finality: 010 begins with a zero"),
        ("registry: identity\n    finality: +1", "5:15: finality: \"+1\" is unknown"),
        ("registry: identity\n    finality: 1.0", "5:15: finality: \"1.0\" is unknown"),
        ("registry: identity\n    cooldown: 1:30", "5:15: cooldown: column 2: "),
        ("match_all: yes", "4:16: match_all: \"yes\" is neither `true` nor `false`"),
        ("match_all: 1", "4:16: match_all: \"1\" is neither `true` nor `false`"),
        ("unchecked: on", "4:16: unchecked: \"on\" is neither `true` nor `false`"),
        ("match_all: true\n    match_all: true", "5:5: match_all: stands here twice; it stands in"),
        ("[a]: 1", "4:5: triggers: a list or a table stands where a key belongs"),
        ("<<: x", "4:9: <<: takes over tables by their aliases"),
    ];
    let mut wrong = Vec::new();
    for (says, expected) in table {
        let error = parse(&trigger(&format!("{says}\n    {action}"))).expect_err(expected);
        if !error.to_string().starts_with(expected) {
            wrong.push(format!("{says}\nsaid:     {error}\nexpected: {expected}"));
        }
    }
    let documents = [
        ("version: 1\ntriggers: 7", "2:11: triggers: must be a list"),
        ("version: 1\ntriggers: [7]", "2:12: a trigger is a table of keys"),
        ("version: 1", "1:1: triggers: is missing"),
        ("triggers: []", "1:1: version: is missing"),
        ("version: 0x1\ntriggers: []", "1:10: version: 0x1 is unknown; it is 1"),
        ("[]", "1:1: a document of triggers is a table of keys"),
        ("", "1:1: the document is empty"),
        ("version: 1\ntriggers: [", "2:11: triggers: this is no YAML: unclosed bracket '['"),
        ("version: 1\ntriggers: &a [*a]", "2:15: triggers: an alias of the list or table that"),
    ];
    for (document, expected) in documents {
        let error = parse(document).expect_err(expected);
        if !error.to_string().starts_with(expected) {
            wrong.push(format!("{document}\nsaid:     {error}\nexpected: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_table_of_very_many_keys_is_refused() {
    let keys: Vec<String> = (0..300).map(|number| format!("k{number}: x")).collect();
    let table = format!("match_all: true\n    actions: [{{type: x, a: {{{}}}}}]", keys.join(", "));
    let error = parse(&trigger(&table)).expect_err("refused").to_string();
    assert!(error.contains("this table has more than 256 keys"), "{error}");
}

#[test]
fn a_document_that_is_no_text_is_refused_at_its_byte() {
    let text = |bytes: &[u8]| event_engine::trigger_file::text(bytes).map(str::to_owned);
    let error = text(b"version: 1\ntri\xffggers").expect_err("refused").to_string();
    assert_eq!(error, "2:4: this byte is no UTF-8; save the document as UTF-8");
    let error = text(b"\xff\xfev\0e\0").expect_err("UTF-16").to_string();
    assert!(error.starts_with("1:1: this byte is no UTF-8"), "{error}");
    let marked = format!("\u{feff}{EVERYTHING}");
    assert_eq!(parse(&marked).expect("accepted"), parse(EVERYTHING).expect("accepted"));
}

fn trigger(rest: &str) -> String {
    format!("version: 1\ntriggers:\n  - name: t\n    {rest}\n")
}
