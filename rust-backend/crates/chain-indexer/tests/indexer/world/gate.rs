//! A gate before a node that can be shut: what stands behind it is down, as far as anybody sees.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Gate {
    pub(crate) url: String,
    open: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// Opens one before `url`, which is `http://HOST:PORT/`.
    pub(crate) async fn before(url: &str) -> Self {
        let url: url::Url = url.parse().expect("a URL");
        let behind = *url.socket_addrs(|| None).expect("an address").first().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let open = Arc::new(watch::Sender::new(true));
        tokio::spawn(serve(listener, behind, Arc::clone(&open)));
        Self { url: format!("http://{address}/"), open }
    }

    /// Cuts every connection, and each new one.
    pub(crate) fn shut(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}

async fn serve(listener: TcpListener, behind: SocketAddr, open: Arc<watch::Sender<bool>>) {
    while let Ok((mut outside, _)) = listener.accept().await {
        let mut shut = open.subscribe();
        tokio::spawn(async move {
            let pass = async {
                let mut inside = TcpStream::connect(behind).await.expect("the node");
                // It ends when one side hangs up, in whatever manner.
                let _ = copy_bidirectional(&mut outside, &mut inside).await;
            };
            tokio::select! {
                biased;
                _ = shut.wait_for(|open| !open) => {}
                () = pass => {}
            }
        });
    }
}
