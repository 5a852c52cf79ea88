//! SPDX licence expressions: names, `AND` before `OR`, and parentheses.
//!
//! <https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/>

use std::iter::Peekable;
use std::str::SplitWhitespace;

type Words<'a> = Peekable<SplitWhitespace<'a>>;

/// True if licences of the list alone can fulfil the expression. False for a text that does not
/// parse.
pub(super) fn is_satisfied(expression: &str, allowed: &[&str]) -> bool {
    // A slash is an old spelling of OR; parentheses become words.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words, allowed) == Some(true) && words.next().is_none()
}

fn any(words: &mut Words<'_>, allowed: &[&str]) -> Option<bool> {
    let mut satisfied = all(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        satisfied |= all(words, allowed)?;
    }
    Some(satisfied)
}

fn all(words: &mut Words<'_>, allowed: &[&str]) -> Option<bool> {
    let mut satisfied = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        satisfied &= one(words, allowed)?;
    }
    Some(satisfied)
}

fn one(words: &mut Words<'_>, allowed: &[&str]) -> Option<bool> {
    let name = words.next()?;
    if name == "(" {
        let satisfied = any(words, allowed)?;
        return (words.next()? == ")").then_some(satisfied);
    }
    // An exception only adds rights.
    if words.next_if_eq(&"WITH").is_some() {
        words.next()?;
    }
    (!["AND", "OR", "WITH", ")"].contains(&name)).then(|| allowed.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spdx_says() {
        let satisfied = |expression| is_satisfied(expression, &["MIT", "ISC"]);
        for fine in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND ISC",
            "GPL-3.0 AND MPL-2.0 OR MIT",
            "(GPL-3.0 OR MIT) AND ISC",
            "MIT WITH an-exception",
        ] {
            assert!(satisfied(fine), "{fine}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT AND (GPL-3.0 OR MPL-2.0)",
            "MIT OR",
            "MIT ISC",
            "(MIT",
            "MIT)",
            "MIT WITH",
            "NOT MIT",
        ] {
            assert!(!satisfied(bad), "{bad}");
        }
    }
}
