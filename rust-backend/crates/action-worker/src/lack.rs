//! Whether something failed for want of what this machine should have had: a file, memory, a port,
//! a resolver. Then nothing was sent, and no receiver is to blame.

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::io::Errno;

/// Where the system keeps its resolvers. Without it glibc asks a resolver on this machine that is
/// hardly there.
pub(crate) const RESOLVERS: &str = "/etc/resolv.conf";
/// Files that a lookup holds open at once, at most.
const LOOKUP_FILES: usize = 4;

/// What was lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Open files, of the process or of the system. A connection is one.
    Files,
    /// Memory, or the kernel's buffers.
    Memory,
    /// Local ports to connect from.
    Ports,
    /// A network interface that is up.
    Network,
    /// The names of resolvers.
    Resolver,
    /// Lookups: as many as may be are under way.
    Lookups,
    /// The same of names that had no answer the last time, of which fewer may be under way. Such a
    /// name is at fault itself.
    SilentLookups,
    /// What TLS needs of the system: random numbers, the time.
    Tls,
}

impl Lack {
    /// The value of the metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Memory => "memory",
            Self::Ports => "ports",
            Self::Network => "network",
            Self::Resolver => "resolver",
            Self::Lookups => "lookups",
            Self::SilentLookups => "silent_lookups",
            Self::Tls => "tls",
        }
    }

    /// What an error of the system says was lacking. A refusal, a reset or a route that a router
    /// denies is none.
    pub(crate) fn of_io(error: &io::Error) -> Option<Self> {
        match Errno::from_io_error(error)? {
            Errno::MFILE | Errno::NFILE => Some(Self::Files),
            Errno::NOMEM | Errno::NOBUFS => Some(Self::Memory),
            Errno::ADDRNOTAVAIL => Some(Self::Ports),
            Errno::NETDOWN => Some(Self::Network),
            _ => None,
        }
    }

    /// What an error or one of its causes says was lacking.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(lookup) = error.downcast_ref::<LookupLacked>() {
            return Some(lookup.lack);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            // What it wraps is not among its sources.
            let inner = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
            return Self::of_io(error).or_else(|| inner.and_then(Self::of));
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            let is_ours = matches!(
                error,
                rustls::Error::FailedToGetRandomBytes | rustls::Error::FailedToGetCurrentTime
            );
            return is_ours.then_some(Self::Tls);
        }
        error.source().and_then(Self::of)
    }

    /// What a lookup lacked that has failed with `error`. The system's lookup says of most of its
    /// failures only that there are some, so it is tried whether files are to be had, and whether
    /// resolvers are named in `resolvers`.
    pub(crate) fn of_lookup(error: &io::Error, resolvers: &Path) -> Option<Self> {
        if let Some(lack) = Self::of_io(error) {
            return Some(lack);
        }
        let some: io::Result<Vec<File>> =
            (0..LOOKUP_FILES).map(|_| File::open("/dev/null")).collect();
        if let Err(error) = some {
            return Self::of_io(&error);
        }
        File::open(resolvers).is_err().then_some(Self::Resolver)
    }
}

/// A name was not looked up, for want of something of ours.
#[derive(Debug, thiserror::Error)]
#[error("a name cannot be looked up for want of {}: {source}", .lack.as_str())]
pub(crate) struct LookupLacked {
    pub(crate) lack: Lack,
    pub(crate) source: io::Error,
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::seq::IndexedRandom as _;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    /// An error around another, as clients stack them.
    #[derive(Debug, thiserror::Error)]
    #[error("a layer")]
    struct Layer(#[source] Box<dyn Error + Send + Sync>);

    /// What stands innermost, and what it should be taken for.
    fn innermost(number: i32) -> (io::Error, Option<Lack>) {
        let lack = match number {
            23 | 24 => Some(Lack::Files),
            12 | 105 => Some(Lack::Memory),
            99 => Some(Lack::Ports),
            100 => Some(Lack::Network),
            _ => None,
        };
        (io::Error::from_raw_os_error(number), lack)
    }

    #[test]
    fn a_lack_is_found_however_deep_and_a_receivers_fault_is_none() {
        let mut dice = StdRng::seed_from_u64(17);
        // A refusal, a reset, an abort, no route, no host, a time-out, a broken pipe, no access.
        let faults = [111, 104, 103, 101, 113, 110, 32, 13, 1];
        let lacks = [23, 24, 12, 105, 99, 100];
        for _ in 0..1_000 {
            let numbers = if dice.random() { &lacks[..] } else { &faults[..] };
            let (error, lack) = innermost(*numbers.choose(&mut dice).expect("some"));
            let mut error: Box<dyn Error + Send + Sync> = error.into();
            for _ in 0..dice.random_range(0..6) {
                error = if dice.random() {
                    Layer(error).into()
                } else {
                    io::Error::other(error).into()
                };
            }
            assert_eq!(Lack::of(&*error), lack, "{error:?}");
        }
    }

    #[test]
    fn tls_lacks_only_the_systems_part_not_a_certificate() {
        let of = |error: rustls::Error| Lack::of(&io::Error::other(error));
        assert_eq!(of(rustls::Error::FailedToGetRandomBytes), Some(Lack::Tls));
        assert_eq!(of(rustls::Error::HandshakeNotComplete), None);
        assert_eq!(of(rustls::CertificateError::Expired.into()), None);
    }

    #[test]
    fn a_lookup_lacks_resolvers_where_none_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let unknown = io::Error::other("failed to lookup address information");
        let named = folder.path().join("resolv.conf");
        assert_eq!(Lack::of_lookup(&unknown, &named), Some(Lack::Resolver));
        std::fs::write(&named, "nameserver 127.0.0.1\n").expect("written");
        assert_eq!(Lack::of_lookup(&unknown, &named), None);
        let (full, lack) = innermost(24);
        assert_eq!(Lack::of_lookup(&full, &named), lack);
    }
}
