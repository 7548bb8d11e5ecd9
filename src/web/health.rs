//! For what watches the process: is it up, can it work.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use tokio::time::timeout;

use crate::{app::App, store::migrate};

pub async fn up() -> &'static str {
    "ok\n"
}

/// Whether the database is reachable and migrated.
pub async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    let check = async { migrate::is_current(&mut *app.db.read().await?).await };
    match timeout(Duration::from_secs(3), check).await {
        Ok(Ok(true)) => (StatusCode::OK, "ready\n"),
        Ok(Ok(false)) => (StatusCode::SERVICE_UNAVAILABLE, "the database is not migrated\n"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database is not available\n"),
    }
}
