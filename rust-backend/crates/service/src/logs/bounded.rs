//! Bounds the length of a line: a server's error may be as long as the server likes.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// Bytes of a line. The longest of our own are a tenth of it.
const LINE_BYTES_MAX: usize = 4_096;

/// Makes writers that shorten each line.
pub(super) struct Bounded<M>(pub(super) M);

/// A writer that is given each line whole, and shortens it.
pub(super) struct BoundedWriter<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Bounded<M> {
    type Writer = BoundedWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        BoundedWriter(self.0.make_writer())
    }
}

impl<W: Write> Write for BoundedWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.len() <= LINE_BYTES_MAX {
            return self.0.write(line);
        }
        let shown = &line[..whole_characters(line)];
        self.0.write_all(shown)?;
        writeln!(self.0, "… ({} bytes left out)", line.len() - shown.len())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The bound, or the end of the character before it.
fn whole_characters(line: &[u8]) -> usize {
    let is_within = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    (0..=LINE_BYTES_MAX).rev().find(|at| !is_within(line[*at])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_between_characters() {
        for head in 0..4 {
            let line = "x".repeat(head) + &"é".repeat(LINE_BYTES_MAX) + "\n";
            let mut page = Vec::new();
            BoundedWriter(&mut page).write_all(line.as_bytes()).expect("written");
            let text = String::from_utf8(page).expect("whole characters");
            let (shown, rest) = text.split_once('…').expect("cut");
            let left_out = format!(" ({} bytes left out)\n", line.len() - shown.len());
            assert_eq!(rest, left_out);
            assert!(shown.len() > LINE_BYTES_MAX - 4 && line.starts_with(shown));
        }
    }
}
