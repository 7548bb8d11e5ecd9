//! For what watches the process: is it up, can it work.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use tokio::time::timeout;

use crate::{
    app::App,
    store::{Error, migrate},
};

pub async fn up() -> &'static str {
    "ok\n"
}

/// Whether the database is reachable and migrated.
async fn check(app: &App) -> Result<bool, Error> {
    migrate::is_current(&mut *app.db.read().await?).await
}

/// The same for whoever does not ask why not.
pub async fn is_ready(app: &App) -> bool {
    matches!(check(app).await, Ok(true))
}

pub async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    match timeout(Duration::from_secs(3), check(&app)).await {
        Ok(Ok(true)) => (StatusCode::OK, "ready\n"),
        Ok(Ok(false)) => (StatusCode::SERVICE_UNAVAILABLE, "the database is not migrated\n"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database is not available\n"),
    }
}
