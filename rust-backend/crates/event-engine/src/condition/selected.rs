//! The selected events of a trigger, where their shapes are known: refuses unknown names, and types
//! that never compare.

use super::error::ConditionFault;
use super::expression::Expression;
use super::field::{self, Field};
use super::functions::function::Function;
use super::functions::kinds::{Side, describe};
use super::operand::Operand;
use super::operator::Operator;
use super::quoted::Quoted;
use crate::event::shape::{ALIAS, ArgumentType, EventShape, REGISTRIES, of_registry};
use crate::event::spelling::proposal;

/// Names that a message lists.
const LISTED_MAX: usize = 3;

/// The events that a trigger selects.
#[derive(Clone, Debug)]
pub(crate) struct SelectedEvents(Vec<SelectedEvent>);

#[derive(Clone, Copy, Debug)]
struct SelectedEvent {
    registry: &'static str,
    shape: &'static EventShape,
}

/// A set of the selected events, a bit each: all registries together have 24.
type EventSet = u32;

/// The events for which a condition may be true, and those for which it may be false.
#[derive(Clone, Copy)]
struct Outcomes {
    is_true: EventSet,
    is_false: EventSet,
}

/// The type of an operand for one event.
#[derive(Clone, Copy)]
enum Sort<'o> {
    Number,
    Integer,
    Text,
    /// A text whose writer is the store or the chain.
    Column,
    /// `0x…`; `None` for any length.
    Bytes(Option<usize>),
    Flag,
    Opaque,
    Quoted(&'o Quoted),
}

impl SelectedEvents {
    /// The events of a registry, or of all registries whose events are known.
    pub(crate) fn of(registry: Option<&str>) -> Self {
        let registries =
            REGISTRIES.into_iter().filter(|known| registry.is_none_or(|r| r == *known));
        let events = registries.flat_map(|registry| {
            of_registry(registry).map(move |shape| SelectedEvent { registry, shape })
        });
        Self(events.collect())
    }

    /// Leaves the events of these names.
    pub(crate) fn retain(&mut self, names: &[String]) {
        let is_meant = |known: &str, name: &str| name == known || (name, known) == ALIAS;
        self.0.retain(|event| names.iter().any(|name| is_meant(event.shape.event_type, name)));
    }

