//! Errors of operations, as a command ends with them.

use operations::{InputProblem, OperationError};
use service::process::Refused;

/// The error with which a command ends: wrong input is refused by exit code 2, as wrong usage is.
pub(crate) fn ended(error: OperationError) -> anyhow::Error {
    match error {
        OperationError::Refused(problems) => {
            let sentences: Vec<String> = problems.iter().map(sentence).collect();
            Refused::new(sentences.join("\n")).into()
        }
        OperationError::NotFound { .. }
        | OperationError::Conflict(_)
        | OperationError::Unavailable(_) => error.into(),
    }
}

/// The problem as its operation says it. A key outside of a file is an option of the command.
fn sentence(problem: &InputProblem) -> String {
    let is_option = problem.file.is_none() && problem.key.is_some();
    format!("{}{problem}", if is_option { "--" } else { "" })
}
