//! Who stands between us and a server is given no password.
//!
//! 0.0.0.0 is an address of this machine that is none of loopback's: who connects to it meets
//! whoever listens on 127.0.0.1.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use testbed::{binary, eventually};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

const CHAIN: &str = r#"[[chains]]
name = "devnet"
id = 31337
rpc_urls = ["http://127.0.0.1:1"]
registries = { identity = "0x8004A818BFB912233c491871b3d84c89A494BD9e" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_man_in_the_middle_without_tls_is_told_no_password() {
    let mut between = Between::start(None).await;
    for program in ["agentauri", "event-processor", "action-worker", "chain-indexer"] {
        let url = format!("postgres://me:hunter2@0.0.0.0:{}/x", between.port);
        let (code, said) = run(program, &[("DATABASE_URL", &url)]).await;
        assert_eq!(code, Some(2), "{program}: {said}");
        assert!(said.contains("DATABASE_URL") && said.contains("TLS"), "{program}: {said}");
        assert!(!said.contains("hunter2"), "{program}: {said}");
        assert_eq!(between.heard().await, "", "{program}");
    }
    let url = format!("postgres://me:hunter2@localhost/x?host=0.0.0.0&port={}", between.port);
    run("agentauri", &[("DATABASE_URL", &url)]).await;
    assert_eq!(between.heard().await, "", "named as a parameter");
    let (url, port) = ("postgres:///x", between.port.to_string());
    let variables = [("PGHOST", "0.0.0.0"), ("PGPORT", &port), ("PGPASSWORD", "hunter2")];
    run("agentauri", &[&[("DATABASE_URL", url)], &variables[..]].concat()).await;
    assert_eq!(between.heard().await, "", "named by libpq's variables");
    let url = format!("postgres://me:hunter2@0.0.0.0:{}/x", between.port);
    for mode in ["verify-full ", "Verify-CA\r", "\trequire\n"] {
        run("agentauri", &[("DATABASE_URL", &url), ("PGSSLMODE", mode)]).await;
        assert_eq!(between.heard().await, "", "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_mode_is_written_the_same_man_in_the_middle_is_told() {
    let mut between = Between::start(None).await;
    for written in ["?sslmode=prefer", ""] {
        let url = format!("postgres://me:hunter2@0.0.0.0:{}/x{written}", between.port);
        run("agentauri", &[("DATABASE_URL", &url), ("PGSSLMODE", "prefer")]).await;
        assert!(between.heard().await.contains("hunter2"), "he is one: {written}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_man_in_the_middle_with_his_own_certificate_gets_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    let mut between = Between::start(Some(authority.acceptor("db.example.org"))).await;
    let url = format!("postgres://me:hunter2@0.0.0.0:{}/x", between.port);
    // Nobody knows the authority; then its certificate is for another name.
    let known = authority.file.to_str().expect("text");
    for variables in [&[][..], &[("SSL_CERT_FILE", known)]] {
        run("agentauri", &[&[("DATABASE_URL", url.as_str())], variables].concat()).await;
        assert_eq!(between.heard().await, "");
    }
    let written = format!("{url}?sslmode=require");
    run("agentauri", &[("DATABASE_URL", &written)]).await;
    assert!(between.heard().await.contains("hunter2"), "he is one");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_by_tls_is_let_in_by_its_certificate_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    let redis = TlsRedis::start(&authority, folder.path()).await;
    let url = format!("rediss://:hunter2@localhost:{}", redis.port);
    let known = authority.file.to_str().expect("text");
    let (ok, says) = doctor_of_redis(&[("REDIS_URL", &url), ("SSL_CERT_FILE", known)]).await;
    assert!(ok && says.contains("serves"), "{says}");
    let of_another_name = url.replace("localhost", "127.0.0.1");
    for variables in [
        &[("REDIS_URL", url.as_str())][..],
        &[("REDIS_URL", &of_another_name), ("SSL_CERT_FILE", known)],
    ] {
        let (ok, says) = doctor_of_redis(variables).await;
        assert!(!ok && !says.contains("hunter2"), "{says}");
    }
}

/// Accepts connections as PostgreSQL does, and asks for the password in the clear.
struct Between {
    port: u16,
    heard: mpsc::UnboundedReceiver<String>,
}

impl Between {
    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Nobody may wait for it any more.
                let _ = sender.send(meet(stream, tls.as_ref()).await);
            }
        });
        Self { port, heard }
    }

    /// What the last one who came has said behind his question for TLS.
    async fn heard(&mut self) -> String {
        let mut last = self.heard.recv().await.expect("somebody came");
        while let Ok(later) = self.heard.try_recv() {
            last.push_str(&later);
        }
        last
    }
}

async fn meet(mut stream: TcpStream, tls: Option<&TlsAcceptor>) -> String {
    let mut question = [0; 8];
    if stream.read_exact(&mut question).await.is_err() {
        return String::new();
    }
    let is_question = question == [0, 0, 0, 8, 4, 210, 22, 47];
    assert!(is_question, "it asks for TLS first: {question:?}");
    let Some(tls) = tls else {
        stream.write_all(b"N").await.expect("said");
        return ask_for_password(stream).await;
    };
    stream.write_all(b"S").await.expect("said");
    match tls.accept(stream).await {
        Ok(stream) => ask_for_password(stream).await,
        Err(_refused) => String::new(),
    }
}

async fn ask_for_password(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let mut heard = Vec::new();
    let mut part = [0; 4_096];
    while let Ok(length @ 1..) = stream.read(&mut part).await {
        heard.extend_from_slice(&part[..length]);
        // AuthenticationCleartextPassword, again and again; he may be gone.
        let _ = stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]).await;
        if String::from_utf8_lossy(&heard).contains("hunter2") {
            break;
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

/// Who signs certificates.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its own certificate.
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let file = folder.join("authority.pem");
        std::fs::write(&file, issuer.pem()).expect("written");
        Self { issuer, file }
    }

    /// Certificate and key of a server, in PEM.
    fn server(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        (signed.pem(), key.serialize_pem())
    }

    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let (certificate, key) = self.server(name);
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let chain =
            tokio_rustls::rustls::pki_types::CertificateDer::pem_slice_iter(certificate.as_bytes());
        let chain = chain.collect::<Result<_, _>>().expect("a certificate");
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
        TlsAcceptor::from(Arc::new(config.expect("a configuration")))
    }
}

