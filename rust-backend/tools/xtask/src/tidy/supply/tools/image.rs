//! Images of containers: in Dockerfiles, and in files of compose or of Kubernetes.

use crate::tree::lines;

const YAML: [&str; 2] = [".yaml", ".yml"];

/// Lines and images without a tag or a digest.
pub(super) fn untagged<'a>(path: &str, text: &'a str) -> Vec<(usize, &'a str)> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let images: Vec<(usize, &str)> = if name.contains("Dockerfile") || name == "Containerfile" {
        in_dockerfile(text)
    } else if YAML.iter().any(|ending| name.ends_with(ending)) {
        lines(text).filter_map(|(number, line)| Some((number, of_yaml(line)?))).collect()
    } else {
        Vec::new()
    };
    images.into_iter().filter(|(_, image)| !is_tagged(image)).collect()
}

/// The images in `FROM IMAGE AS STAGE` and `COPY --from=IMAGE`; a stage of the file itself is no
/// image.
fn in_dockerfile(text: &str) -> Vec<(usize, &str)> {
    let (mut images, mut stages) = (Vec::new(), vec!["scratch"]);
    for (number, line) in lines(text) {
        let mut words = line.split_whitespace().filter(|word| !word.starts_with("--platform"));
        let image = match words.next() {
            Some("FROM") => words.next(),
            Some("COPY" | "ADD") => words.find_map(|word| word.strip_prefix("--from=")),
            _ => None,
        };
        let is_number = |image: &str| image.bytes().all(|byte| byte.is_ascii_digit());
        images.extend(
            image
                .filter(|image| !stages.contains(image) && !is_number(image))
                .map(|image| (number, image)),
        );
        if line.starts_with("FROM ")
            && words.next().is_some_and(|word| word.eq_ignore_ascii_case("as"))
        {
            stages.extend(words.next());
        }
    }
    images
}

fn of_yaml(line: &str) -> Option<&str> {
    let line = line.trim_start().trim_start_matches("- ");
    let image = line.strip_prefix("image:")?.split(" #").next()?.trim();
    Some(image.trim_matches(['"', '\'']))
}

/// Looks after the last slash, because a registry's host may have a port.
pub(super) fn is_tagged(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    let tag = name.split_once(':').map(|(_, tag)| tag);
    image.contains("@sha256:")
        || image.starts_with('$')
        || tag.is_some_and(|tag| !tag.is_empty() && tag != "latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_tag_is_found() {
        let dockerfile = "FROM rust:1.95 AS build\nFROM debian\nFROM build\n\
                          COPY --from=build /a /\nCOPY --from=busybox /a /\nCOPY --from=0 /a /\n\
                          FROM --platform=x node:latest\n";
        let found: Vec<_> = untagged("a/Dockerfile", dockerfile);
        assert_eq!(found, [(2, "debian"), (5, "busybox"), (7, "node:latest")]);
        let compose = "a:\n  image: redis:7\nb:\n  image: 'host:5000/redis'\n\
                       \x20 - image: redis # x\n";
        let found: Vec<_> = untagged("compose.yaml", compose);
        assert_eq!(found, [(4, "host:5000/redis"), (5, "redis")]);
    }

    #[test]
    fn a_tag_stands_behind_the_last_slash() {
        for image in ["a:1", "host:5000/a:1", "a@sha256:00", "$IMAGE", "a/b:1-slim"] {
            assert!(is_tagged(image), "{image}");
        }
        for image in ["a", "a:latest", "a:", "host:5000/a"] {
            assert!(!is_tagged(image), "{image}");
        }
    }
}
