//! Signals and exit codes. Each test runs this test binary again, in the role of a service.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use service::config::Settings;
use service::logs::{LogStream, init};

/// Its presence is the role: what the service does with the first signal.
const ROLE: &str = "AGENTAURI_TEST_ROLE";

/// How long a service stays if no signal comes: only a failed test lets it wait.
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn the_first_signal_asks_and_the_process_ends_well() {
    if is_service() {
        end(service_that(true));
    }
    for signal in ["TERM", "INT"] {
        let mut service = Service::start("the_first_signal_asks_and_the_process_ends_well");
        service.signal(signal);
        assert_eq!(service.wait().code(), Some(0));
        let log = service.rest();
        assert!(log.contains(&format!("INFO Received SIG{signal}, shutting down")), "{log}");
    }
}

#[test]
fn the_second_signal_ends_a_process_that_does_not() {
    if is_service() {
        end(service_that(false));
    }
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut service = Service::start("the_second_signal_ends_a_process_that_does_not");
        service.signal("TERM");
        service.line("shutting down");
        service.signal(signal);
        assert_eq!(service.wait().code(), Some(code));
    }
}

#[test]
fn a_mistake_in_the_configuration_is_one_line_and_code_2() {
    if is_service() {
        end(service_that(true));
    }
    let test = "a_mistake_in_the_configuration_is_one_line_and_code_2";
    let output = command(test).env("AGENTAURI_LISTEN", "everywhere").output().expect("started");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("error: AGENTAURI_LISTEN: \"everywhere\" is neither"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

fn service_that(obeys: bool) -> ExitCode {
    service::process::run("service", async move {
        init(LogStream::Stdout, &Settings::load()?)?;
        let shutdown = service::signals::shutdown_token()?;
        // As one of our crates: this one is a stranger to the log's filter.
        tracing::info!(target: "service", "begun");
        tokio::time::timeout(PATIENCE, shutdown.cancelled()).await?;
        if !obeys {
            tokio::time::timeout(PATIENCE, std::future::pending()).await?;
        }
        Ok(())
    })
}

fn is_service() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Ends this process with a code that only a main can return otherwise.
fn end(code: ExitCode) -> ! {
    let known = (0..=u8::MAX).find(|number| ExitCode::from(*number) == code);
    std::process::exit(i32::from(known.expect("a code")))
}

fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", &format!("signals::{test}"), "--nocapture"]).env(ROLE, "service");
    command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Service {
    process: Child,
    output: Box<dyn BufRead>,
}

impl Service {
    fn start(test: &str) -> Self {
        let mut process = command(test).spawn().expect("started");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let mut service = Self { process, output: Box::new(output) };
        service.line("begun");
        service
    }

    /// Reads to the next line that contains `text`.
    fn line(&mut self, text: &str) {
        let mut seen = String::new();
        while !seen.contains(text) {
            seen.clear();
            let length = self.output.read_line(&mut seen).expect("text");
            assert!(length > 0, "the service ended before saying {text:?}");
        }
    }

    fn rest(&mut self) -> String {
        let mut text = String::new();
        self.output.read_to_string(&mut text).expect("text");
        text
    }

    fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(status.expect("kill").success());
    }

    fn wait(&mut self) -> ExitStatus {
        self.process.wait().expect("our child")
    }
}
