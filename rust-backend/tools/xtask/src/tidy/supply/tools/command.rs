//! Commands that fetch a tool, and the ways they name its version.

use super::image::is_tagged;
use super::is_exact;

/// The fetching verbs of some programs, and the check of the version in their arguments.
struct Fetching {
    programs: &'static [&'static str],
    verbs: &'static [&'static str],
    check: fn(&[&str]) -> Option<String>,
}

const NPMS: &[&str] = &["npm", "pnpm", "yarn", "bun"];
const FETCHING: [Fetching; 8] = [
    Fetching { programs: &["cargo"], verbs: &["install", "binstall"], check: cargo },
    Fetching { programs: NPMS, verbs: &["install", "i", "add"], check: npm },
    Fetching { programs: NPMS, verbs: &["exec", "x", "dlx", "create", "init"], check: runner },
    Fetching { programs: &["npx", "bunx", "pnpx", "uvx"], verbs: &[], check: runner },
    Fetching { programs: &["pip", "pip3", "pipx", "uv"], verbs: &["install"], check: pip },
    Fetching { programs: &["go"], verbs: &["install", "get", "run"], check: go },
    Fetching { programs: &["gem"], verbs: &["install"], check: gem },
    Fetching { programs: &["docker", "podman"], verbs: &["run", "pull", "create"], check: docker },
];

const SHELLS: [&str; 5] = ["sh", "bash", "zsh", "python", "python3"];
/// Options of `docker run` whose value is the next word.
const DOCKERS: [&str; 15] = [
    "-e",
    "-p",
    "-v",
    "-w",
    "-u",
    "-h",
    "-l",
    "--name",
    "--network",
    "--env",
    "--env-file",
    "--publish",
    "--volume",
    "--user",
    "--entrypoint",
];
/// Words between a program and its verb.
const BETWEEN: [&str; 2] = ["tool", "global"];
/// Options of pip's and npm's whose value is the next word.
const VALUED: [&str; 6] = ["-r", "-c", "--prefix", "--index-url", "--registry", "--target"];

/// The problem of a command that fetches a tool; `None` if it names a version or fetches no tool.
pub(super) fn unversioned(words: &[&str]) -> Option<String> {
    let (program, _) = words.split_first()?;
    if is_piped_into_a_shell(words) {
        return Some(format!("{program} runs a fetched script of no fixed version"));
    }
    (0..words.len()).find_map(|at| {
        let (program, words) = words[at..].split_first()?;
        let mut of_it = FETCHING.iter().filter(|fetching| fetching.programs.contains(program));
        of_it.find_map(|fetching| (fetching.check)(behind_verb(words, fetching.verbs)?))
    })
}

/// The arguments after the verb. Options may precede it.
fn behind_verb<'a, 'b>(words: &'a [&'b str], verbs: &[&str]) -> Option<&'a [&'b str]> {
    if verbs.is_empty() {
        return Some(words);
    }
    let at = words.iter().position(|word| verbs.contains(word))?;
    let mut before = words[..at].iter();
    while let Some(word) = before.next() {
        if !word.starts_with(['-', '+']) && !BETWEEN.contains(word) {
            return None;
        }
        if VALUED.contains(word) {
            before.next();
        }
    }
    Some(&words[at + 1..])
}

fn is_piped_into_a_shell(words: &[&str]) -> bool {
    let fetches = words.iter().any(|word| ["curl", "wget"].contains(word));
    let pipes = words.windows(2).any(|pair| pair[0] == "|" && SHELLS.contains(&pair[1]));
    let behind_sudo =
        words.windows(3).any(|three| three[..2] == ["|", "sudo"] && SHELLS.contains(&three[2]));
    fetches && (pipes || behind_sudo)
}

/// Requires `--locked` beside the version: without it cargo builds with newer packages than the
/// tool's authors tested.
fn cargo(arguments: &[&str]) -> Option<String> {
    let version = value(arguments, "--version").or_else(|| value(arguments, "--vers"));
    let tools =
        plain(arguments, &["--version", "--vers", "--git", "--rev", "--path", "--features"]);
    let is_fixed = if value(arguments, "--git").is_some() {
        value(arguments, "--rev").is_some()
    } else {
        value(arguments, "--path").is_some()
            || version.is_some_and(is_version)
            || !tools.is_empty() && tools.iter().all(|tool| has_version(tool, "@"))
    };
    // Without arguments the text is part of a sentence.
    (!arguments.is_empty() && (!is_fixed || !arguments.contains(&"--locked")))
        .then(|| sentence("cargo installs", &tools, "--locked --version 1.2.3"))
}

fn npm(arguments: &[&str]) -> Option<String> {
    let packages = plain(arguments, &VALUED);
    if packages.is_empty() {
        return Some("write `npm ci`: it installs what the lock file names".to_owned());
    }
    let is_fixed = |package: &&str| has_version(package, "@") || package.starts_with('.');
    (!packages.iter().all(is_fixed)).then(|| sentence("npm fetches", &packages, "NAME@1.2.3"))
}

/// Checks the first word, which is the package; the others are the package's arguments.
fn runner(arguments: &[&str]) -> Option<String> {
    let is_local = arguments.contains(&"--no-install") || arguments.contains(&"--no");
    let package = *plain(arguments, &VALUED).first()?;
    (!is_local && !has_version(package, "@"))
        .then(|| sentence("this fetches and runs", &[package], "NAME@1.2.3, or --no-install"))
}

