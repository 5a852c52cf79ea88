//! Reads stateful functions, and what refers to them.

use super::function::{Call, Count, Ema, Function};
use super::kinds;
use crate::condition::error::{ConditionError, ConditionFault};
use crate::condition::lexer::Token;
use crate::condition::operand::Operand;
use crate::condition::parser::Parser;
use crate::condition::word::{self, EMA_COUNT};
use crate::condition::{EMA_PERIODS_MAX, FUNCTIONS_MAX};

/// What a condition has said of stateful functions so far.
#[derive(Default)]
pub(crate) struct Calls {
    /// Each once, as first written.
    functions: Vec<Function>,
    /// True between the parentheses of one: functions do not nest.
    within: bool,
    /// Where `ema_count` is written first.
    ema_count_at: Option<usize>,
}

impl Parser<'_> {
    /// The function called `name`, which stands at `start`; its `(` is the current token.
    pub(crate) fn call(&mut self, name: &str, start: usize) -> Result<Operand, ConditionError> {
        let read = match name {
            "count" => Self::count,
            "ema" => Self::ema,
            _ => return Err(self.refuse_at(start, word::unknown_function(name))),
        };
        self.refuse_nested(name, start)?;
        let open = self.current.start;
        self.deepen()?;
        self.calls.within = true;
        let function = read(self)?;
        self.calls.within = false;
        self.close(open)?;
        let place = self.place(&function, start)?;
        Ok(Operand::Call(Box::new(Call { function, place })))
    }

    /// `ema_count`, which stood at `start`.
    pub(crate) fn ema_count(&mut self, start: usize) -> Result<Operand, ConditionError> {
        self.refuse_nested(EMA_COUNT, start)?;
        self.calls.ema_count_at.get_or_insert(start);
        Ok(Operand::EmaCount)
    }

    /// The functions of the whole condition, once all of it is read.
    pub(crate) fn functions(self) -> Result<Box<[Function]>, ConditionError> {
        if let Some(at) = self.calls.ema_count_at {
            self.check_ema_count().map_err(|fault| self.refuse_at(at, fault))?;
        }
        Ok(self.calls.functions.into())
    }

    /// What stands between the parentheses of `count`.
    fn count(&mut self) -> Result<Function, ConditionError> {
        let window = self.lexer.window()?;
        self.advance()?;
        let Some(window) = window else {
            return Err(self.expected("a window such as 10m"));
        };
        let condition = match self.current.token {
            Token::Close => None,
            Token::Comma => {
                self.advance()?;
                Some(self.any(" after \",\"")?)
            }
            _ => return Err(self.expected("\",\" or \")\" after the window")),
        };
        Ok(Function::Count(Count { window, condition }))
    }

    /// What stands between the parentheses of `ema`.
    fn ema(&mut self) -> Result<Function, ConditionError> {
        self.advance()?;
        let value_at = self.current.start;
        let value = self.operand(format_args!("a value such as `score`"))?;
        kinds::check_averaged(&value).map_err(|fault| self.refuse_at(value_at, fault))?;
        self.check_selected(value_at, |selected| selected.check_averaged(&value))?;
        if !matches!(self.current.token, Token::Comma) {
            let shown = kinds::describe(&value);
            return Err(self.expected(format_args!("\",\" and a number after {shown}")));
        }
        self.advance()?;
        let Some(periods) = self.periods() else {
            return Err(self.expected(format_args!("a whole number from 1 to {EMA_PERIODS_MAX}")));
        };
        self.advance()?;
        Ok(Function::Ema(Ema { value, periods }))
    }

    /// The current token as the `n` of an average.
    fn periods(&self) -> Option<u32> {
        let Token::Number(number) = &self.current.token else { return None };
        let periods = u32::try_from(number.to_i64()?).ok()?;
        (1..=EMA_PERIODS_MAX).contains(&periods).then_some(periods)
    }

    fn refuse_nested(&self, name: &str, start: usize) -> Result<(), ConditionError> {
        if !self.calls.within {
            return Ok(());
        }
        let message = format!("`{name}` within a function: functions do not nest");
        Err(self.refuse_at(start, ConditionFault::Syntax(message)))
    }

    /// Where `function`, written at `start`, stands among the condition's.
    fn place(&mut self, function: &Function, start: usize) -> Result<usize, ConditionError> {
        let functions = &mut self.calls.functions;
        if let Some(place) = functions.iter().position(|known| known == function) {
            return Ok(place);
        }
        if functions.len() == FUNCTIONS_MAX {
            let message = format!("a condition has at most {FUNCTIONS_MAX} different functions");
            return Err(self.refuse_at(start, ConditionFault::Limit(message)));
        }
        functions.push(function.clone());
        Ok(functions.len() - 1)
    }

    /// `ema_count` counts one value: there has to be one, and no other.
    fn check_ema_count(&self) -> Result<(), ConditionFault> {
        let mut values = self.calls.functions.iter().filter_map(|function| match function {
            Function::Ema(ema) => Some(&ema.value),
            Function::Count(_) => None,
        });
        let Some(first) = values.next() else {
            return Err(ConditionFault::syntax(
                "`ema_count` needs an `ema(…)`; an argument of that name is `args.ema_count`",
            ));
        };
        values.find(|other| *other != first).map_or(Ok(()), |other| {
            let (first, other) = (kinds::describe(first), kinds::describe(other));
            Err(ConditionFault::Syntax(format!(
                "`ema_count` may count {first} or {other}: this condition has averages of both"
            )))
        })
    }
}
