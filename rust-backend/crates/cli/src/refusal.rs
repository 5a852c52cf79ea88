//! Errors of operations, as a command ends with them.

use operations::OperationError;
use service::process::Refused;

/// The error with which a command ends: wrong input is refused by exit code 2, as wrong usage is.
/// A key outside of a file is an option of the command.
pub(crate) fn ended(error: OperationError) -> anyhow::Error {
    refused(error, |key| format!("--{key}"))
}

/// The same where a key outside of a file is an argument, named as the help names it.
pub(crate) fn ended_at_argument(error: OperationError) -> anyhow::Error {
    refused(error, |key| format!("<{}>", key.to_uppercase()))
}

fn refused(error: OperationError, typed: impl Fn(String) -> String) -> anyhow::Error {
    let OperationError::Refused(mut problems) = error else { return error.into() };
    for problem in problems.iter_mut().filter(|problem| problem.file.is_none()) {
        problem.key = problem.key.take().map(&typed);
    }
    Refused::new(OperationError::Refused(problems).to_string()).into()
}
