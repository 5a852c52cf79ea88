//! Documents of triggers as their kinds of action take them.

use std::collections::BTreeMap;

use actions::policy::DestinationPolicy;
use event_engine::trigger::TriggerSpec;
use event_engine::trigger_file::TriggerFileError;

fn parse(document: &str) -> Result<Vec<TriggerSpec>, TriggerFileError> {
    let chains = BTreeMap::from([("base".to_owned(), 8453)]);
    let file = actions::trigger_file::parse(document, &chains, &DestinationPolicy::default())?;
    Ok(file.triggers)
}

fn trigger(actions: &str) -> String {
    format!("version: 1\ntriggers:\n  - name: t\n    registry: x\n    actions: [{actions}]\n")
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

/// As the page quotes them, each from the document that it is about.
#[test]
fn every_quoted_refusal_is_what_is_said() {
    let documentation = include_str!("../../../../docs/triggers.md");
    let quoted = documentation.lines().filter_map(|line| line.strip_prefix("    triggers.yaml:"));
    let hook = "actions: [{type: webhook, url: 'https://a.example', secret: {file: s}}]";
    let with = |says: &str| format!("version: 1\ntriggers:\n  - name: t\n    {says}\n");
    let of = |says: &str| with(&format!("{says}\n    {hook}"));
    let feedback = "registry: reputation\n    events: [NewFeedback]\n";
    let url = |url: &str, more: &str| {
        let hook = format!("{{type: webhook, url: '{url}', secret: {{file: s}}{more}}}");
        with(&format!("registry: identity\n    actions: [{hook}]"))
    };
    let documents = [
        of("when: 'score < '"),
        of("when: count(10) > 5"),
        of("registry: identity\n    cooldown: 10min"),
        of("registry: identity\n    finality: soon"),
        of("# nothing"),
        of("registry: reputation\n    events: [NewFedback]"),
        of(&format!("{feedback}    when: scroe < 60")),
        of("when: owner == \"vitalik.eth\""),
        of("chains: [010]"),
        url("http://${HOST}/", ""),
        url("http://10.1.2.3/", ""),
        url("https://a.example/", ", retries: 3"),
    ];
    let said = documents.iter().map(|document| parse(document).expect_err(document).to_string());
    let said: Vec<String> = said.collect();
    let missing: Vec<&str> =
        quoted.filter(|quoted| !said.iter().any(|said| ends_alike(said, quoted))).collect();
    assert!(missing.is_empty(), "quoted and not said: {missing:#?}\nsaid: {said:#?}");
}

/// Equal but for the place.
fn ends_alike(said: &str, quoted: &str) -> bool {
    let sentence = |text: &str| text.split_once(": ").map(|(_, sentence)| sentence.to_owned());
    sentence(said) == sentence(quoted)
}

#[test]
fn an_action_without_an_id_is_named_by_its_type_and_destination() {
    let id = |url: &str| {
        let action = format!("{{type: webhook, url: '{url}', secret: {{file: s}}}}");
        parse(&trigger(&action)).expect("accepted")[0].actions[0].id.clone()
    };
    assert_eq!(id("https://a.example"), "webhook-1e679b9f50af", "the same in every release");
    assert_ne!(id("https://a.example"), id("https://b.example"));
}

#[test]
fn two_actions_of_one_id_are_refused() {
    let hook = "{type: webhook, url: 'https://a.example', secret: {file: s}}";
    let error = parse(&trigger(&format!("{hook}, {hook}"))).expect_err("refused").to_string();
    assert!(error.starts_with("5:77: actions: \"webhook-"), "{error}");
    assert!(error.ends_with("stands here twice; give each an `id` of its own"), "{error}");
}

#[test]
fn an_action_is_refused_with_its_place_its_key_and_the_remedy() {
    let url = "url: 'https://a.example'";
    let table = [
        (
            "{type: email, url: a, secret: {file: s}}".to_owned(),
            "5:22: type: `email` is not built yet",
        ),
        ("{type: fax}".to_owned(), "5:22: type: \"fax\" is unknown; it is `webhook`"),
        ("{type: webhook, secret: {file: s}}".to_owned(), "5:15: url: is missing"),
        (
            format!("{{type: webhook, {url}}}"),
            "5:15: secret: is missing; without one nobody can tell who sent it",
        ),
        (
            format!("{{type: webhook, {url}, secret: {{env: HOME}}}}"),
            "5:65: secret: the variable of a secret must be named AGENTAURI_SECRET_ and letters",
        ),
        (
            format!("{{type: webhook, {url}, secret: {{file: ../x}}}}"),
            "5:65: secret: the file of a secret must have a plain name of 1 to 255 bytes",
        ),
        (
            format!("{{type: webhook, {url}, secret: {{file: x, env: y}}}}"),
            "5:65: secret: must have exactly one of `env` and `file`",
        ),
        (
            format!("{{type: webhook, {url}, secret: [a]}}"),
            "5:65: secret: must have exactly one of `env` and `file`",
        ),
        (
            format!("{{type: webhook, {url}, secret: hunter2}}"),
            "5:65: secret: does not begin with `whsec_`",
        ),
        (
            format!("{{type: webhook, {url}, secret: whsec_hunter2}}"),
            "5:65: secret: secret 1 is not base64 after whsec_",
        ),
        (
            format!("{{type: webhook, {url}, secret: {{file: s}}, retries: 7}}"),
            "5:76: retries: is unknown; the keys of webhook are `url`, `secret`",
        ),
        ("{type: webhook, url: [a], secret: {file: s}}".to_owned(), "5:36: url: must be a text"),
        (
            "{type: webhook, url: no, secret: {file: s}}".to_owned(),
            "5:36: url: is no URL such as https://example.org/hook: relative URL without a base",
        ),
        (
            "{type: webhook, url: 'http://10.1.2.3/', secret: {file: s}}".to_owned(),
            "5:36: url: 10.1.2.3 (private, RFC 1918) was refused; \
             AGENTAURI_ALLOW_PRIVATE_DESTINATIONS may list its network",
        ),
        (
            format!(
                "{{type: webhook, url: 'https://a.example/{}', secret: {{file: s}}}}",
                "x".repeat(2_048)
            ),
            "5:36: url: must be 1 to 2048 bytes",
        ),
    ];
    let mut wrong = Vec::new();
    for (action, expected) in table {
        let error = parse(&trigger(&action)).expect_err(expected).to_string();
        if !error.starts_with(expected) || error.contains("hunter2") {
            wrong.push(format!("{action}\nsaid:     {error}\nexpected: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_secret_that_can_never_be_read_is_refused() {
    let too_long = format!("{{file: {}}}", "x".repeat(256));
    for secret in [
        "{file: ''}",
        r"{file: 'a\b'}",
        r#"{file: "a\u0000b"}"#,
        "{file: /etc/passwd}",
        "{file: .hidden}",
        &too_long,
        "{env: AGENTAURI_SECRE}",
        "{env: AGENTAURI_SECRET_}",
        "{env: AGENTAURI_SECRET_a-b}",
        "{env: 'AGENTAURI_SECRET_a b'}",
    ] {
        let action = format!("{{type: webhook, url: 'https://a.example', secret: {secret}}}");
        let error = parse(&trigger(&action)).expect_err(secret);
        assert_eq!(error.key.as_deref(), Some("secret"), "{error}");
    }
}

#[test]
fn a_refusal_has_its_key_beside_its_sentence() {
    for (actions, key) in [
        ("{type: webhook, url: 'https://a.example', secret: {env: }}", Some("secret.env")),
        ("{type: webhook, sha256: x, url: 'https://a.example', secret: {file: s}}", Some("sha256")),
        ("{type: webhook, type: log}", Some("type")),
    ] {
        let error = parse(&trigger(actions)).expect_err(actions);
        assert_eq!(error.key.as_deref(), key, "{error}");
    }
}
