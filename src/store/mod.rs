//! The only SQL. A file per table, a function per question; every statement is one text that runs on
//! both engines.
//!
//! [`Db`] is SQLite (rusqlite: one writing thread, reads in place) or PostgreSQL (sqlx). A store function
//! takes `&mut Tx` and awaits: on PostgreSQL that is the network, on SQLite it never waits at all, which
//! is what lets the writing thread run many callers' transactions under one disk flush (see `sqlite`).
//!
//! `+program_id` beside a key keeps both engines from looking for one row among all of the program's: to PostgreSQL,
//! before it has statistics, an index that begins with the program looks as good as the key.

pub mod accounts;
pub mod affiliates;
pub mod announcements;
pub mod applications;
pub mod audit;
pub mod books;
pub mod claims;
mod click_codes;
pub mod clicks;
pub mod codes;
pub mod commissions;
pub mod conversions;
pub mod coupons;
pub mod customers;
pub mod days;
pub mod decisions;
pub mod earnings;
pub mod groups;
pub mod idempotency;
pub mod imports;
pub mod invitations;
pub mod invoices;
pub mod jobs;
pub mod keys;
pub mod ledger;
pub mod links;
pub mod looks;
pub mod mail_preferences;
pub mod mail_texts;
pub mod mails;
pub mod migrate;
pub mod one_time_links;
pub mod payout_lines;
pub mod payouts;
mod postgres;
pub mod programs;
pub mod proof;
pub mod provider_events;
pub mod provider_payments;
pub mod providers;
pub mod queue;
pub mod rates;
pub mod refunds;
pub mod roster;
pub mod rules;
pub mod sessions;
mod sqlite;
pub mod tax;
pub mod team;
pub mod totals;
pub mod tracking;
pub mod two_steps;
mod types;
pub mod volume;

use std::{
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
};

use futures_util::future::BoxFuture;

pub(crate) use sqlite::FromLite;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] sqlx::Error),
    /// Nothing was stored, or nobody can tell: the caller may try again.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// More is waiting to be written than memory should hold.
    #[error("too much is waiting to be written")]
    Full,
    #[error("{0}")]
    Migration(String),
    /// A row holds what this program never writes.
    #[error("a stored value cannot be read: {0}")]
    Corrupt(String),
}

