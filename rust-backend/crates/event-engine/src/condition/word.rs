//! Names that mean something of their own, or that people expect to.

use super::error::ConditionFault;
use super::field::{Field, TOPICS};

/// The prefix that names an argument explicitly.
pub(super) const ARGS: &str = "args";

/// What the condition's averages have seen, as a name.
pub(super) const EMA_COUNT: &str = "ema_count";

/// The boolean that `name` spells.
pub(super) fn flag(name: &str) -> Option<bool> {
    match name {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// What to write instead of a word that other languages have.
pub(super) fn slip(name: &str) -> Option<ConditionFault> {
    let message = match name.to_ascii_lowercase().as_str() {
        "and" => format!("`{name}` is no operator: use \"&&\""),
        "or" => format!("`{name}` is no operator: use \"||\""),
        "not" => format!("`{name}` is no operator: use \"!\""),
        "null" | "nil" | "none" => {
            format!("there is no `{name}`: a comparison with a missing value never matches")
        }
        lower @ ("true" | "false") if lower != name => {
            format!("`{name}` is no boolean: write `{lower}`")
        }
        _ if name
            .strip_prefix(TOPICS)
            .is_some_and(|rest| matches!(rest.as_bytes(), [] | [b'[', ..]))
            && Field::named(name).is_none() =>
        {
            let shown = in_backticks(name);
            format!("{shown} is no topic: write `topics[0]` to `topics[3]`")
        }
        _ => return None,
    };
    Some(ConditionFault::syntax(message))
}

/// True for a name that an argument can bear only behind `args.`.
pub(super) fn is_taken(name: &str) -> bool {
    name == ARGS || name == EMA_COUNT || flag(name).is_some() || slip(name).is_some()
}

/// Why a name cannot be called.
pub(super) fn unknown_function(name: &str) -> ConditionFault {
    let shown = in_backticks(name);
    ConditionFault::Syntax(format!("unknown function {shown}: there are `count` and `ema`"))
}

/// A name as messages show it.
pub(super) fn in_backticks(name: &str) -> String {
    format!("`{}`", shortened(name))
}

/// Enough of a text to recognise it, and all of it visible: a condition may hold 4 kB of anything.
pub(super) fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    let mut shown: String = text.chars().take(CHARACTERS_MAX).map(visible).collect();
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// The character itself, or the code of one that cannot be seen.
pub(super) fn visible(character: char) -> String {
    let quotable = matches!(character, '"' | '\'' | '\\');
    if quotable || character.escape_debug().count() == 1 {
        character.to_string()
    } else {
        format!("U+{:04X}", u32::from(character))
    }
}