    /// True if an event has that name or alias.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.names().any(|known| known == name || (name, known) == ALIAS)
    }

    /// The names of the events; a name of several registries occurs several times.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.0.iter().map(|event| event.shape.event_type)
    }

    /// The name of an event that never has an agent.
    pub(crate) fn without_agent(&self) -> Option<&'static str> {
        self.0.iter().find(|event| !event.shape.has_agent).map(|event| event.shape.event_type)
    }

    /// The names of the events for which the condition is never true.
    pub(super) fn silent(&self, expression: &Expression) -> Vec<&'static str> {
        let fires = self.outcomes(expression).is_true;
        let set = |wanted: bool| {
            self.0
                .iter()
                .enumerate()
                .filter(move |(place, _)| (fires & (1 << place) != 0) == wanted)
        };
        let fires_of = |name: &str| set(true).any(|(_, event)| event.shape.event_type == name);
        let silent = set(false).map(|(_, event)| event.shape.event_type);
        let mut names: Vec<_> = silent.filter(|name| !fires_of(name)).collect();
        names.dedup();
        names
    }

    /// True if the function counts no event.
    pub(super) fn never_counts(&self, function: &Function) -> bool {
        match function {
            Function::Count(count) => {
                count.condition.as_ref().is_some_and(|inner| self.outcomes(inner).is_true == 0)
            }
            Function::Ema(_) => false,
        }
    }

    /// Refuses a name that no event has.
    pub(super) fn check_name(&self, operand: &Operand) -> Result<(), ConditionFault> {
        if self.having(operand) != 0 {
            return Ok(());
        }
        let shown = describe(operand);
        let of = self.listed();
        Err(ConditionFault::types(match operand {
            Operand::Field(Field::Score) => {
                format!("{shown} is the score of a NewFeedback, which is not selected")
            }
            Operand::Field(_) => format!("{shown} is missing in {of}"),
            Operand::Argument(name) => {
                format!("{shown} is no argument of {of}{}", self.meant(name))
            }
            _ => unreachable!("only names may be missing"),
        }))
    }

    /// The end of a message about an unknown argument.
    fn meant(&self, name: &str) -> String {
        let everywhere = Self::of(None);
        let elsewhere = everywhere.0.iter().find(|event| event.shape.argument(name).is_some());
        if let Some(SelectedEvent { registry, shape }) = elsewhere {
            return format!("; {} of the {registry} registry has it", shape.event_type);
        }
        let arguments = self.0.iter().flat_map(|event| event.shape.arguments);
        let known = arguments.map(|(name, _)| *name).chain(field::names());
        let remedy = "`unchecked: true` takes any name, and these are known:";
        proposal(name, known, remedy)
    }

    /// Refuses a comparison that no event can satisfy.
    pub(super) fn check(
        &self,
        left: &Operand,
        operator: Operator,
        right: &Operand,
    ) -> Result<(), (Side, ConditionFault)> {
        for (side, operand, other) in [(Side::Left, left, right), (Side::Right, right, left)] {
            let Some(column) = NameColumn::of(operand) else { continue };
            let Operand::Quoted(quoted) = other else { continue };
            let known = || self.0.iter().map(move |event| column.of_event(event));
            if !known().any(|name| *name == *quoted.text) {
                let shown = describe(operand);
                let written = describe(other);
                let meant = match (column, &*quoted.text) {
                    (NameColumn::EventType, name) if name == ALIAS.0 && self.has_name(name) => {
                        format!("; its name on chain is `{}`", ALIAS.1)
                    }
                    (_, name) => proposal(name, known(), "it is one of"),
                };
                let message = format!("{shown} is never {written} here{meant}");
                return Err((side.other(), ConditionFault::types(message)));
            }
        }
        let mut first = None;
        for event in &self.0 {
            let (Some(a), Some(b)) = (event.sort(left), event.sort(right)) else { continue };
            match fault((left, a), operator, (right, b)) {
                None => return Ok(()),
                Some(found) => first = first.or(Some(found)),
            }
        }
        let (side, message) = first.unwrap_or_else(|| {
            let (left, right) = (describe(left), describe(right));
            (Side::Left, format!("none of {} has both {left} and {right}", self.listed()))
        });
        Err((side, ConditionFault::types(message)))
    }

    /// Refuses an operand that stands alone and is a boolean of no event.
    pub(super) fn check_alone(&self, operand: &Operand) -> Result<(), ConditionFault> {
        if self.flags(operand) != 0 {
            return Ok(());
        }
        let shown = describe(operand);
        Err(ConditionFault::types(format!("{shown} is not a boolean: compare it")))
    }

    /// Refuses a value that is a number of no event.
    pub(super) fn check_averaged(&self, operand: &Operand) -> Result<(), ConditionFault> {
        let is_number = |sort| matches!(sort, Sort::Number | Sort::Integer | Sort::Text);
        if self.0.iter().any(|event| event.sort(operand).is_some_and(is_number)) {
            return Ok(());
        }
        let shown = describe(operand);
        Err(ConditionFault::types(format!(
            "{shown} is no number: `ema` takes one, such as `score`"
        )))
    }

    /// The events, in a sentence.
    pub(crate) fn listed(&self) -> String {
        let mut names: Vec<&str> = self.names().collect();
        names.dedup();
        if names.len() <= LISTED_MAX { names.join(", ") } else { "the selected events".to_owned() }
    }

    fn set(&self, is_in: impl Fn(&SelectedEvent) -> bool) -> EventSet {
        let places = self.0.iter().enumerate().filter(|(_, event)| is_in(event));
        places.fold(0, |set, (place, _)| set | 1 << place)
    }

    fn having(&self, operand: &Operand) -> EventSet {
        self.set(|event| event.sort(operand).is_some())
    }

    fn flags(&self, operand: &Operand) -> EventSet {
        self.set(|event| matches!(event.sort(operand), Some(Sort::Flag)))
    }

    fn outcomes(&self, expression: &Expression) -> Outcomes {
        let join = |parts: &[Expression], all: bool| {
            let mut parts = parts.iter().map(|part| self.outcomes(part));
            let first = parts.next().expect("two parts or more");
            parts.fold(first, |sum, part| {
                let both = |a, b| if all { a & b } else { a | b };
                let either = |a, b| if all { a | b } else { a & b };
                Outcomes {
                    is_true: both(sum.is_true, part.is_true),
                    is_false: either(sum.is_false, part.is_false),
                }
            })
        };
        match expression {
            Expression::All(parts) => join(parts, true),
            Expression::Any(parts) => join(parts, false),
            Expression::Not(inner) => {
                let Outcomes { is_true, is_false } = self.outcomes(inner);
                Outcomes { is_true: is_false, is_false: is_true }
            }
            Expression::Flag(operand) => {
                let flags = self.flags(operand);
                Outcomes { is_true: flags, is_false: flags }
            }
            Expression::Comparison(comparison) => {
                self.compared(&comparison.left, comparison.operator, &comparison.right)
            }
        }
    }

    fn compared(&self, left: &Operand, operator: Operator, right: &Operand) -> Outcomes {
        let comparable = self.set(|event| match (event.sort(left), event.sort(right)) {
            (Some(a), Some(b)) => fault((left, a), operator, (right, b)).is_none(),
            _ => false,
        });
        let (named, text) = match (left, right) {
            (named, Operand::Quoted(text)) | (Operand::Quoted(text), named) => (named, text),
            _ => return Outcomes { is_true: comparable, is_false: comparable },
        };
        let Some(column) = NameColumn::of(named).filter(|_| !operator.orders()) else {
            return Outcomes { is_true: comparable, is_false: comparable };
        };
        let equal = self.set(|event| *column.of_event(event) == *text.text);
        match operator {
            Operator::NotEqual => Outcomes { is_true: !equal & comparable, is_false: equal },
            _ => Outcomes { is_true: equal, is_false: !equal & comparable },
        }
    }
}