impl Error {
    /// Whether a row like it exists already.
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                matches!(
                    error.extended_code,
                    rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                )
            }
            Self::Postgres(sqlx::Error::Database(error)) => error.is_unique_violation(),
            _ => false,
        }
    }

    /// Whether trying again later may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Full => true,
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    rusqlite::ErrorCode::DatabaseBusy
                        | rusqlite::ErrorCode::DatabaseLocked
                        | rusqlite::ErrorCode::DiskFull
                        | rusqlite::ErrorCode::SystemIoFailure
                        | rusqlite::ErrorCode::CannotOpen
                        | rusqlite::ErrorCode::ReadOnly
                )
            ),
            Self::Postgres(error) => !matches!(error, sqlx::Error::Database(e) if !postgres::is_outage(&**e)),
            Self::Migration(_) | Self::Corrupt(_) => false,
        }
    }
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub enum Db {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// A connection that statements run on: inside a transaction where [`Db::write`] or [`Db::snapshot`]
/// gave it.
pub enum Tx {
    Sqlite(rusqlite::Connection),
    Postgres(postgres::Connection),
}

/// A connection for reading, given back when dropped.
pub struct Reader {
    tx: Option<Tx>,
    home: Option<sqlite::Sqlite>,
}

impl Deref for Reader {
    type Target = Tx;
    fn deref(&self) -> &Tx {
        self.tx.as_ref().expect("a reader holds its connection until it is dropped")
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Tx {
        self.tx.as_mut().expect("a reader holds its connection until it is dropped")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let (Some(Tx::Sqlite(connection)), Some(home)) = (self.tx.take(), &self.home) {
            home.give_back(connection);
        }
    }
}

impl Db {
    /// Opens `sqlite://FILE` or `postgres://…`, without migrating.
    ///
    /// # Errors
    /// When the file cannot be opened or the server cannot be reached.
    pub async fn open(url: &str) -> Result<Self, Error> {
        if let Some(file) = sqlite_file(url) {
            return Ok(Self::Sqlite(sqlite::Sqlite::open(Path::new(file))?));
        }
        Ok(Self::Postgres(postgres::Postgres::open(url).await?))
    }

    /// For statements that each read for themselves.
    ///
    /// # Errors
    /// When there is no database.
    pub async fn read(&self) -> Result<Reader, Error> {
        match self {
            Self::Sqlite(lite) => {
                Ok(Reader { tx: Some(Tx::Sqlite(lite.reader_of_a_moment()?)), home: Some(lite.clone()) })
            }
            Self::Postgres(pg) => Ok(Reader { tx: Some(Tx::Postgres(pg.connection().await?)), home: None }),
        }
    }

    /// For one statement: as [`Db::read`], without what makes several of them agree.
    ///
    /// # Errors
    /// When there is no database.
    pub async fn ask(&self) -> Result<Reader, Error> {
        match self {
            Self::Sqlite(lite) => Ok(Reader { tx: Some(Tx::Sqlite(lite.reader()?)), home: Some(lite.clone()) }),
            Self::Postgres(_) => self.read().await,
        }
    }

    /// For statements that must all see the same moment. On SQLite the work runs on a thread of its own,
    /// because such work is long.
    ///
    /// # Errors
    /// When there is no database, or the work's own.
    pub async fn snapshot<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        match self {
            Self::Sqlite(lite) => lite.snapshot(work).await,
            Self::Postgres(pg) => {
                let mut connection = pg.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
                sqlx::raw_sql(postgres::AT_LENGTH).execute(connection.raw()).await?;
                let mut tx = Tx::Postgres(connection);
                work(&mut tx).await
            }
        }
    }

    /// Runs `work` in a transaction of its own and answers after the commit is on disk. An error, the
    /// work's own too, leaves nothing behind. The work awaits the database and nothing else. A caller who
    /// stops waiting before it has begun takes it back.
    ///
    /// # Errors
    /// The work's own, or that there is no database.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        match self {
            Self::Sqlite(lite) => lite.write(work).await,
            Self::Postgres(pg) => {
                let mut tx = Tx::Postgres(pg.begin("BEGIN").await?);
                let done = work(&mut tx).await?;
                match tx {
                    Tx::Postgres(connection) => Box::pin(connection.commit()).await?,
                    Tx::Sqlite(_) => {}
                }
                Ok(done)
            }
        }
    }

    /// Like [`Self::write`], for work that may be run more than once before one of its answers counts: what is asked
    /// for by the thousand. On SQLite many of them share one transaction, and begin again where one of them spoils it.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_together<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        match self {
            Self::Sqlite(lite) => lite.write_together(work).await,
            Self::Postgres(_) => self.write(work).await,
        }
    }

    /// Counts a click, together with all others that are waiting; answers after their commit is on disk.
    ///
    /// # Errors
    /// When there is no database, or more is waiting than memory should hold.
    pub async fn click(&self, click: clicks::NewClick) -> Result<clicks::Outcome, Error> {
        match self {
            Self::Sqlite(lite) => lite.click(click).await,
            Self::Postgres(pg) => pg.click(click).await,
        }
    }

    /// Writes a consistent copy, while others go on writing. SQLite only.
    ///
    /// # Errors
    /// When the file exists already or cannot be written.
    pub async fn copy_to(&self, file: PathBuf) -> Result<(), Error> {
        match self {
            Self::Sqlite(lite) => lite.copy_to(file).await,
            Self::Postgres(_) => Err(Error::Unavailable("PostgreSQL is copied with pg_dump".into())),
        }
    }

    /// Writes what is still waiting and closes.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(lite) => lite.close().await,
            Self::Postgres(pg) => pg.close().await,
        }
    }
}

/// The file of an SQLite address, if it is one.
pub fn sqlite_file(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))
}

/// Sends a statement to PostgreSQL and waits for the answer as long as this connection's user may.
macro_rules! ask {
    ($pg:ident, $answer:expr) => {{
        let patience = $pg.asking();
        let answer = $crate::store::postgres::in_time(patience, Box::pin($answer)).await;
        $pg.answered();
        answer
    }};
}

