//! An HTTP client with the manners of a server: it goes where it is told and nowhere else.

use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;

/// Our name in requests.
pub const USER_AGENT: &str = concat!("agentauri/", env!("CARGO_PKG_VERSION"));

/// The limit of connecting, unless the caller sets another.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The limit of a whole request, unless the caller sets another.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Begins a client: TLS by rustls and ring, User-Agent `agentauri/VERSION`, no redirects, no proxy
/// from the environment, [`CONNECT_TIMEOUT`] and [`REQUEST_TIMEOUT`]. Building it may fail: it
/// reads the system's certificates.
pub fn client_builder() -> ClientBuilder {
    // Fails if there is one already; that is ring, too.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ClientBuilder::new()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
}
