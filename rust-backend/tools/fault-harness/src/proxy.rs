//! What stands between the binaries and their servers, and can fail as a network does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// More than a batch of ours, so that a piece is a message.
const PIECE_BYTES: usize = 64 * 1024;

/// Which way a connection carries nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What the binary says does not arrive.
    ToServer,
    /// What the server says does not arrive.
    ToClient,
    /// Neither.
    Both,
}

/// A proxy on a free port of loopback. It ends with its handle.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    _accepting: AbortOnDropHandle<()>,
}

/// What happens to connections, which are numbered from 1 as they come.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    /// The latest connection.
    latest: u64,
    /// Up to this one they are reset.
    cut: u64,
    /// Up to these they carry nothing to the server, nothing to the client. Nobody is told.
    stalled: [u64; 2],
    /// How much later everything arrives.
    delay: Duration,
    /// New ones are reset at once.
    refusing: bool,
}

const TO_SERVER: usize = 0;
const TO_CLIENT: usize = 1;

impl Proxy {
    /// Starts one in front of a server's port of loopback.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn before(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let weather = watch::Sender::new(Weather::default());
        let server = (Ipv4Addr::LOCALHOST, port).into();
        let accepting = tokio::spawn(accept(listener, server, weather.clone()));
        Ok(Self { address, weather, _accepting: AbortOnDropHandle::new(accepting) })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Resets every connection; new ones pass.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.cut = weather.latest);
    }

    /// The connections there are carry nothing any more, for good; new ones pass.
    pub fn stall(&self, way: Way) {
        self.weather.send_modify(|weather| {
            let latest = weather.latest;
            weather.stall(way, latest);
        });
    }

    /// No connection carries anything any more, a new one neither.
    pub fn silence(&self) {
        self.weather.send_modify(|weather| weather.stall(Way::Both, u64::MAX));
    }

    /// Everything arrives later by this.
    pub fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Resets every connection, and each new one at once.
    pub fn refuse(&self) {
        self.weather.send_modify(|weather| weather.refusing = true);
        self.cut();
    }

    /// New connections pass as they should. What is stalled stays so.
    pub fn clear_up(&self) {
        self.weather.send_modify(|weather| {
            let stalled = weather.stalled.map(|upto| upto.min(weather.latest));
            *weather = Weather { delay: Duration::ZERO, refusing: false, stalled, ..*weather };
        });
    }
}

impl Weather {
    fn stall(&mut self, way: Way, upto: u64) {
        if way != Way::ToClient {
            self.stalled[TO_SERVER] = upto;
        }
        if way != Way::ToServer {
            self.stalled[TO_CLIENT] = upto;
        }
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, weather: watch::Sender<Weather>) {
    let mut number = 0;
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        number += 1;
        weather.send_modify(|weather| weather.latest = number);
        tokio::spawn(carry(number, client, server, weather.subscribe()));
    }
}

/// One connection's life.
async fn carry(
    number: u64,
    client: TcpStream,
    server: SocketAddr,
    mut weather: watch::Receiver<Weather>,
) {
    if weather.borrow().refusing {
        return reset(&client);
    }
    let Ok(server) = TcpStream::connect(server).await else { return reset(&client) };
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let (mut client, mut server) = (client, server);
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let (one, other) = (weather.clone(), weather.clone());
    let was_cut = tokio::select! {
        cut = weather.wait_for(|weather| weather.cut >= number) => cut.is_ok(),
        _ = copy(number, TO_SERVER, from_client, to_server, one) => false,
        _ = copy(number, TO_CLIENT, from_server, to_client, other) => false,
    };
    if was_cut {
        reset(&client);
        reset(&server);
    }
}

/// Copies one way until the end, unless it is stalled: then nothing is read, not even the end.
async fn copy(
    number: u64,
    way: usize,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let Weather { stalled, delay, .. } = *weather.borrow_and_update();
        let is_stalled = stalled[way] >= number;
        tokio::select! {
            changed = weather.changed() => {
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

/// Ends without a farewell: what is under way is dropped and the other end reads an error.
fn reset(stream: &TcpStream) {
    // Where it fails, the connection has ended already.
    let _ = stream.set_zero_linger();
}
