//! A process's name among others.

/// A name that no other process has, nor had: the program's, the machine's, the process's number,
/// and eight random digits, because in containers the other two repeat.
pub fn unique_name(program: &str) -> String {
    let system = rustix::system::uname();
    let machine = system.nodename().to_string_lossy();
    format!("{program}-{machine}-{}-{:08x}", std::process::id(), rand::random::<u32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_begins_again_has_another_name() {
        let (one, other) = (unique_name("worker"), unique_name("worker"));
        assert!(one.starts_with("worker-"), "{one}");
        assert_ne!(one, other);
    }
}
