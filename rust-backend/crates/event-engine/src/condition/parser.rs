//! Reads a condition by descent: `||`, then `&&`, then `!`, then a comparison.

use std::fmt;

use super::comparison::Comparison;
use super::error::{ConditionError, ConditionFault};
use super::expression::Expression;
use super::field::Field;
use super::lexer::{Lexeme, Lexer, Token};
use super::operand::Operand;
use super::selected::SelectedEvents;
use super::{COMPARISONS_MAX, DEPTH_MAX, word};
use crate::condition::functions::call::Calls;
use crate::condition::functions::function::Function;
use crate::condition::functions::kinds::{self, Side};

/// Reads a text whose length is within the limit, and the functions it uses.
pub(super) fn parse(
    source: &str,
    selected: Option<&SelectedEvents>,
) -> Result<(Expression, Box<[Function]>), ConditionError> {
    let mut parser = Parser::new(source, selected, "end of condition")?;
    if matches!(parser.current.token, Token::End) {
        return Err(parser.refuse_at(0, ConditionFault::syntax("the condition is empty")));
    }
    let expression = parser.any("")?;
    match parser.current.token {
        Token::End => Ok((expression, parser.functions()?)),
        Token::Close => Err(parser.refuse(ConditionFault::syntax("this \")\" closes nothing"))),
        _ => Err(parser.expected("\"&&\", \"||\" or the end")),
    }
}

/// Reads a text that is one name of an event's, and whose length is within the limit.
pub(super) fn name(
    source: &str,
    selected: Option<&SelectedEvents>,
) -> Result<Operand, ConditionError> {
    let mut parser = Parser::new(source, selected, "the end")?;
    let start = parser.current.start;
    let operand = match parser.current.token {
        Token::Name(name) => parser.named(name)?,
        _ => return Err(parser.expected("a name such as `agent_id`")),
    };
    let shown = kinds::describe(&operand);
    if !matches!(operand, Operand::Field(_) | Operand::Argument(_)) {
        let message = format!("{shown} is no name of an event's, such as `agent_id`");
        return Err(parser.refuse_at(start, ConditionFault::Syntax(message)));
    }
    match parser.current.token {
        Token::End => Ok(operand),
        _ => Err(parser.expected(format_args!("nothing after {shown}"))),
    }
}

pub(super) struct Parser<'s> {
    source: &'s str,
    /// The events that the condition is for, where they are known.
    selected: Option<&'s SelectedEvents>,
    /// What messages call the end of the source.
    end: &'static str,
    pub(super) lexer: Lexer<'s>,
    /// The token that is not yet taken.
    pub(super) current: Lexeme<'s>,
    /// Open parentheses and pending `!`.
    depth: usize,
    comparisons: usize,
    pub(super) calls: Calls,
}

/// `after` says in messages where something is expected: ` after "&&"`.
impl<'s> Parser<'s> {
    fn new(
        source: &'s str,
        selected: Option<&'s SelectedEvents>,
        end: &'static str,
    ) -> Result<Self, ConditionError> {
        let mut lexer = Lexer::new(source);
        let current = lexer.next()?;
        let calls = Calls::default();
        Ok(Self { source, selected, end, lexer, current, depth: 0, comparisons: 0, calls })
    }

    pub(super) fn any(&mut self, after: &str) -> Result<Expression, ConditionError> {
        let mut parts = vec![self.all(after)?];
        while matches!(self.current.token, Token::Or) {
            self.advance()?;
            parts.push(self.all(" after \"||\"")?);
        }
        Ok(Expression::any(parts))
    }

    fn all(&mut self, after: &str) -> Result<Expression, ConditionError> {
        let mut parts = vec![self.term(after, false)?];
        while matches!(self.current.token, Token::And) {
            self.advance()?;
            parts.push(self.term(" after \"&&\"", false)?);
        }
        Ok(Expression::all(parts))
    }

    /// `negated` where a `!` stands before the term.
    fn term(&mut self, after: &str, negated: bool) -> Result<Expression, ConditionError> {
        match self.current.token {
            Token::Not => {
                self.deepen()?;
                self.advance()?;
                let inner = self.term(" after \"!\"", true)?;
                self.depth -= 1;
                Ok(Expression::Not(Box::new(inner)))
            }
            Token::Open => self.group(),
            _ => self.comparison(after, negated),
        }
    }

    fn group(&mut self) -> Result<Expression, ConditionError> {
        let open = self.current.start;
        self.deepen()?;
        self.advance()?;
        let inner = self.any(" after \"(\"")?;
        self.close(open)?;
        if let Token::Operator(operator) = self.current.token {
            let message =
                format!("\"{operator}\" compares values: parentheses hold a whole condition");
            return Err(self.refuse(ConditionFault::Syntax(message)));
        }
        Ok(inner)
    }

    /// Takes the `)` for the `(` at `open`.
    pub(super) fn close(&mut self, open: usize) -> Result<(), ConditionError> {
        if !matches!(self.current.token, Token::Close) {
            let column = ConditionError::at(self.source, open, ConditionFault::syntax("")).column;
            return Err(self.expected(format_args!("\")\" for the \"(\" in column {column}")));
        }
        self.depth -= 1;
        self.advance().map(drop)
    }

