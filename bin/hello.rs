//! What the server is measured against: bare axum, one route, a small JSON body.

use axum::{Router, http::header, routing::get};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let hello = async || ([(header::CONTENT_TYPE, "application/json")], r#"{"success":true,"data":"hello"}"#);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/", get(hello))).await
}
