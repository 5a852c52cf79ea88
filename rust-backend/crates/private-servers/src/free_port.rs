//! A loopback port for a server that must be given one.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use crate::Error;

/// Ports to try: another process may take a port between our choice and the server's start.
pub(crate) const TRIES: usize = 5;

/// A port that is free now.
pub(crate) fn choose() -> Result<u16, Error> {
    let loopback = Path::new("127.0.0.1");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io(loopback))?;
    Ok(listener.local_addr().map_err(Error::io(loopback))?.port())
}

/// True if a process listens on `port` now.
pub(crate) fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err()
}
