//! Describes the failure of a request in one sentence, which holds only the host, the limits and
//! the cause. A URL's path and query may be secret, and are never said.

use std::error::Error;
use std::iter::successors;
use std::time::Duration;

use super::resolver::RefusedName;

/// Why no answer came. `host` is the destination's host and port.
pub(crate) fn sentence(error: &reqwest::Error, host: &str, timeout: Duration) -> String {
    let causes = || successors(error.source(), |&cause| cause.source());
    if let Some(refused) = causes().find_map(|cause| cause.downcast_ref::<RefusedName>()) {
        return refused.to_string();
    }
    let cause =
        causes().last().map_or_else(|| "no cause was given".to_owned(), ToString::to_string);
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => format!("{host} could not be connected to in time"),
        (true, false) => format!("{host} could not be connected to: {cause}"),
        (false, true) => format!("{host} did not answer within {timeout:?}"),
        (false, false) => format!("{host} did not answer in HTTP: {cause}"),
    }
}
