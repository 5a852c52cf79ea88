//! The shapes that triggers are checked against are those of the decoded events.

use event_engine::event::shape::{ArgumentType, UNKNOWN, of_registry};

use super::*;
use crate::decode::Decoder;

#[test]
fn triggers_are_checked_against_what_is_decoded() {
    for (name, registry) in [
        ("identity", Registry::Identity),
        ("reputation", Registry::Reputation),
        ("validation", Registry::Validation),
    ] {
        let decoders = crate::decode::decoders(registry).iter().chain(common::DECODERS);
        let decoded: Vec<_> = decoders.map(shape).collect();
        let known = of_registry(name).filter(|shape| shape.event_type != UNKNOWN);
        let known = known.map(|shape| {
            let arguments = shape.arguments.iter().map(|(name, of)| ((*name).to_owned(), *of));
            (shape.event_type, shape.has_agent, sorted(arguments.collect()))
        });
        assert_eq!(decoded, known.collect::<Vec<_>>());
    }
}

type Shape = (&'static str, bool, Vec<(String, ArgumentType)>);

/// The shape of an event, from a log of it in which all is zero.
fn shape(decoder: &Decoder) -> Shape {
    let lengths = (0..4).flat_map(|topics| (0..12).map(move |words| (topics, words)));
    let mut read = lengths.filter_map(|(topics, words)| {
        let mut all = vec![decoder.topic0];
        all.resize(1 + topics, B256::ZERO);
        (decoder.read)(&all, &vec![0; 32 * words])
    });
    let Decoded { event_type, agent_id, arguments } = read.next().expect("a log of it");
    let arguments = arguments.into_iter().map(|(name, value)| (name, type_of(&value)));
    (event_type, agent_id.is_some(), sorted(arguments.collect()))
}

fn type_of(zero: &Value) -> ArgumentType {
    match zero {
        Value::Bool(_) => ArgumentType::Flag,
        Value::Number(_) => ArgumentType::Integer,
        Value::String(text) => match text.strip_prefix("0x").map(str::len) {
            Some(0) => ArgumentType::AnyBytes,
            Some(digits) => ArgumentType::Bytes(digits / 2),
            None if text == "0" => ArgumentType::Integer,
            None => ArgumentType::Text,
        },
        other => panic!("{other} is no argument"),
    }
}

fn sorted(mut arguments: Vec<(String, ArgumentType)>) -> Vec<(String, ArgumentType)> {
    arguments.sort_by(|a, b| a.0.cmp(&b.0));
    arguments
}
