//! `bin/replay`: a file of orders through the whole, as its own process against the server as its own.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use tokio::time::{sleep, timeout};

use crate::support::{
    Database, Process,
    process::{printed, run, set_up},
};

const ORDERS: u64 = 800;

/// The program itself. Cargo builds examples for a whole `cargo test` only, so it is built here, which is
/// nothing to do where it is there already, and never tests one from before the last change.
fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_offshoot")).parent().unwrap();
        let profile = folder.file_name().unwrap().to_str().unwrap();
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--example", "replay"])
            .args(["--profile", if profile == "debug" { "dev" } else { profile }])
            .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
            .arg("--target-dir")
            .arg(folder.parent().unwrap())
            .status();
        assert!(built.unwrap().success());
        folder.join("examples/replay")
    })
}

struct Replay<'a> {
    server: String,
    key: &'a str,
    file: &'a Path,
}

impl Replay<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.env("OFFSHOOT_API_KEY", self.key).arg(self.file).args(["--server", &self.server]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self) -> Output {
        self.command(&["--affiliates", "20"]).output().unwrap()
    }
}

/// 137 customers, amounts from 0.00 to some hundreds.
fn write_orders(file: &Path) {
    let mut gzip = GzEncoder::new(std::fs::File::create(file).unwrap(), Compression::fast());
    writeln!(gzip, "order_id,customer_id,placed_at,amount,items,coupon").unwrap();
    for number in 0..ORDERS {
        let (customer, cents) = (number * 31 % 137, number * 7_919 % 60_000);
        let amount = format!("{}.{:02}", cents / 100, cents % 100);
        writeln!(gzip, "{number},{customer},2026-01-01T00:00:00Z,{amount},1,").unwrap();
    }
    gzip.finish().unwrap();
}

async fn recorded(database: &Database) -> i64 {
    database.number("SELECT COUNT(*) FROM conversions").await
}

async fn until_recorded(database: &Database, least: i64) {
    let waited = timeout(Duration::from_mins(1), async {
        while recorded(database).await < least {
            sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap();
}

#[track_caller]
fn agrees(output: &Output) -> String {
    let said = printed(output);
    assert!(said.ends_with("20 affiliates agree to the cent"), "{said}");
    said
}

/// Killed on either side and sent again, each order is one click and one conversion.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_counts_once_however_often_the_file_is_sent() {
    let database = Database::new().await;
    let key = set_up(&database);
    // Of every eighth amount this is half a cent.
    printed(&run(&database, &["program", "set", "--program", "acme", "--commission", "12.5%"]));
    let file = database.folder.path().join("orders.csv.gz");
    write_orders(&file);

    let server = Process::start(&database);
    let address = server.address.to_string();
    let replay = Replay { server: format!("http://{address}"), key: &key, file: &file };
    let mut killed = replay.command(&["--affiliates", "20", "--connections", "8"]).spawn().unwrap();
    until_recorded(&database, 100).await;
    server.kill();
    let server = Process::with(&database, &[("OFFSHOOT_LISTEN", &address)], &[]);
    let so_far = recorded(&database).await;
    until_recorded(&database, so_far + 100).await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(recorded(&database).await < i64::try_from(ORDERS).unwrap(), "it was killed too late to prove anything");

    agrees(&replay.run());
    let again = agrees(&replay.run());
    assert!(again.contains("clicks             0  sent"), "{again}");
    assert!(again.contains("conversions        0  sent"), "{again}");
    let all = i64::try_from(ORDERS).unwrap();
    assert_eq!(database.number("SELECT COUNT(*) FROM clicks").await, all);
    assert_eq!(recorded(&database).await, all);
    printed(&run(&database, &["check-ledger"]));

    // What is not of the file is told, and whose it is.
    server.api(&key).click("REPLAY007").await;
    let differs = replay.run();
    let said = String::from_utf8_lossy(&differs.stdout);
    assert_eq!(differs.status.code(), Some(1), "{said}");
    assert!(said.contains("REPLAY007 clickCount is ") && said.contains("REPLAY007 conversionRate is "), "{said}");
    assert!(!said.contains("agree"), "{said}");

    // The same orders for others are not sent at all costs.
    let others = replay.command(&["--affiliates", "19"]).output().unwrap();
    let said = String::from_utf8_lossy(&others.stderr);
    assert_eq!(others.status.code(), Some(1), "{said}");
    assert!(said.contains("is already recorded for another affiliate"), "{said}");
    assert_eq!(recorded(&database).await, all);
}

/// A limit slows it down and does not stop it; a wrong key stops it before anything is sent.
#[tokio::test(flavor = "multi_thread")]
async fn limits_are_kept_to() {
    let database = Database::new().await;
    let key = set_up(&database);
    let file = database.folder.path().join("orders.csv.gz");
    write_orders(&file);
    // 10 a minute for what is not tracking, 100 for that: a fifth more than that, so that it is refused unless
    // the machine takes 12 seconds for it, and waits about as long.
    let server = Process::with(&database, &[("OFFSHOOT_RATE_LIMIT", "10")], &[]);
    let replay = Replay { server: format!("http://{}", server.address), key: &key, file: &file };
    let limited = replay.command(&["--affiliates", "3", "--limit", "60"]).output().unwrap();
    let said = printed(&limited);
    assert!(said.ends_with("3 affiliates agree to the cent") && !said.contains(" 0 sent again"), "{said}");

    let wrong = Replay { key: "ofs_00000000000000000000000000000000", ..replay };
    let said = wrong.run();
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).contains("401"), "{said:?}");
}
