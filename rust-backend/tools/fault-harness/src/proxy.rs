//! A proxy between the binaries and a server, which can fail as a network does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Larger than our batches, so that a piece is a message.
const PIECE_BYTES: usize = 64 * 1024;

/// The direction in which a connection is stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Data from the binary does not arrive.
    ToServer,
    /// Data from the server does not arrive.
    ToClient,
    /// Nothing arrives in either direction.
    Both,
}

/// A proxy on a free port of loopback. It ends with its handle.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<NetworkState>,
    _accepting: AbortOnDropHandle<()>,
}

/// The treatment of connections, which are numbered from 1 as they come.
#[derive(Clone, Copy, Debug)]
struct NetworkState {
    /// The server of new connections.
    server: SocketAddr,
    /// The number of the latest connection.
    latest: u64,
    /// Connections up to this number are reset.
    cut: u64,
    /// Connections up to these numbers are stalled, to the server and to the client. Their ends are
    /// not notified.
    stalled: [u64; 2],
    /// The delay of all data.
    delay: Duration,
    /// True if new connections are reset at once.
    refusing: bool,
}

const TO_SERVER: usize = 0;
const TO_CLIENT: usize = 1;

impl Proxy {
    /// Starts a proxy in front of a server's port of loopback.
    ///
    /// # Errors
    /// No port is free.
    pub async fn before(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = watch::Sender::new(NetworkState::before(port));
        let accepting = tokio::spawn(accept(listener, state.clone()));
        Ok(Self { address, state, _accepting: AbortOnDropHandle::new(accepting) })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Leads new connections to another port of loopback; the present ones stay where they are.
    pub fn lead_to(&self, port: u16) {
        self.state.send_modify(|state| state.server = (Ipv4Addr::LOCALHOST, port).into());
    }

    /// Resets every connection; new ones pass.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cut = state.latest);
    }

    /// Stalls the present connections for good; new ones pass.
    pub fn stall(&self, way: Way) {
        self.state.send_modify(|state| {
            let latest = state.latest;
            state.stall(way, latest);
        });
    }

    /// Stalls all connections, also new ones.
    pub fn silence(&self) {
        self.state.send_modify(|state| state.stall(Way::Both, u64::MAX));
    }

    /// Delays all data.
    pub fn delay(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
    }

    /// Resets every connection, and each new one at once.
    pub fn refuse(&self) {
        self.state.send_modify(|state| state.refusing = true);
        self.cut();
    }

    /// Lets new connections pass undisturbed. Stalled ones remain stalled.
    pub fn restore(&self) {
        self.state.send_modify(|state| {
            let stalled = state.stalled.map(|upto| upto.min(state.latest));
            *state = NetworkState { delay: Duration::ZERO, refusing: false, stalled, ..*state };
        });
    }
}

impl NetworkState {
    fn before(port: u16) -> Self {
        let server = (Ipv4Addr::LOCALHOST, port).into();
        let delay = Duration::ZERO;
        Self { server, latest: 0, cut: 0, stalled: [0; 2], delay, refusing: false }
    }

    fn stall(&mut self, way: Way, upto: u64) {
        if way != Way::ToClient {
            self.stalled[TO_SERVER] = upto;
        }
        if way != Way::ToServer {
            self.stalled[TO_CLIENT] = upto;
        }
    }
}

async fn accept(listener: TcpListener, state: watch::Sender<NetworkState>) {
    let mut number = 0;
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        number += 1;
        state.send_modify(|state| state.latest = number);
        tokio::spawn(carry(number, client, state.subscribe()));
    }
}

/// Carries a connection from its beginning to its end.
async fn carry(number: u64, client: TcpStream, mut state: watch::Receiver<NetworkState>) {
    let NetworkState { server, refusing, .. } = *state.borrow();
    if refusing {
        return reset(&client);
    }
    let Ok(server) = TcpStream::connect(server).await else { return reset(&client) };
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let (mut client, mut server) = (client, server);
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let (one, other) = (state.clone(), state.clone());
    let was_cut = tokio::select! {
        cut = state.wait_for(|state| state.cut >= number) => cut.is_ok(),
        _ = copy(number, TO_SERVER, from_client, to_server, one) => false,
        _ = copy(number, TO_CLIENT, from_server, to_client, other) => false,
    };
    if was_cut {
        reset(&client);
        reset(&server);
    }
}

/// Copies one direction to its end. While stalled it reads nothing, not even the end.
async fn copy(
    number: u64,
    way: usize,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<NetworkState>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let NetworkState { stalled, delay, .. } = *state.borrow_and_update();
        let is_stalled = stalled[way] >= number;
        tokio::select! {
            changed = state.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
            read = from.read(&mut piece), if !is_stalled => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                tokio::time::sleep(delay).await;
                to.write_all(&piece[..length]).await?;
            }
        }
    }
}

/// Resets a connection: data under way is dropped and the other end reads an error.
fn reset(stream: &TcpStream) {
    // It fails only if the connection has ended already.
    let _ = stream.set_zero_linger();
}