/// A Redis that speaks TLS alone, under the name of localhost.
struct TlsRedis {
    port: u16,
    _server: Child,
}

impl TlsRedis {
    async fn start(authority: &Authority, folder: &Path) -> Self {
        let (certificate, key) = authority.server("localhost");
        std::fs::write(folder.join("redis.pem"), certificate).expect("written");
        std::fs::write(folder.join("redis.key"), key).expect("written");
        let port = free_port().await.to_string();
        let server = Command::new("redis-server")
            .args(["--port", "0", "--tls-port", &port, "--bind", "127.0.0.1"])
            .args(["--tls-cert-file", "redis.pem", "--tls-key-file", "redis.key"])
            .args(["--tls-ca-cert-file", "authority.pem", "--tls-auth-clients", "no"])
            .args(["--requirepass", "hunter2", "--save", ""])
            .current_dir(folder)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server");
        let port = port.parse().expect("a port");
        let is_there = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        eventually("Redis listens", is_there).await;
        Self { port, _server: server }
    }
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}

/// What `doctor` finds of Redis.
async fn doctor_of_redis(variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = command("agentauri", variables);
    let output = command.args(["doctor", "--json"]).output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let findings: Value = serde_json::from_str(&said).expect("JSON");
    let findings = findings.as_array().expect("a list");
    let redis = findings.iter().find(|finding| finding["what"] == "Redis").expect("Redis");
    (redis["ok"] == true, redis["says"].as_str().expect("text").to_owned())
}

/// Runs a program to its end: its exit code, and what it said.
async fn run(program: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("agentauri.toml"), CHAIN).expect("written");
    let mut command = command(program, variables);
    if program == "agentauri" {
        command.arg("status");
    }
    let output = command.current_dir(folder.path()).output().await.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn command(program: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary(program));
    command.env_clear().env("AGENTAURI_LISTEN", "off").env("REDIS_URL", "redis://127.0.0.1:1");
    command.envs(variables.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    command
}