/// The text with `?1` for `$1`: SQLite numbers what it knows by a name in the order in which the names stand.
macro_rules! numbered {
    ($sql:expr) => {{
        const NUMBERED_BYTES: [u8; $sql.len()] = $crate::store::sqlite::numbered($sql);
        const NUMBERED: &str = match std::str::from_utf8(&NUMBERED_BYTES) {
            Ok(text) => text,
            Err(_) => $sql,
        };
        NUMBERED
    }};
}

/// Zero or one row of `$row`. The four macros run one literal text on either engine.
macro_rules! fetch_optional {
    ($row:ty, $tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => { match $tx {
        $crate::store::Tx::Sqlite(lite) => $crate::store::sqlite::fetch_optional::<$row>(lite, $crate::store::numbered!($sql), &[$(&$bind as &dyn rusqlite::ToSql),*]),
        $crate::store::Tx::Postgres(pg) => $crate::store::ask!(pg, sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(pg.raw())),
    } };
}

/// Exactly one row.
macro_rules! fetch_one {
    ($row:ty, $tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::store::fetch_optional!($row, $tx, $sql $(, $bind)*)
            .and_then(|row| row.ok_or_else(|| $crate::store::Error::Corrupt(format!("no row from: {}", $sql))))
    };
}

/// All rows.
macro_rules! fetch_all {
    ($row:ty, $tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => { match $tx {
        $crate::store::Tx::Sqlite(lite) => $crate::store::sqlite::fetch_all::<$row>(lite, $crate::store::numbered!($sql), &[$(&$bind as &dyn rusqlite::ToSql),*]),
        $crate::store::Tx::Postgres(pg) => $crate::store::ask!(pg, sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(pg.raw())),
    } };
}

/// The number of rows it changed.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => { match $tx {
        $crate::store::Tx::Sqlite(lite) => $crate::store::sqlite::execute(lite, $crate::store::numbered!($sql), &[$(&$bind as &dyn rusqlite::ToSql),*]),
        $crate::store::Tx::Postgres(pg) => $crate::store::ask!(pg, sqlx::query($sql)$(.bind($bind))*.execute(pg.raw())).map(|done| done.rows_affected()),
    } };
}

/// A struct whose fields are a row's columns, on both engines. In the columns' own order: looking each up by
/// its name takes longer than the query; the tests hold the names against each other.
macro_rules! row {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* pub $field:ident: $type:ty),* $(,)? }) => {
        $(#[$meta])*
        pub struct $name { $($(#[$fmeta])* pub $field: $type),* }

        impl $crate::store::FromLite for $name {
            fn from_lite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                let mut columns = 0..;
                Ok(Self { $($field: {
                    let column = columns.next().unwrap_or_default();
                    debug_assert_eq!(row.as_ref().column_name(column), Ok(stringify!($field)));
                    row.get(column)?
                }),* })
            }
        }

        impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for $name {
            fn from_row(row: &'r sqlx::postgres::PgRow) -> sqlx::Result<Self> {
                let mut columns = 0usize..;
                Ok(Self { $($field: {
                    let column = columns.next().unwrap_or_default();
                    debug_assert_eq!(sqlx::Column::name(sqlx::Row::column(row, column)), stringify!($field));
                    sqlx::Row::try_get(row, column)?
                }),* })
            }
        }
    };
}

/// A row, and behind its own columns a number that is the same for all rows of the answer.
pub struct With<T>(pub T, pub i64);

impl<T: FromLite> FromLite for With<T> {
    fn from_lite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self(T::from_lite(row)?, row.get(row.as_ref().column_count() - 1)?))
    }
}

impl<'r, T: sqlx::FromRow<'r, sqlx::postgres::PgRow>> sqlx::FromRow<'r, sqlx::postgres::PgRow> for With<T> {
    fn from_row(row: &'r sqlx::postgres::PgRow) -> sqlx::Result<Self> {
        Ok(Self(T::from_row(row)?, sqlx::Row::try_get(row, sqlx::Row::len(row) - 1)?))
    }
}

pub(crate) use {ask, execute, fetch_all, fetch_one, fetch_optional, numbered, row};
