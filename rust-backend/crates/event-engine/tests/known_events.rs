//! Triggers on events that are known: what none of them has is refused, with what was meant.

use std::collections::BTreeMap;

use event_engine::trigger_file::{self, TriggerFileError, WrittenTrigger};

/// The trigger that says these lines, and the warnings about it.
fn parse(says: &str) -> Result<(WrittenTrigger, Vec<String>), TriggerFileError> {
    let says = says.replace('\n', "\n    ");
    let action = "actions: [{type: webhook, url: 'https://a.example', secret: {file: s}}]";
    let document = format!("version: 1\ntriggers:\n  - name: t\n    {says}\n    {action}\n");
    let mut file = trigger_file::parse(&document, &BTreeMap::new())?;
    let warnings = file.warnings.iter().map(ToString::to_string).collect();
    Ok((file.triggers.remove(0), warnings))
}

/// Each of these lines is refused so, and accepted where the trigger says `unchecked: true`.
fn are_refused(table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (says, expected) in table {
        match parse(says) {
            Ok((_, warnings)) => wrong.push(format!("{says}\naccepted: {warnings:?}")),
            Err(error) if !error.to_string().starts_with(expected) => {
                wrong.push(format!("{says}\nsaid:     {error}\nexpected: {expected}"));
            }
            Err(_) => {}
        }
        if let Err(error) = parse(&format!("{says}\nunchecked: true")) {
            wrong.push(format!("{says}\nunchecked: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn are_accepted(all: &[&str]) {
    for says in all {
        match parse(says) {
            Ok((_, warnings)) => assert_eq!(warnings, Vec::<String>::new(), "{says}"),
            Err(error) => panic!("{says}: {error}"),
        }
    }
}

#[test]
fn an_unknown_event_is_refused_with_the_one_that_was_meant() {
    are_refused(&[
        (
            "registry: reputation\nevents: [NewFedback]",
            "5:14: events: \"NewFedback\" is unknown; did you mean `NewFeedback`? \
             `unchecked: true` takes any name",
        ),
        (
            "registry: reputation\nevents: [NewFeedback, new_feedback]",
            "5:27: events: \"new_feedback\" is unknown; did you mean `NewFeedback`?",
        ),
        (
            "registry: reputation\nevents: [Transfer]",
            "5:14: events: \"Transfer\" is an event of the identity registry",
        ),
        (
            "registry: validation\nevents: [Minted]",
            "5:14: events: \"Minted\" is unknown; the events are `ValidationRequest`, \
             `ValidationResponse`, `Initialized`",
        ),
        ("registry: reputation\nevents: [AgentRegistered]", "5:14: events: \"AgentRegistered\" is"),
        ("events: [NewFedback]", "4:14: events: \"NewFedback\" is unknown; did you mean"),
        (
            "registry: reputaton",
            "4:15: registry: \"reputaton\" is unknown; did you mean `reputation`?",
        ),
        ("registry: Identity", "4:15: registry: \"Identity\" is unknown; did you mean `identity`?"),
    ]);
}

#[test]
fn an_unknown_argument_is_refused_with_the_one_that_was_meant() {
    let feedback = "registry: reputation\nevents: [NewFeedback]\n";
    let with = |says: &str| format!("{feedback}{says}");
    are_refused(&[
        (
            &with("when: scroe < 60"),
            "6:11: when: column 1: `scroe` is no argument of NewFeedback; did you mean `score`?",
        ),
        ("when: scroe < 60", "4:11: when: column 1: `scroe` is no argument of the selected events"),
        (
            &with("when: 'score < 60 && args.client_address == tag1'"),
            "6:11: when: column 15: `client_address` is no argument of NewFeedback; did you mean \
             `clientAddress`?",
        ),
        (
            &with("when: owner == tag1"),
            "6:11: when: column 1: `owner` is no argument of NewFeedback; Registered of the \
             identity registry has it",
        ),
        (
            "registry: identity\nevents: [MetadataUpdate]\nwhen: rating == 1",
            "6:11: when: column 1: `rating` is no argument of MetadataUpdate; `unchecked: true` \
             takes any name, and these are known: `_tokenId`, `id`, ",
        ),
        ("registry: identity\nwhen: score < 60", "5:11: when: column 1: `score` is the score of a"),
        (
            "events: [ApprovalForAll]\nwhen: agent_id == 1",
            "5:11: when: column 1: `agent_id` is missing in ApprovalForAll",
        ),
        (&with("when: 'count(10m, scroe < 60) > 3'"), "6:11: when: column 12: `scroe` is no"),
        (&with("when: ema(scroe, 10) > 3"), "6:11: when: column 5: `scroe` is no argument"),
        (
            &with("cooldown: 10m\ngroup_by: clientAdress"),
            "7:15: group_by: column 1: `clientAdress` is no argument of NewFeedback; did you mean",
        ),
        (&with("when: approved"), "6:11: when: column 1: `approved` is no argument of NewFeedback"),
    ]);
}

#[test]
fn a_comparison_of_types_that_never_compare_is_refused() {
    are_refused(&[
        (
            "when: value == 'good'",
            "4:11: when: column 1: `value` is a number and \"good\" does not",
        ),
        ("when: clientAddress > 5", "4:11: when: column 1: `clientAddress` is a 0x… text and 5 is"),
        (
            "when: owner == '0xabc'",
            "4:11: when: column 1: `owner` is 0x and 40 hexadecimal digits, and \"0xabc\" is not",
        ),
        ("when: owner == 'vitalik.eth'", "4:11: when: column 1: `owner` is 0x and 40 hexadecimal"),
        ("when: requestHash != '0x12'", "4:11: when: column 1: `requestHash` is 0x and 64"),
        ("when: metadataValue == '0x123'", "4:11: when: column 1: `metadataValue` is 0x and hexa"),
        ("when: clientAddress == feedbackHash", "4:11: when: column 1: `clientAddress` has 20"),
        ("when: value == '007'", "4:11: when: column 1: \"007\" in quotes is no spelling of"),
        ("when: response == '1.0'", "4:11: when: column 1: \"1.0\" in quotes is no spelling of"),
        ("when: tag1", "4:11: when: column 1: `tag1` is not a boolean: compare it"),
        ("when: '!value'", "4:11: when: column 2: `value` is not a boolean"),
        ("when: value == true", "4:11: when: column 10: `true` is a boolean and `value` is none"),
        (
            "events: [ApprovalForAll]\nwhen: approved == 'true'",
            "5:11: when: column 1: `approved` is a boolean and \"true\" is none",
        ),
        (
            "events: [ApprovalForAll]\nwhen: approved < approved",
            "5:11: when: column 1: `approved` has no",
        ),
        ("when: ema(owner, 3) > 5", "4:11: when: column 5: `owner` is no number"),
        ("when: transaction_hash > 5", "4:11: when: column 1: `transaction_hash` is a text and 5"),
        ("when: tag1 == owner", "4:11: when: column 1: none of the selected events has both"),
        (
            "when: event_type == 'NewFedback'",
            "4:11: when: column 15: `event_type` is never \"NewFedback\" here; did you mean",
        ),
        (
            "when: event_type == 'AgentRegistered'",
            "4:11: when: column 15: `event_type` is never \"AgentRegistered\" here; its name on \
             chain is `Registered`",
        ),
        (
            "registry: identity\nwhen: registry != 'reputation'",
            "5:11: when: column 13: `registry` is never \"reputation\" here; it is one of \
             `identity`",
        ),
    ]);
}

#[test]
fn agents_of_events_without_an_agent_are_refused() {
    are_refused(&[
        (
            "events: [ApprovalForAll]\nagents: ['42']",
            "5:13: agents: ApprovalForAll has no agent: leave it out of `events`, or `agents`",
        ),
        (
            "registry: reputation\nevents: [NewFeedback, Upgraded]\nagents: ['42']",
            "6:13: agents: Upgraded has no agent",
        ),
    ]);
}

#[test]
fn what_some_selected_event_can_satisfy_is_accepted() {
    are_accepted(&[
        "registry: reputation\nevents: [NewFeedback]\nagents: ['42']\nwhen: score < 60",
        "when: score < 60 || owner == '0x00000000000000000000000000000000000000Aa'",
        "when: '!(score < 60 && response > 3)'",
        "when: approved",
        "when: '!approved || approved == true'",
        "when: value == '-7' && tag1 > 100 && tag2 == '100.0'",
        "when: response == 100",
        "when: tag == 'tee' && responseHash != requestHash",
        "when: 'false && score < 60'",
        "events: [AgentRegistered]\nwhen: event_type == 'Registered'",
        "registry: identity\nevents: [AgentRegistered, unknown]\nagents: ['42']",
        "registry: validation\nevents: [Upgraded]\nwhen: implementation != address",
        "when: log_data_bytes > 65536",
        "when: event_type != 'Transfer' && registry == 'identity' && owner == agentURI",
        "when: 'count(1h, approved) > 3 && ema(tag1, 3) < value'",
        "when: ema(score, 3) > 5 && agent_id == '42' && args.from == to",
        "match_all: true\ncooldown: 1h\ngroup_by: tag1",
    ]);
}

#[test]
fn what_is_foreign_or_never_fires_is_warned_of() {
    for (says, warned) in [
        (
            "registry: nobody-knows\nevents: [Paid]\nwhen: amount > 5",
            "4:15: registry: \"nobody-knows\" is none of `identity`, `reputation`, `validation`: \
             its events and their arguments are not checked",
        ),
        (
            "events: [Paid, NewFeedback]\nwhen: amount > 5",
            "4:14: events: \"Paid\" is an event of no known registry: neither it nor its \
             arguments are checked",
        ),
        (
            "when: score < 60 && owner == agentURI",
            "4:11: when: this is never true of the selected events",
        ),
        (
            "events: [Transfer]\nwhen: event_type == 'Transfer' && event_type != 'Transfer'",
            "5:11: when: this is never true of Transfer",
        ),
        (
            "when: 'count(1h, score < 60 && response > 3) > 3'",
            "4:11: when: `count(1h, score < 60 && response > 3)` is always 0: it counts none of \
             the selected events",
        ),
        (
            "events: [NewFeedback, Registered]\nwhen: score < 60",
            "4:13: events: `when` is never true of Registered; leave it out",
        ),
    ] {
        let (_, warnings) = parse(says).expect("accepted");
        assert_eq!(warnings, [warned], "{says}");
        let (trigger, warnings) = parse(&format!("{says}\nunchecked: true")).expect("accepted");
        assert!(warnings.is_empty() && trigger.definition.unchecked, "{says}: {warnings:?}");
    }
}
