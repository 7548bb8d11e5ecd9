//! Two engines, one schema: the same migrations make the same tables, and neither engine lets anybody rewrite
//! what was recorded.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio::time::sleep;

use crate::support::{
    Database, Site,
    database::postgres,
    process::{printed, run},
};

fn migrations(engine: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    let mut names: Vec<String> =
        folder.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = migrations("sqlite");
    assert_eq!(names, migrations("postgres"));
    let numbers: Vec<i64> = names.iter().map(|name| name[..4].parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "no number comes twice: {names:?}");
    for name in &names {
        assert_eq!(Path::new(name).extension().unwrap(), "sql");
    }
}

#[tokio::test]
async fn every_migration_is_applied() {
    let site = Site::start().await;
    let applied = site.database.number("SELECT COUNT(*) FROM schema_migrations").await;
    assert_eq!(usize::try_from(applied).unwrap(), migrations("sqlite").len());
    let last = migrations("sqlite").last().map(|name| name[..4].parse().unwrap());
    assert_eq!(Some(site.database.number("SELECT MAX(version) FROM schema_migrations").await), last);
}

/// What a column is, in words that both engines share: its kind and whether it may be empty.
type Columns = BTreeMap<(String, String), (String, bool)>;

/// SQLite's one integer type is written BIGINT, or INTEGER where the column is the row's own id or refers to
/// one whose width PostgreSQL chooses.
fn kind(word: &str) -> &str {
    match word {
        "BIGINT" | "INTEGER" | "bigint" | "integer" => "integer",
        "TEXT" | "text" => "text",
        "BOOLEAN" | "boolean" => "boolean",
        other => other,
    }
}

fn on_sqlite() -> Columns {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("s.db").display());
    let connection = {
        let migrated = std::process::Command::new(env!("CARGO_BIN_EXE_offshoot"))
            .arg("migrate")
            .env("OFFSHOOT_DATABASE_URL", &url)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(migrated.status.success(), "{migrated:?}");
        rusqlite::Connection::open(folder.path().join("s.db")).unwrap()
    };
    let mut statement = connection
        .prepare(
            "SELECT t.name, c.name, c.type, c.\"notnull\" FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!'",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        let (table, column, word, not_null): (String, String, String, bool) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(((table, column), (kind(&word).to_owned(), !not_null)))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

async fn on_postgres(database: &Database) -> Columns {
    printed(&run(database, &["migrate"]));
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text
         FROM information_schema.columns WHERE table_schema = 'public'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let column = |(table, column, word, nullable): (String, String, String, String)| {
        ((table, column), (kind(&word).to_owned(), nullable == "YES"))
    };
    rows.into_iter().map(column).collect()
}

#[tokio::test]
async fn both_engines_have_the_same_tables_column_by_column() {
    let lite = on_sqlite();
    assert!(lite.len() > 100, "{}", lite.len());
    let kinds = ["integer", "text", "boolean"];
    for (at, (kind, _)) in &lite {
        assert!(kinds.contains(&kind.as_str()), "{at:?} is of a type of its own: {kind}");
    }
    if postgres().is_none() {
        return;
    }
    let pg = on_postgres(&Database::new().await).await;
    for (at, column) in &lite {
        assert_eq!(pg.get(at), Some(column), "{at:?} on PostgreSQL, as on SQLite");
    }
    for at in pg.keys() {
        assert!(lite.contains_key(at), "{at:?} is on PostgreSQL only");
    }
}

#[tokio::test]
async fn ledger_and_audit_log_are_never_rewritten() {
    let site = Site::start().await;
    site.affiliate("kept").await;
    site.api.sale("kept", "10", "o-1").await;
    for (table, change) in [("ledger_entries", "amount_minor = 1"), ("audit_log", "actor = 'nobody'")] {
        let mut refused = vec![format!("UPDATE {table} SET {change}"), format!("DELETE FROM {table}")];
        if !site.database.is_sqlite() {
            refused.push(format!("TRUNCATE {table} CASCADE"));
        }
        for statement in refused {
            let words = site.database.execute(&statement).await.unwrap_err();
            assert!(words.contains("never"), "{statement}: {words}");
        }
    }
    assert_eq!(site.database.number("SELECT CAST(SUM(amount_minor) AS BIGINT) FROM ledger_entries").await, 200);
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_the_database_too() {
    let site = Site::start().await;
    let affiliate = site.affiliate("checked").await;
    site.api.sale("checked", "10", "o-1").await;
    for statement in [
        "UPDATE affiliates SET status = 'gone'",
        "UPDATE affiliates SET payment_method = 'cash'",
        "UPDATE commissions SET status = 'open'",
        "UPDATE commissions SET status = 'paid'",
        "UPDATE commissions SET paid_at = 1",
        "UPDATE conversions SET refunded_minor = 1001",
        "UPDATE conversions SET refunded_minor = -1",
        "UPDATE conversions SET amount_minor = -1",
        "UPDATE conversions SET attributed_by = 'chance'",
        "UPDATE programs SET rate_bps = 10001",
        "UPDATE programs SET attribution_days = 0",
        "UPDATE api_keys SET scope = 'admin'",
        "UPDATE memberships SET role = 'guest'",
        "UPDATE affiliates SET name = NULL",
        "DELETE FROM affiliates",
    ] {
        let pragma = if site.database.is_sqlite() { "PRAGMA foreign_keys = ON; " } else { "" };
        assert!(site.database.execute(&format!("{pragma}{statement}")).await.is_err(), "{statement}");
    }
    assert_eq!(site.api.get(&format!("/affiliates/{affiliate}")).await.status, 200);
    site.check_ledger().await;
}

/// What PostgreSQL plans before it has statistics it keeps to for a while: also then no sale reads the others' rows.
#[tokio::test]
async fn a_sale_reads_no_more_for_all_the_sales_before_it() {
    const SALES: i64 = 80;
    let site = Site::start().await;
    if site.database.is_sqlite() {
        return;
    }
    site.affiliate("anna").await;
    for number in 0..SALES {
        let customer = json!({ "email": format!("buyer{number}@example.com") });
        let order = format!("A-{number}");
        let sale = json!({ "referralCode": "anna", "amount": 10, "orderId": order, "customer": customer });
        assert_eq!(site.api.post("/referrals/convert", &sale).await.status, 201);
        assert_eq!(site.api.post("/referrals/convert", &sale).await.status, 200, "{order} again");
    }
    // Each of the server's connections tells what it read ten seconds after its last word, at the latest.
    let told = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'conversions'";
    let began = Instant::now();
    while site.database.number(told).await < SALES {
        assert!(began.elapsed() < Duration::from_mins(1), "PostgreSQL does not tell");
        sleep(Duration::from_millis(300)).await;
    }
    for table in ["affiliates", "conversions", "customers"] {
        let read =
            format!("SELECT CAST(SUM(idx_tup_read) AS BIGINT) FROM pg_stat_user_indexes WHERE relname = '{table}'");
        let read = site.database.number(&read).await;
        assert!(read < 16 * SALES, "{SALES} sales read {read} rows of {table}");
    }
}
