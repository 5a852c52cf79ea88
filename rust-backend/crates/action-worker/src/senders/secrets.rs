//! Finds the secret of an action where its source says it is kept.
//!
//! Errors name the variable or the file, never its content, and never a name that breaks the rules
//! for names: it may be the secret itself, pasted there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use actions::secret::{Secret, SecretNameError, SecretPlace, VARIABLE_PREFIX};
use parking_lot::Mutex;
use service::config::is_open_to_others;

/// Eight secrets of the largest size take 800 bytes.
pub const FILE_BYTES_MAX: u64 = 4_096;

/// The variables and the directory in which secrets may be kept.
#[derive(Default)]
pub struct SecretContext {
    variables: BTreeMap<String, OsString>,
    directory: Option<PathBuf>,
    /// Files that others may read, each of which is told of once.
    open: Mutex<BTreeSet<String>>,
}

/// Why there is no secret. The operator provides it; a later attempt may find it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The place has a name under which no secret can be kept.
    #[error(transparent)]
    Name(#[from] SecretNameError),
    /// The variable does not exist.
    #[error("the variable {0} of the secret is not set")]
    VariableUnset(String),
    /// A file is named, and no directory is configured.
    #[error("the file {0} of the secret has no place: no directory of secrets is configured")]
    NoDirectory(String),
    /// The file cannot be read.
    #[error("the file {file} of the secret cannot be read: {error}")]
    FileUnreadable {
        /// Its name in the directory.
        file: String,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It is a link to somewhere else.
    #[error("the file {0} of the secret leads out of the directory of secrets")]
    FileOutside(String),
    /// It is a directory, a pipe or a device.
    #[error("the file {0} of the secret is not a regular file")]
    FileKind(String),
    /// Nobody's secret is that long.
    #[error("the file {0} of the secret has more than {FILE_BYTES_MAX} bytes")]
    FileSize(String),
}

impl SecretContext {
    /// Takes an environment, of which it keeps the variables for secrets, and the directory of
    /// secret files, if there is one.
    pub fn new(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        directory: Option<PathBuf>,
    ) -> Self {
        let variables = environment
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX));
        Self { variables: variables.collect(), directory, open: Mutex::default() }
    }

    /// Finds the secret. Reads a file anew each time, so that a rotated one is taken up.
    pub fn resolve(&self, place: &SecretPlace) -> Result<Secret, SecretError> {
        place.check_name()?;
        let bytes = match place {
            SecretPlace::Variable(env) => {
                let value = self.variables.get(env).cloned();
                value.ok_or_else(|| SecretError::VariableUnset(env.clone()))?.into_encoded_bytes()
            }
            SecretPlace::File(file) => self.file(file)?,
            SecretPlace::Inline(text) => text.clone().into_bytes(),
        };
        Ok(Secret::found(place, bytes))
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, SecretError> {
        let directory = self.directory.as_deref();
        let directory = directory.ok_or_else(|| SecretError::NoDirectory(name.to_owned()))?;
        let (bytes, is_open) = read(directory, name)?;
        // The file may be younger than the start, which warns about the files that exist.
        let mut open = self.open.lock();
        if is_open && open.insert(name.to_owned()) {
            tracing::warn!(file = name, "A secret's file may be read by others than its owner");
        }
        Ok(bytes)
    }
}

