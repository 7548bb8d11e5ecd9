//! The schema's versions: two folders of files with the same numbers and names, embedded in the binary.

use sha2::{Digest, Sha256};

use super::{Db, Error, Tx, execute, fetch_all, row, sqlite};
use crate::domain::{key::hex, time::Time};

pub struct Migration {
    pub version: i64,
    pub name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),* $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

pub const ALL: &[Migration] = migrations![
    1 "0001_foundation",
    2 "0002_mail",
    3 "0003_people",
    4 "0004_joining",
    5 "0005_affiliate",
    6 "0006_merchant",
    7 "0007_portal",
    8 "0008_tracking",
    9 "0009_providers",
    10 "0010_sales",
    11 "0011_statistics",
    12 "0012_signals",
    13 "0013_groups",
    14 "0014_payouts",
    15 "0015_books",
    16 "0016_mail_texts",
    17 "0017_imports",
    18 "0018_tax",
    19 "0019_link_counts",
    20 "0020_group_terms",
    21 "0021_stayed_paid",
    22 "0022_vat_currency",
    23 "0023_net_days",
    24 "0024_lookups",
];

row! {
    pub struct Applied {
        pub version: i64,
        pub checksum: String,
    }
}

/// Applies what is missing, in one transaction, one process at a time.
///
/// # Errors
/// When the database is newer than this program, or was made by migrations that differ from these.
pub async fn run(db: &Db, now: Time) -> Result<(), Error> {
    match db {
        Db::Sqlite(lite) => lite.write(move |tx| Box::pin(apply_missing(tx, now))).await,
        Db::Postgres(pg) => {
            let mut tx = Tx::Postgres(pg.begin("BEGIN").await?);
            if let Tx::Postgres(connection) = &mut tx {
                // Building an index may take its time; two servers that start at once take turns.
                let alone = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(7165932104)";
                sqlx::raw_sql(alone).execute(connection.raw()).await?;
            }
            apply_missing(&mut tx, now).await?;
            match tx {
                Tx::Postgres(connection) => connection.commit().await,
                Tx::Sqlite(_) => Ok(()),
            }
        }
    }
}

/// Whether every migration is applied.
///
/// # Errors
/// The database's.
pub async fn is_current(tx: &mut Tx) -> Result<bool, Error> {
    Ok(applied(tx).await?.last().map(|last| last.version) == ALL.last().map(|last| last.version))
}

async fn applied(tx: &mut Tx) -> Result<Vec<Applied>, Error> {
    fetch_all!(Applied, tx, "SELECT version, checksum FROM schema_migrations ORDER BY version")
}

async fn apply_missing(tx: &mut Tx, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "CREATE TABLE IF NOT EXISTS schema_migrations (
           version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)"
    )?;
    let applied = applied(tx).await?;
    for done in &applied {
        let known = ALL.iter().find(|migration| migration.version == done.version).ok_or_else(|| {
            Error::Migration(format!(
                "the database has migration {}, which this program does not know: it was used by a newer version of offshoot; run that one",
                done.version
            ))
        })?;
        if checksum(tx, known) != done.checksum {
            return Err(Error::Migration(format!(
                "migration {} of the database differs from this program's: the two do not belong together",
                known.name
            )));
        }
    }
    for migration in ALL.iter().filter(|migration| !applied.iter().any(|done| done.version == migration.version)) {
        match &mut *tx {
            Tx::Sqlite(lite) => sqlite::execute_script(lite, migration.sqlite)?,
            Tx::Postgres(pg) => {
                sqlx::raw_sql(migration.postgres).execute(pg.raw()).await?;
            }
        }
        let checksum = checksum(tx, migration);
        execute!(
            tx,
            "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
            migration.version,
            migration.name,
            &checksum,
            now
        )?;
        tracing::info!(migration = migration.name, "applied");
    }
    Ok(())
}

fn checksum(tx: &Tx, migration: &Migration) -> String {
    let text = match tx {
        Tx::Sqlite(_) => migration.sqlite,
        Tx::Postgres(_) => migration.postgres,
    };
    hex(&Sha256::digest(text.as_bytes()))
}

/// The next instance number, by which this process's ids differ from all others'.
///
/// # Errors
/// The database's.
pub async fn next_instance(db: &Db) -> Result<i64, Error> {
    db.write(|tx| {
        Box::pin(async move {
            let (number,) = super::fetch_one!((i64,), tx, "UPDATE instances SET last = last + 1 RETURNING last")?;
            Ok(number)
        })
    })
    .await
}