impl SelectedEvent {
    /// `None` if the event never has the operand.
    fn sort<'o>(&self, operand: &'o Operand) -> Option<Sort<'o>> {
        Some(match operand {
            Operand::Field(Field::AgentId) if !self.shape.has_agent => return None,
            Operand::Field(Field::Score) => {
                self.shape.argument("value").and(self.shape.argument("valueDecimals"))?;
                Sort::Number
            }
            Operand::Field(field) if field.is_number() => Sort::Number,
            Operand::Field(_) => Sort::Column,
            Operand::Argument(name) => match self.shape.argument(name)? {
                ArgumentType::Integer => Sort::Integer,
                ArgumentType::Text => Sort::Text,
                ArgumentType::Bytes(length) => Sort::Bytes(Some(length)),
                ArgumentType::AnyBytes => Sort::Bytes(None),
                ArgumentType::Flag => Sort::Flag,
                ArgumentType::Opaque => Sort::Opaque,
            },
            Operand::Number(_) | Operand::Call(_) | Operand::EmaCount => Sort::Number,
            Operand::Quoted(quoted) => Sort::Quoted(quoted),
            Operand::Flag(_) => Sort::Flag,
        })
    }
}

/// A column whose values are names that are known.
#[derive(Clone, Copy)]
enum NameColumn {
    EventType,
    Registry,
}

impl NameColumn {
    fn of(operand: &Operand) -> Option<Self> {
        match operand {
            Operand::Field(Field::EventType) => Some(Self::EventType),
            Operand::Field(Field::Registry) => Some(Self::Registry),
            _ => None,
        }
    }

    fn of_event(self, event: &SelectedEvent) -> &'static str {
        match self {
            Self::EventType => event.shape.event_type,
            Self::Registry => event.registry,
        }
    }
}

/// The reason why two operands of these types never compare, at the operand that it begins with.
fn fault(
    left: (&Operand, Sort<'_>),
    operator: Operator,
    right: (&Operand, Sort<'_>),
) -> Option<(Side, String)> {
    let of_left = fault_of(left, operator, right).map(|message| (Side::Left, message));
    of_left.or_else(|| fault_of(right, operator, left).map(|message| (Side::Right, message)))
}

fn fault_of(
    (operand, sort): (&Operand, Sort<'_>),
    operator: Operator,
    (other, with): (&Operand, Sort<'_>),
) -> Option<String> {
    let (shown, other) = (describe(operand), describe(other));
    Some(match (sort, with) {
        (Sort::Opaque, _) => format!("{shown} is an object, which does not compare"),
        (Sort::Flag, _) if operator.orders() => {
            format!("{shown} has no order: compare it with \"==\" or \"!=\"")
        }
        (Sort::Flag, Sort::Flag | Sort::Opaque) => return None,
        (Sort::Flag, _) => format!("{shown} is a boolean and {other} is none"),
        (Sort::Bytes(_), Sort::Number | Sort::Integer) => {
            format!("{shown} is a 0x… text and {other} is a number")
        }
        (Sort::Column, Sort::Number | Sort::Integer) => {
            format!("{shown} is a text and {other} is a number")
        }
        (Sort::Bytes(length), Sort::Quoted(quoted)) if !is_bytes(&quoted.text, length) => {
            let digits = length.map_or_else(String::new, |bytes| format!("{} ", 2 * bytes));
            format!("{shown} is 0x and {digits}hexadecimal digits, and {other} is not")
        }
        (Sort::Bytes(Some(a)), Sort::Bytes(Some(b))) if a != b => {
            format!("{shown} has {a} bytes and {other} has {b}")
        }
        (Sort::Integer, Sort::Quoted(quoted)) if quoted.number.is_none() => {
            format!("{shown} is a number and {other} does not spell one")
        }
        (Sort::Integer, Sort::Quoted(quoted)) if !is_plain_integer(&quoted.text) => {
            format!("{other} in quotes is no spelling of {shown}: leave the quotes out")
        }
        _ => return None,
    })
}

fn is_bytes(text: &str, length: Option<usize>) -> bool {
    let Some(digits) = text.strip_prefix("0x") else { return false };
    let is_long_enough = length.map_or(digits.len() % 2 == 0, |bytes| digits.len() == 2 * bytes);
    is_long_enough && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// True for the one spelling of an integer that a store gives.
fn is_plain_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_shortest = !digits.starts_with('0') || text == "0";
    is_shortest && !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}