    /// The current token is a `(` or `!`.
    pub(super) fn deepen(&mut self) -> Result<(), ConditionError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let message = format!("\"(\" and \"!\" nest at most {DEPTH_MAX} deep");
            return Err(self.refuse(ConditionFault::Limit(message)));
        }
        Ok(())
    }

    fn comparison(&mut self, after: &str, negated: bool) -> Result<Expression, ConditionError> {
        let left_at = self.current.start;
        let left = self.operand(format_args!("a condition{after}"))?;
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            let message = format!("a condition has at most {COMPARISONS_MAX} comparisons");
            return Err(self.refuse_at(left_at, ConditionFault::Limit(message)));
        }
        let Token::Operator(operator) = self.current.token else {
            return self.alone(left, left_at);
        };
        if negated {
            let message =
                format!("\"!\" binds tighter than \"{operator}\": write !(… {operator} …)");
            return Err(self.refuse(ConditionFault::Syntax(message)));
        }
        self.advance()?;
        let right_at = self.current.start;
        let right = self.operand(format_args!("a value after \"{operator}\""))?;
        if let Token::Operator(_) = self.current.token {
            let message = "comparisons do not chain: join two with \"&&\"";
            return Err(self.refuse(ConditionFault::syntax(message)));
        }
        let of_selected =
            || self.selected.map_or(Ok(()), |selected| selected.check(&left, operator, &right));
        let checked = kinds::check(&left, operator, &right).and_then(|()| of_selected());
        checked.map_err(|(side, fault)| {
            let offset = match side {
                Side::Left => left_at,
                Side::Right => right_at,
            };
            self.refuse_at(offset, fault)
        })?;
        Ok(Expression::Comparison(Box::new(Comparison { left, operator, right })))
    }

    /// An operand that no operator follows.
    fn alone(&self, operand: Operand, offset: usize) -> Result<Expression, ConditionError> {
        match self.current.token {
            Token::And | Token::Or | Token::Close | Token::End => {
                kinds::check_alone(&operand).map_err(|fault| self.refuse_at(offset, fault))?;
                self.check_selected(offset, |selected| selected.check_alone(&operand))?;
                Ok(Expression::Flag(operand))
            }
            _ => {
                let shown = kinds::describe(&operand);
                Err(self.expected(format_args!("an operator after {shown}")))
            }
        }
    }

    /// `wanted` names in messages what is expected here.
    pub(super) fn operand(
        &mut self,
        wanted: fmt::Arguments<'_>,
    ) -> Result<Operand, ConditionError> {
        if let Token::Name(name) = self.current.token {
            return self.named(name);
        }
        if matches!(self.current.token, Token::Dot) {
            let message = "unexpected \".\": a number begins with a digit, as in 0.5";
            return Err(self.refuse(ConditionFault::syntax(message)));
        }
        if !matches!(self.current.token, Token::Number(_) | Token::Quoted(_)) {
            return Err(self.expected(wanted));
        }
        match self.advance()?.token {
            Token::Number(number) => Ok(Operand::Number(number)),
            Token::Quoted(quoted) => Ok(Operand::Quoted(Box::new(quoted))),
            _ => unreachable!("numbers and texts only pass the check above"),
        }
    }

    fn named(&mut self, name: &str) -> Result<Operand, ConditionError> {
        if let Some(fault) = word::slip(name) {
            return Err(self.refuse(fault));
        }
        let start = self.advance()?.start;
        let operand = match self.current.token {
            Token::Open => self.call(name, start)?,
            _ if name == word::ARGS => self.explicit()?,
            Token::Dot => {
                let shown = word::in_backticks(name);
                let message = format!("{shown} has no parts: only `args.` stands before a name");
                return Err(self.refuse(ConditionFault::Syntax(message)));
            }
            _ if name == word::EMA_COUNT => self.ema_count(start)?,
            _ => match (word::flag(name), Field::named(name)) {
                (Some(flag), _) => Operand::Flag(flag),
                (None, Some(field)) => Operand::Field(field),
                (None, None) => Operand::Argument(name.into()),
            },
        };
        self.check_selected(start, |selected| selected.check_name(&operand))?;
        Ok(operand)
    }

    /// Asks the selected events, where they are known, about the text at `offset`.
    pub(super) fn check_selected(
        &self,
        offset: usize,
        check: impl FnOnce(&SelectedEvents) -> Result<(), ConditionFault>,
    ) -> Result<(), ConditionError> {
        let checked = self.selected.map_or(Ok(()), check);
        checked.map_err(|fault| self.refuse_at(offset, fault))
    }

    /// The `.name` behind `args`.
    fn explicit(&mut self) -> Result<Operand, ConditionError> {
        if !matches!(self.current.token, Token::Dot) {
            return Err(self.expected("\".\" and a name after `args`"));
        }
        self.advance()?;
        let Token::Name(name) = self.current.token else {
            return Err(self.expected("a name after `args.`"));
        };
        self.advance()?;
        Ok(Operand::Argument(name.into()))
    }

    /// Takes the current token.
    pub(super) fn advance(&mut self) -> Result<Lexeme<'s>, ConditionError> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.current, next))
    }

    fn refuse(&self, fault: ConditionFault) -> ConditionError {
        self.refuse_at(self.current.start, fault)
    }

    pub(super) fn refuse_at(&self, offset: usize, fault: ConditionFault) -> ConditionError {
        ConditionError::at(self.source, offset, fault)
    }

    pub(super) fn expected(&self, wanted: impl fmt::Display) -> ConditionError {
        let Lexeme { token, start, end } = &self.current;
        let written = word::shortened(&self.source[*start..*end]);
        let found = match token {
            Token::Name(name) => match word::slip(name) {
                Some(fault) => return self.refuse(fault),
                None => word::in_backticks(name),
            },
            Token::End => self.end.to_owned(),
            Token::Number(_) | Token::Quoted(_) => written,
            _ => format!("\"{written}\""),
        };
        self.refuse(ConditionFault::Syntax(format!("expected {wanted}, found {found}")))
    }
}
