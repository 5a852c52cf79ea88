//! Refuses a comparison that its text alone shows to be wrong.

use super::function::{Function, counted};
use crate::condition::COUNT_MAX;
use crate::condition::error::ConditionFault;
use crate::condition::operand::Operand;
use crate::condition::operator::Operator;
use crate::condition::word;

/// The type of an operand, as far as it is known before there is an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OperandKind {
    Number,
    /// The text of a column.
    Text,
    /// A literal text that spells a number.
    QuotedNumber,
    /// A literal text that does not.
    QuotedWord,
    Flag,
    /// An argument: the event decides.
    Open,
}

/// Which part of a comparison is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    /// The opposite part.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

pub(crate) fn check(
    left: &Operand,
    operator: Operator,
    right: &Operand,
) -> Result<(), (Side, ConditionFault)> {
    check_side(left, operator, right).map_err(|message| (Side::Left, message))?;
    check_side(right, operator, left).map_err(|message| (Side::Right, message))
}

/// The faults of `operand` when it is compared with `other`.
fn check_side(
    operand: &Operand,
    operator: Operator,
    other: &Operand,
) -> Result<(), ConditionFault> {
    if let Some(fault) = never_counted(operand, other) {
        return Err(fault);
    }
    let shown = || describe(operand);
    let message = match (kind(operand), kind(other)) {
        (OperandKind::Flag, _) if operator.orders() => {
            format!("{} has no order: compare it with \"==\" or \"!=\"", shown())
        }
        (OperandKind::Flag, OperandKind::Flag | OperandKind::Open) => return Ok(()),
        (OperandKind::Flag, _) => {
            format!("{} is a boolean and {} is none", shown(), describe(other))
        }
        (OperandKind::QuotedWord, OperandKind::Number) => {
            format!("{} is a number and {} does not spell one", describe(other), shown())
        }
        (
            OperandKind::QuotedNumber,
            OperandKind::Text
            | OperandKind::Open
            | OperandKind::QuotedNumber
            | OperandKind::QuotedWord,
        ) if operator.orders() => {
            // "100" < "60" as texts: nobody means that, and no event would show the mistake.
            format!(
                "{} in quotes is a text and has no order of numbers: leave the quotes out",
                shown()
            )
        }
        _ => return Ok(()),
    };
    Err(ConditionFault::types(message))
}

/// Refuses a literal that no count reaches, or goes beyond.
fn never_counted(operand: &Operand, other: &Operand) -> Option<ConditionFault> {
    let Operand::Call(call) = other else { return None };
    let literal = match operand {
        Operand::Number(number) => number,
        Operand::Quoted(quoted) => quoted.number.as_ref()?,
        _ => return None,
    };
    let beyond = matches!(call.function, Function::Count(_)) && *literal > counted(COUNT_MAX);
    beyond.then(|| {
        let shown = describe(operand);
        ConditionFault::Limit(format!("{shown} is beyond a count, which ends at {COUNT_MAX}"))
    })
}

fn kind(operand: &Operand) -> OperandKind {
    match operand {
        Operand::Field(field) if field.is_number() => OperandKind::Number,
        Operand::Field(_) => OperandKind::Text,
        Operand::Argument(_) => OperandKind::Open,
        Operand::Number(_) | Operand::Call(_) | Operand::EmaCount => OperandKind::Number,
        Operand::Quoted(quoted) if quoted.number.is_some() => OperandKind::QuotedNumber,
        Operand::Quoted(_) => OperandKind::QuotedWord,
        Operand::Flag(_) => OperandKind::Flag,
    }
}

/// Refuses a value that has no average: what cannot be a number, or is always the same.
pub(crate) fn check_averaged(operand: &Operand) -> Result<(), ConditionFault> {
    let what = match (operand, kind(operand)) {
        (Operand::Field(_) | Operand::Argument(_), OperandKind::Number | OperandKind::Open) => {
            return Ok(());
        }
        (_, OperandKind::Number) => "is always the same",
        (_, OperandKind::Flag) => "is a boolean",
        _ => "is a text",
    };
    let shown = describe(operand);
    let message = format!("{shown} {what}: `ema` takes a number of the event's, such as `score`");
    Err(ConditionFault::types(message))
}

/// Refuses an operand that stands alone and cannot be a boolean.
pub(crate) fn check_alone(operand: &Operand) -> Result<(), ConditionFault> {
    let what = match kind(operand) {
        OperandKind::Flag | OperandKind::Open => return Ok(()),
        OperandKind::Number => "a number",
        OperandKind::Text | OperandKind::QuotedNumber | OperandKind::QuotedWord => "a text",
    };
    let shown = describe(operand);
    Err(ConditionFault::types(format!("{shown} is {what}, not a condition: compare it")))
}

/// An operand as messages show it.
pub(crate) fn describe(operand: &Operand) -> String {
    let written = operand.to_string();
    match operand {
        Operand::Number(_) | Operand::Quoted(_) => word::shortened(&written),
        _ => word::in_backticks(&written),
    }
}
