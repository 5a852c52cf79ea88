//! An HTTP client with the manners of a server: it goes where it is told and nowhere else.

use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;

/// What we call ourselves.
const USER_AGENT: &str = concat!("agentauri/", env!("CARGO_PKG_VERSION"));

/// How long connecting may take, unless the caller sets another limit.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a whole request may take, unless the caller sets another limit.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Begins a client: TLS by rustls and ring, User-Agent `agentauri/VERSION`, no redirects, no proxy
/// from the environment, [`CONNECT_TIMEOUT`] and [`REQUEST_TIMEOUT`].
///
/// Building it may fail: that is when the system's certificates are read.
pub fn client_builder() -> ClientBuilder {
    // Fails if there is one already; ring is the only one that anybody here installs.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ClientBuilder::new()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
}
