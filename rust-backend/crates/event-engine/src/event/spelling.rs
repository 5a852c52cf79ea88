//! Proposals for a misspelt name.

/// Wrong letters at most, however long the name is.
const TYPOS_MAX: usize = 6;
/// Names that a sentence lists.
const LISTED_MAX: usize = 16;

/// The known name that was probably meant: at most a quarter of its letters are wrong. Case and `_`
/// are no letters: `client_address` is `clientAddress`.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let written = letters(name);
    let typos = known.into_iter().map(|known| (distance(&written, &letters(known)), known));
    let (typos, known) = typos.min_by_key(|(typos, _)| *typos)?;
    (typos <= (known.len() / 4).clamp(1, TYPOS_MAX)).then_some(known)
}

/// `; did you mean NAME?`, or else the sentence `list` and the names, if they are not too many.
pub fn proposal<'k>(
    name: &str,
    known: impl IntoIterator<Item = &'k str> + Clone,
    list: &str,
) -> String {
    if let Some(meant) = nearest(name, known.clone()) {
        return format!("; did you mean `{meant}`?");
    }
    let mut names: Vec<&str> = Vec::new();
    for known in known {
        if !names.contains(&known) {
            names.push(known);
        }
    }
    if names.len() > LISTED_MAX {
        return String::new();
    }
    format!("; {list} `{}`", names.join("`, `"))
}

/// At most 64: longer names are of strangers, and no known one is near.
fn letters(name: &str) -> Vec<char> {
    let letters = name.chars().filter(|letter| *letter != '_').take(64);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The number of letters to add, remove, replace or swap with the next (optimal string alignment).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.iter().enumerate() {
        let mut next = vec![line + 1];
        for (column, b) in other.iter().enumerate() {
            let replaced = row[column] + usize::from(a != b);
            let mut least = replaced.min(row[column + 1] + 1).min(next[column] + 1);
            let swapped = line > 0 && column > 0 && one[line - 1] == *b && *a == other[column - 1];
            if swapped {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant_and_a_stranger_none() {
        let known = ["NewFeedback", "FeedbackRevoked", "score", "clientAddress", "tag1"];
        for (slip, meant) in [
            ("NewFedback", Some("NewFeedback")),
            ("newfeedback", Some("NewFeedback")),
            ("scroe", Some("score")),
            ("client_address", Some("clientAddress")),
            ("Tag", Some("tag1")),
            ("Minted", None),
            ("", None),
        ] {
            assert_eq!(nearest(slip, known), meant, "{slip}");
        }
    }
}
