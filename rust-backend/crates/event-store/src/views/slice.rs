//! A part of a list, and where the next one begins.
//!
//! A list is read along an index, newest first, and each row that is read is asked whether it is
//! wanted. A filter that hardly any row passes would read the whole table, so a slice ends after
//! [`ROWS_READ_MAX`] rows, found or not, and says from which row on the next one reads.

/// Rows that a slice reads at most: some 20 ms.
pub const ROWS_READ_MAX: i64 = 20_000;

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Slice<T, P> {
    /// Its rows, in the list's order. Fewer than were asked for do not mean that the list has
    /// ended.
    pub rows: Vec<T>,
    /// The last row that was read; `None` at the list's end.
    pub next: Option<P>,
}

/// A row as the statement of a list gives it.
pub(crate) struct ReadRow<T, P> {
    pub(crate) row: T,
    pub(crate) position: P,
    /// The number of rows read up to this one. Statements promise no order.
    pub(crate) place: i64,
    pub(crate) is_wanted: bool,
}

/// Makes a slice of at most `rows_max` rows out of a statement's: the wanted ones, one more
/// than `rows_max` if there are as many, and the last row that was read.
pub(crate) fn slice<T, P: Clone>(mut read: Vec<ReadRow<T, P>>, rows_max: i64) -> Slice<T, P> {
    read.sort_by_key(|row| row.place);
    let rows_max = usize::try_from(rows_max).unwrap_or(0);
    let mut slice = Slice { rows: Vec::with_capacity(rows_max.min(read.len())), next: None };
    let mut last = None;
    for ReadRow { row, position, place, is_wanted } in read {
        if is_wanted && slice.rows.len() == rows_max {
            slice.next = last;
            return slice;
        }
        if is_wanted {
            slice.rows.push(row);
        }
        if place == ROWS_READ_MAX {
            slice.next = Some(position.clone());
        }
        last = Some(position);
    }
    slice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &[(i64, bool)]) -> Vec<ReadRow<i64, i64>> {
        let read = |&(place, is_wanted)| ReadRow { row: place, position: place, place, is_wanted };
        rows.iter().map(read).collect()
    }

    #[test]
    fn a_slice_goes_on_behind_the_last_row_it_gives() {
        let cut = slice(read(&[(3, true), (1, true), (2, true)]), 2);
        assert_eq!((cut.rows, cut.next), (vec![1, 2], Some(2)));
        let all = slice(read(&[(1, true), (2, true)]), 2);
        assert_eq!((all.rows, all.next), (vec![1, 2], None));
    }

    #[test]
    fn a_slice_that_read_enough_goes_on_behind_the_last_row_read() {
        let none = slice(read(&[(ROWS_READ_MAX, false)]), 2);
        assert_eq!((none.rows.len(), none.next), (0, Some(ROWS_READ_MAX)));
        let some = slice(read(&[(7, true), (ROWS_READ_MAX, true)]), 2);
        assert_eq!((some.rows, some.next), (vec![7, ROWS_READ_MAX], Some(ROWS_READ_MAX)));
        let cut = slice(read(&[(7, true), (ROWS_READ_MAX, true)]), 1);
        assert_eq!((cut.rows, cut.next), (vec![7], Some(7)));
    }
}
