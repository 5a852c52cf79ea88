//! Describes the failure of a request in one sentence, which holds only the host, the limits and
//! the cause. A URL's path and query may be secret, and are never said.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::time::Duration;

use super::client::{ConnectTimeout, RequestError};
use super::resolver::RefusedName;

/// The reason why no answer came.
#[derive(Debug)]
pub(super) enum SendFailure {
    /// The head of an answer did not arrive in time.
    TooSlow,
    /// No connection, or no answer in HTTP.
    Request(RequestError),
}

impl SendFailure {
    /// A sentence of it. `host` is the destination's host and port.
    pub(super) fn sentence(&self, host: &str, timeout: Duration) -> String {
        let error = match self {
            Self::TooSlow => return format!("{host} did not answer within {timeout:?}"),
            Self::Request(RequestError { error, .. }) => error,
        };
        let causes = || successors(error.source(), |&cause| cause.source());
        if let Some(refused) = causes().find_map(|cause| cause.downcast_ref::<RefusedName>()) {
            return refused.to_string();
        }
        let is_late = |cause: &(dyn Error + 'static)| {
            let of_address = cause.downcast_ref::<io::Error>();
            cause.is::<ConnectTimeout>()
                || of_address.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        };
        if error.is_connect() && causes().any(is_late) {
            return format!("{host} could not be connected to in time");
        }
        let cause =
            causes().last().map_or_else(|| "no cause was given".to_owned(), ToString::to_string);
        if error.is_connect() {
            format!("{host} could not be connected to: {cause}")
        } else {
            format!("{host} did not answer in HTTP: {cause}")
        }
    }
}
