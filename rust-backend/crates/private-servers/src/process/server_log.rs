//! A server's log: one file per run, the one before it, and its end for our errors.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::Error;

/// Bytes of a log that an error shows.
const TAIL_BYTES_MAX: u64 = 2_000;

/// Begins a new log at `path`; keeps the last one with `.old` added. So a log never holds more than
/// one run.
pub(crate) fn begin(path: &Path) -> Result<File, Error> {
    let mut old = path.as_os_str().to_owned();
    old.push(".old");
    match fs::rename(path, &old) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(path)(error)),
        _ => {}
    }
    OpenOptions::new().create_new(true).append(true).mode(0o600).open(path).map_err(Error::io(path))
}

/// The last lines of the log at `path`; empty if it cannot be read.
pub(crate) fn tail(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))?;
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)
    });
    match read {
        Ok(_) => String::from_utf8_lossy(&bytes).trim_end().to_owned(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_error_shows_the_end_of_the_log_and_the_last_run_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("server.log");
        let mut first = begin(&path).expect("a log");
        writeln!(first, "{}last words", "x".repeat(5_000)).expect("written");
        assert!(tail(&path).ends_with("xlast words"));
        assert_eq!(tail(&path).len() + 1, 2_000);

        begin(&path).expect("a log");
        assert_eq!(tail(&path), "");
        assert!(tail(&folder.path().join("server.log.old")).ends_with("last words"));
    }
}
