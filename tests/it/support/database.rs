//! A database of a test's own, on the engine that the environment names, gone when the test ends.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

static COUNT: AtomicU32 = AtomicU32::new(0);

pub struct Database {
    /// Also where the server's other files go.
    pub folder: TempDir,
    pub url: String,
    postgres: Option<(String, String)>,
}

/// The throw-away server's own database, if the suite runs on PostgreSQL.
#[expect(clippy::disallowed_methods, reason = "bin/test tells so, and nothing else does")]
pub fn postgres() -> Option<String> {
    std::env::var("OFFSHOOT_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

impl Database {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let Some(server) = postgres() else {
            let url = format!("sqlite://{}", folder.path().join("offshoot.db").display());
            return Self { folder, url, postgres: None };
        };
        let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        Self { folder, url: format!("{base}/{name}"), postgres: Some((server.clone(), name)) }
    }

    /// A database at another address, which is not this one's to drop.
    pub fn at(url: String) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), url, postgres: None }
    }

    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// One number from the database itself, past the server.
    pub async fn number(&self, sql: &str) -> i64 {
        if self.is_sqlite() {
            let file = self.url.strip_prefix("sqlite://").unwrap();
            return rusqlite::Connection::open(file).unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
        }
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let (number,): (i64,) = sqlx::query_as(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
        number
    }

    /// Runs statements past the server; the error's words where they are refused.
    pub async fn execute(&self, sql: &str) -> Result<(), String> {
        if self.is_sqlite() {
            let file = self.url.strip_prefix("sqlite://").unwrap();
            return rusqlite::Connection::open(file).unwrap().execute_batch(sql).map_err(|error| error.to_string());
        }
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        done.map(drop).map_err(|error| error.to_string())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some((server, name)) = self.postgres.take() else { return };
        // On a thread of its own: dropping happens inside the test's runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                if let Ok(mut connection) = PgConnection::connect(&server).await {
                    let sql = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
                    let _ = sqlx::raw_sql(sql).execute(&mut connection).await;
                }
            });
        });
        let _ = dropped.join();
    }
}
