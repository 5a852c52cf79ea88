//! What our HTTP client sends, and where it does not go.

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Redirect;
use axum::routing::get;
use tokio::net::TcpListener;

#[tokio::test]
async fn a_redirect_is_not_followed_and_we_say_who_we_are() {
    let router = Router::new()
        .route("/away", get(|| async { Redirect::temporary("/me") }))
        .route("/me", get(|headers: HeaderMap| async move { format!("{headers:?}") }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });

    let client = service::http::client_builder().build().expect("a client");
    let get = async |path| client.get(format!("http://{address}/{path}")).send().await;
    assert_eq!(get("away").await.expect("answered").status(), 307);
    let seen = get("me").await.expect("answered").text().await.expect("text");
    let name = format!("\"user-agent\": \"agentauri/{}\"", env!("CARGO_PKG_VERSION"));
    assert!(seen.contains(&name), "{seen}");
}

#[tokio::test]
async fn several_clients_share_the_tls_provider() {
    for _ in 0..2 {
        assert!(service::http::client_builder().build().is_ok());
    }
}
