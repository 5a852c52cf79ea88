//! The command line of a process that is configured by its environment alone.

/// Answers `--help` and `--version`, and ends the process with 2 for anything else.
pub fn refuse_all(name: &'static str, about: &'static str, examples: &'static str) {
    clap::Command::new(name)
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .after_help(examples)
        .get_matches();
}