fn pip(arguments: &[&str]) -> Option<String> {
    let packages = plain(arguments, &VALUED);
    let is_fixed = |package: &&str| has_version(package, "==") || package.starts_with('.');
    let is_right = match value(arguments, "-r") {
        Some(_) => arguments.contains(&"--require-hashes"),
        None => packages.iter().all(is_fixed),
    };
    (!is_right).then(|| sentence("pip fetches", &packages, "NAME==1.2.3"))
}

fn go(arguments: &[&str]) -> Option<String> {
    let plain = plain(arguments, &[]);
    let foreign = |path: &&str| path.contains('.') && path.contains('/') && !path.starts_with('.');
    let is_fixed = |path: &&str| {
        path.rsplit_once('@').is_some_and(|(_, v)| is_version(v.trim_start_matches('v')))
    };
    let unfixed: Vec<_> =
        plain.into_iter().filter(|path| foreign(path) && !is_fixed(path)).collect();
    (!unfixed.is_empty()).then(|| sentence("go fetches", &unfixed, "PATH@v1.2.3"))
}

fn gem(arguments: &[&str]) -> Option<String> {
    let version = value(arguments, "-v").or_else(|| value(arguments, "--version"));
    let plain = plain(arguments, &["-v", "--version"]);
    (!plain.is_empty() && !version.is_some_and(is_version))
        .then(|| sentence("gem fetches", &plain, "-v 1.2.3"))
}

fn docker(arguments: &[&str]) -> Option<String> {
    let image = plain(arguments, &DOCKERS).first().copied()?;
    (!is_tagged(image)).then(|| sentence("an image is fetched:", &[image], "NAME:1.2"))
}

/// The value of an option, as `--option value` or `--option=value`.
fn value<'a>(arguments: &[&'a str], option: &str) -> Option<&'a str> {
    arguments.iter().enumerate().find_map(|(at, word)| match word.strip_prefix(option)? {
        "" => arguments.get(at + 1).copied(),
        rest => rest.strip_prefix('='),
    })
}

/// Arguments that are neither options nor the values of `valued` options.
fn plain<'a>(arguments: &[&'a str], valued: &[&str]) -> Vec<&'a str> {
    let before = std::iter::once(&"").chain(arguments);
    let words = arguments.iter().zip(before).take_while(|(word, _)| **word != "--");
    words
        .filter(|(word, before)| !word.starts_with(['-', '+', '|']) && !valued.contains(before))
        .map(|(word, _)| *word)
        .collect()
}

fn has_version(package: &str, before: &str) -> bool {
    package.rsplit_once(before).is_some_and(|(_, version)| is_version(version))
}

/// True for one version, or a variable that holds it.
fn is_version(version: &str) -> bool {
    version.starts_with('$') && version.len() > 1 || is_exact(version.trim_start_matches('='))
}

fn sentence(what: &str, tools: &[&str], how: &str) -> String {
    format!("{what} {} in no fixed version; write {how}", tools.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_found(command: &str) -> bool {
        unversioned(&command.split(' ').collect::<Vec<_>>()).is_some()
    }

    #[test]
    fn a_tool_without_one_version_is_found() {
        for arguments in [
            "cargo install tool --locked",
            "cargo install tool --version 1.2.3",
            "cargo install tool --locked --version 1.2",
            "cargo install tool --locked --version ^1.2.3",
            "cargo +stable install --locked one@1.2.3 two",
            "cargo binstall tool",
            "cargo install --locked --git https://example.org/tool",
            "npm install",
            "npm install tool",
            "npm --prefix devnet i -g tool@latest",
            "npm add @scope/tool",
            "npm exec tool@^1.2.3",
            "pnpm dlx tool",
            "npx tool --option",
            "npx --yes tool@next",
            "pip install tool",
            "pip3 install tool>=1.2.3",
            "python3 -m pip install -r requirements.txt",
            "uv tool install tool",
            "uvx tool",
            "npm create app",
            "cargo install --path crates/cli",
            "pipx install tool==1.2.*",
            "go install example.org/tool@latest",
            "gem install tool",
            "docker run --rm -e A=1 image",
            "docker pull image:latest",
            "curl -sSf https://example.org | sh",
            "wget -qO- https://example.org | sudo bash -s",
            "RUN cd x then npm install tool",
        ] {
            assert!(is_found(arguments), "{arguments}");
        }
    }

    #[test]
    fn one_version_and_what_fetches_nothing_are_right() {
        for arguments in [
            "cargo install tool --locked --version 1.2.3",
            "cargo install tool --locked --version=$VERSION",
            "cargo install --locked tool@1.2.3",
            "cargo install --locked --path crates/cli",
            "cargo install --locked --git https://example.org/tool --rev 0123",
            "cargo build --release --locked",
            "npm ci --no-audit",
            "npm run install",
            "npm install tool@1.2.3",
            "npm exec @scope/tool@1.2.3 -- --option word",
            "npm init -y",
            "uvx tool@1.2.3",
            "npx --no-install tool",
            "npx tool@1.2.3 --option",
            "pip install tool==1.2.3",
            "pip install --require-hashes -r requirements.txt",
            "go install example.org/tool@v1.2.3",
            "go run ./command",
            "gem install tool -v 1.2.3",
            "docker run --rm -e A=1 image:1.2 command",
            "docker compose run --detach ponder",
            "apt-get install -y tool",
            "curl -s http://127.0.0.1:9464/health | grep ok",
        ] {
            assert!(!is_found(arguments), "{arguments}");
        }
    }
}