/// The content of the file, and true if other users may read it.
fn read(directory: &Path, name: &str) -> Result<(Vec<u8>, bool), SecretError> {
    let file = || name.to_owned();
    let unreadable = |error| SecretError::FileUnreadable { file: file(), error };
    // Links inside the directory are how Kubernetes mounts secrets; links out of it are refused.
    let directory = fs::canonicalize(directory).map_err(unreadable)?;
    let path = fs::canonicalize(directory.join(name)).map_err(unreadable)?;
    if !path.starts_with(&directory) {
        return Err(SecretError::FileOutside(file()));
    }
    // Asked before it is opened: opening a pipe waits for its writer.
    let metadata = fs::metadata(&path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(SecretError::FileKind(file()));
    }
    let mut bytes = Vec::new();
    let opened = File::open(&path).map_err(unreadable)?;
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(SecretError::FileSize(file()));
    }
    Ok((bytes, is_open_to_others(&metadata)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn variable(name: &str) -> SecretPlace {
        SecretPlace::Variable(name.to_owned())
    }

    fn file(name: &str) -> SecretPlace {
        SecretPlace::File(name.to_owned())
    }

    fn refusal(context: &SecretContext, source: &SecretPlace) -> String {
        context.resolve(source).expect_err("refused").to_string()
    }

    #[test]
    fn a_secret_is_found_in_a_variable_in_a_file_and_inline() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("hook"), format!("{SECRET}\r\n")).expect("written");
        fs::write(directory.path().join("two"), format!("{SECRET}\n{SECRET}\n")).expect("written");
        symlink("hook", directory.path().join("link")).expect("linked");
        let environment = [("AGENTAURI_SECRET_HOOK".into(), SECRET.into())];
        let context = SecretContext::new(environment, Some(directory.path().to_owned()));
        let text = |place| context.resolve(&place).expect("found").text().into_owned();
        assert_eq!(text(SecretPlace::Inline(SECRET.to_owned())), SECRET);
        assert_eq!(text(variable("AGENTAURI_SECRET_HOOK")), SECRET);
        for name in ["hook", "link"] {
            assert_eq!(text(file(name)), format!("{SECRET}\r\n"));
        }
        assert_eq!(text(file("two")), format!("{SECRET}\n{SECRET}\n"));
    }

    #[test]
    fn no_other_variable_is_read() {
        let environment = [("DATABASE_URL".into(), SECRET.into())];
        let context = SecretContext::new(environment, None);
        assert!(context.variables.is_empty());
        let refused = refusal(&context, &variable("DATABASE_URL"));
        assert!(refused.contains("must be named AGENTAURI_SECRET_ and"), "{refused}");
        for name in ["AGENTAURI_SECRET_A\nB", "AGENTAURI_SECRET_A=B", "agentauri_secret_a"] {
            let error = context.resolve(&variable(name)).expect_err("refused");
            assert!(
                matches!(error, SecretError::Name(SecretNameError::Variable)),
                "{name}: {error}"
            );
        }
        let refused = refusal(&context, &variable("AGENTAURI_SECRET_GONE"));
        assert_eq!(refused, "the variable AGENTAURI_SECRET_GONE of the secret is not set");
    }

    #[test]
    fn no_file_outside_of_the_directory_is_read() {
        let outside = tempfile::tempdir().expect("a directory");
        let directory = outside.path().join("secrets");
        fs::create_dir_all(directory.join("folder")).expect("a directory");
        fs::write(outside.path().join("hook"), SECRET).expect("written");
        fs::write(directory.join("large"), [b'x'; 4_097]).expect("written");
        symlink("../hook", directory.join("out")).expect("linked");
        symlink(outside.path().join("hook"), directory.join("absolute")).expect("linked");
        let context = SecretContext::new([], Some(directory));
        for name in ["", ".", "..", "../hook", "folder/x", "/etc/passwd", ".hidden", "a\0b", "a\\b"]
        {
            let error = context.resolve(&file(name)).expect_err("refused");
            assert!(matches!(error, SecretError::Name(SecretNameError::File)), "{name:?}: {error}");
        }
        for (name, words) in [
            ("out", "the file out of the secret leads out of the directory of secrets"),
            ("absolute", "leads out of the directory"),
            ("folder", "is not a regular file"),
            ("large", "has more than 4096 bytes"),
            ("absent", "the file absent of the secret cannot be read: No such file"),
        ] {
            let refused = refusal(&context, &file(name));
            assert!(refused.contains(words), "{refused}");
        }
        let refused = refusal(&SecretContext::default(), &file("hook"));
        assert!(refused.contains("no directory of secrets is configured"), "{refused}");
    }

    #[test]
    fn an_error_never_says_what_was_pasted() {
        let context = SecretContext::default();
        for pasted in [variable("hunter2"), file("/hunter2")] {
            let refused = refusal(&context, &pasted);
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
