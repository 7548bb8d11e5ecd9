//! The command line, as scripts use it: what is printed where, and how it exits.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Output, time::Duration};

use offshoot::store::migrate;

use crate::support::{
    Api, Database, Process,
    process::{command, printed, run, run_with, set_up},
};

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Exit code 1, nothing on stdout, and the reason on stderr.
#[track_caller]
fn fails(output: &Output, reason: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(said(output).contains(reason), "{output:?}");
}

/// The same with exit code 2: what was asked for cannot be.
#[track_caller]
fn misuses(output: &Output, flag: &str) {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(said(output).contains(flag), "{output:?}");
}

fn is_private(file: &Path) -> bool {
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777 == 0o600
}

const COMMANDS: [&[&str]; 12] = [
    &[],
    &["serve"],
    &["migrate"],
    &["user", "create"],
    &["program", "create"],
    &["program", "set"],
    &["key", "create"],
    &["key", "list"],
    &["key", "revoke"],
    &["check-ledger"],
    &["backup"],
    &["openapi"],
];

#[tokio::test]
async fn every_command_helps_and_misuse_exits_with_two() {
    let database = Database::new().await;
    for command in COMMANDS {
        let help = printed(&run(&database, &[command, &["--help"]].concat()));
        assert!(help.contains("Usage: offshoot"), "{command:?}: {help}");
        assert!(help.contains("OFFSHOOT_DATABASE_URL"), "{command:?}: {help}");
        let misused = run(&database, &[command, &["--no-such-flag"]].concat());
        assert_eq!(misused.status.code(), Some(2), "{command:?}: {misused:?}");
        assert!(misused.stdout.is_empty(), "{command:?}: {misused:?}");
    }
    assert_eq!(run(&database, &["no-such-command"]).status.code(), Some(2));
    assert_eq!(run(&database, &["key", "create"]).status.code(), Some(2), "what is required is missing");
    let version = printed(&run(&database, &["--version"]));
    assert_eq!(version, format!("offshoot {}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn all_mistakes_in_the_settings_are_told_at_once_before_anything_is_opened() {
    let database = Database::new().await;
    let settings = [
        ("OFFSHOOT_LISTEN", "nowhere"),
        ("OFFSHOOT_DATABASE_URL", "mysql://x"),
        ("OFFSHOOT_BASE_URL", "ftp://x"),
        ("OFFSHOOT_SMTP_URL", "http://x"),
        ("OFFSHOOT_MAIL_FROM", "nobody"),
        ("OFFSHOOT_SECRET_KEY", "short"),
        ("OFFSHOOT_RATE_LIMIT", "-1"),
        ("OFFSHOOT_TRUSTED_PROXIES", "10.0.0.0/99"),
        ("OFFSHOOT_LOG", "?=?"),
    ];
    for command in [&["serve"][..], &["migrate"], &["check-ledger"]] {
        let refused = run_with(&database, &settings, command, "");
        fails(&refused, "the settings are wrong");
        for (name, value) in settings {
            assert!(said(&refused).contains(&format!("  {name}")), "{name}: {refused:?}");
            assert!(name != "OFFSHOOT_SECRET_KEY" || !said(&refused).contains(value), "a secret is not repeated");
        }
    }
    assert_eq!(std::fs::read_dir(database.folder.path()).unwrap().count(), 0, "nothing was made");
    let flag = run(&database, &["--listen", "nowhere", "migrate"]);
    fails(&flag, "OFFSHOOT_LISTEN (--listen)");
}

#[tokio::test]
async fn migrating_again_changes_nothing_and_another_versions_database_is_refused() {
    let database = Database::new().await;
    for _ in 0..3 {
        let migrated = run(&database, &["migrate"]);
        assert_eq!(printed(&migrated), "", "{migrated:?}");
    }
    let all = i64::try_from(migrate::ALL.len()).unwrap();
    assert_eq!(database.number("SELECT COUNT(*) FROM schema_migrations").await, all);

    database.execute("UPDATE schema_migrations SET checksum = 'edited'").await.unwrap();
    for command in ["migrate", "check-ledger", "serve"] {
        fails(
            &run_with(&database, &[("OFFSHOOT_LISTEN", "127.0.0.1:0")], &[command], ""),
            "differs from this program's",
        );
    }
    database
        .execute(
            "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (9999, '9999_later', '', 0)",
        )
        .await
        .unwrap();
    database.execute("DELETE FROM schema_migrations WHERE checksum = 'edited'").await.unwrap();
    let before = database.number("SELECT last FROM instances").await;
    for command in ["migrate", "check-ledger", "serve"] {
        fails(&run_with(&database, &[("OFFSHOOT_LISTEN", "127.0.0.1:0")], &[command], ""), "newer version");
    }
    assert_eq!(database.number("SELECT last FROM instances").await, before, "nothing was changed");
    assert_eq!(database.number("SELECT COUNT(*) FROM schema_migrations").await, 1);
}

#[tokio::test]
async fn accounts_and_programs_are_made_once_and_said_why_not() {
    let database = Database::new().await;
    let create = |email: &str| run(&database, &["user", "create", "--email", email, "--name", "Mara"]);
    let link = printed(&create("mara@example.com"));
    assert!(link.starts_with("http://127.0.0.1:8080/login/link/"), "{link}");
    assert_eq!(link.lines().count(), 1);
    fails(&create("MARA@example.com"), "email");
    misuses(&create("nobody"), "--email");
    let with_password = |password: &str| {
        let arguments = ["user", "create", "--email", "p@example.com", "--name", "P", "--password-stdin"];
        run_with(&database, &[], &arguments, password)
    };
    fails(&with_password("short\n"), "12 to 256");
    assert_eq!(printed(&with_password("long enough for this\n")), "");

    let program = |slug: &str, owner: &str, rest: &[&str]| {
        run(&database, &[&["program", "create", "--slug", slug, "--name", "Acme", "--owner", owner], rest].concat())
    };
    let id = printed(&program("acme", "mara@example.com", &["--currency", "JPY", "--commission", "12.5%"]));
    assert!(id.starts_with("prog_") && id.lines().count() == 1, "{id}");
    fails(&program("acme", "mara@example.com", &[]), "slug");
    misuses(&program("Bad Slug", "mara@example.com", &[]), "--slug");
    fails(&program("other", "nobody@example.com", &[]), "--owner");
    misuses(&program("other", "mara@example.com", &["--currency", "XXX1"]), "--currency");
    misuses(&program("other", "mara@example.com", &["--commission", "101%"]), "--commission");
    let stored = "SELECT COUNT(*) FROM programs WHERE slug = 'acme' AND currency = 'JPY' AND rate_bps = 1250 AND attribution_days = 60";
    assert_eq!(database.number(stored).await, 1);

    let set = |rest: &[&str]| run(&database, &[&["program", "set", "--program", "acme"], rest].concat());
    assert_eq!(printed(&set(&["--attribution-days", "30", "--domains", "a.example, b.example"])), "");
    assert_eq!(printed(&set(&["--landing-url", "https://a.example/"])), "");
    let stored = "SELECT COUNT(*) FROM programs WHERE attribution_days = 30 AND rate_bps = 1250 AND landing_url = 'https://a.example/' AND name = 'Acme'";
    assert_eq!(database.number(stored).await, 1, "what is not named stays");
    assert_eq!(printed(&set(&["--ads", "allowed", "--banned-referrers", "c.example", "--hourly-sales", "9"])), "");
    let stored =
        "SELECT COUNT(*) FROM programs WHERE ads_allowed AND banned_referrers = 'c.example' AND hourly_sales = 9";
    assert_eq!(database.number(stored).await, 1);
    misuses(&set(&["--ads", "maybe"]), "--ads");
    misuses(&set(&["--hourly-sales", "0"]), "--hourly-sales");
    misuses(&set(&["--attribution-days", "0"]), "--attribution-days");
    misuses(&set(&["--landing-url", "/relative"]), "--landing-url");
    fails(&run(&database, &["program", "set", "--program", "none", "--name", "X"]), "no program none");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_printed_once_listed_by_what_can_be_told_and_revoked_by_prefix() {
    let database = Database::new().await;
    let full = set_up(&database);
    let key = |arguments: &[&str]| run(&database, &[&["key"], arguments].concat());
    let create = |name: &str, rest: &[&str]| key(&[&["create", "--program", "acme", "--name", name], rest].concat());
    let track = printed(&create("Shop", &["--scope", "track"]));
    let brief = printed(&create("Brief", &["--scope", "read", "--expires-in-days", "1"]));
    for secret in [&full, &track, &brief] {
        assert!(secret.starts_with("ofs_") && secret.len() >= 36 && secret.lines().count() == 1, "{secret}");
    }
    misuses(&create("X", &["--scope", "some"]), "--scope");
    assert_eq!(create("X", &["--expires-in-days", "0"]).status.code(), Some(2));
    fails(&key(&["create", "--program", "none", "--name", "X"]), "no program none");

    let server = Process::start(&database);
    assert_eq!(server.api(&track).get("/affiliates").await.status, 403);
    assert_eq!(server.api(&brief).get("/affiliates").await.status, 200);
    assert_eq!(server.api(&full).get("/affiliates").await.status, 200);
    // The last use is written down beside the answer, not before it.
    let used = async || printed(&key(&["list", "--program", "acme"])).matches("last used 20").count();
    for _ in 0..100 {
        if used().await == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let listed = printed(&key(&["list", "--program", "acme"]));
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 3);
    for (line, (secret, scope, name)) in
        lines.iter().zip([(&brief, "read", "Brief"), (&track, "track", "Shop"), (&full, "full", "test")])
    {
        assert!(secret.starts_with(line[0]) && line[0].len() < 16, "{line:?}");
        assert!(secret.ends_with(line[1]) && line[1].len() == 4, "{line:?}");
        assert_eq!((line[2], line[3]), (scope, name));
        assert!(line[4].starts_with("last used 20"), "{line:?}");
        assert!(!listed.contains(secret.as_str()));
    }
    assert!(lines[0][5].starts_with("expires 20"), "{listed}");

    let prefix = lines[1][0].to_owned();
    assert_eq!(printed(&key(&["revoke", "--program", "acme", "--prefix", &prefix])), "");
    fails(&key(&["revoke", "--program", "acme", "--prefix", &prefix]), "no such key");
    fails(&key(&["revoke", "--program", "acme", "--prefix", "ofs_"]), "no such key");
    let listed = printed(&key(&["list", "--program", "acme"]));
    assert!(listed.lines().nth(1).unwrap().contains("\trevoked 20"), "{listed}");

    database.execute("UPDATE api_keys SET expires_at = 1 WHERE name = 'Brief'").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    server.api(&brief).get("/affiliates").await.fails(401, "authentication_error", None);
    server.api(&track).get("/affiliates").await.fails(401, "authentication_error", None);
    assert_eq!(server.api(&full).get("/affiliates").await.status, 200);
}

#[tokio::test]
async fn check_ledger_prints_each_difference_and_exits_with_one() {
    let database = Database::new().await;
    let key = set_up(&database);
    let server = Process::start(&database);
    server.api(&key).affiliate("ANNA").await;
    server.api(&key).click("ANNA").await;
    server.api(&key).sale("ANNA", "10", "1").await.data();
    assert_eq!(printed(&run(&database, &["check-ledger"])), "");
    database.execute("UPDATE affiliate_totals SET clicks = clicks + 1, paid_minor = 5").await.unwrap();
    let found = run(&database, &["check-ledger"]);
    assert_eq!(found.status.code(), Some(1));
    let lines = String::from_utf8(found.stdout).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(lines.contains("an affiliate's clicks:") && lines.contains("2 is stored, the rows say 1"), "{lines}");
}

async fn sell(api: Api) -> usize {
    for number in 0.. {
        let body = format!(r#"{{"referralCode":"ANNA","amount":1,"orderId":"while-{number}"}}"#);
        if api.try_raw(reqwest::Method::POST, "/referrals/convert", body).await.is_err() {
            return number;
        }
    }
    0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_while_serving_holds_what_was_answered_before_it() {
    let database = Database::new().await;
    let key = set_up(&database);
    let server = Process::start(&database);
    let api = server.api(&key);
    api.affiliate("ANNA").await;
    if !database.is_sqlite() {
        fails(&run(&database, &["backup", "copy.db"]), "pg_dump");
        assert!(!database.folder.path().join("copy.db").exists());
        return;
    }
    for number in 0..50 {
        api.sale("ANNA", "1", &format!("before-{number}")).await.data();
    }
    let selling = tokio::spawn(sell(api.clone()));
    let backup = |file: &str| run(&database, &["backup", file]);
    let copies: Vec<_> = (0..3).map(|number| format!("copies/{number}.db")).collect();
    for copy in &copies {
        assert_eq!(printed(&backup(copy)), "");
    }
    fails(&backup(&copies[0]), "exists already");
    let mistyped = Database::at(format!("sqlite://{}", database.folder.path().join("mistyped.db").display()));
    for command in [&["check-ledger"][..], &["backup", "x.db"], &["key", "list", "--program", "acme"]] {
        fails(&run(&mistyped, command), "there is no database at");
    }
    server.kill();
    assert!(selling.await.unwrap() > 0, "there was somebody to disturb");
    for copy in copies {
        let file = database.folder.path().join(&copy);
        assert!(is_private(&file));
        let restored = Database::at(format!("sqlite://{}", file.display()));
        let before = "SELECT COUNT(*) FROM conversions WHERE order_id LIKE 'before-%'";
        assert_eq!(restored.number(before).await, 50);
        assert_eq!(restored.number("SELECT integrity_check = 'ok' FROM pragma_integrity_check").await, 1);
        printed(&run(&restored, &["check-ledger"]));
    }
}

#[tokio::test]
async fn what_is_secret_is_for_its_owner_only_and_made_once() {
    let database = Database::new().await;
    printed(&run(&database, &["migrate"]));
    let folder = database.folder.path();
    let file = folder.join(if database.is_sqlite() { "secret.key" } else { "data/secret.key" });
    let secret = std::fs::read_to_string(&file).unwrap();
    assert_eq!(secret.trim().len(), 64);
    assert!(is_private(&file));
    if database.is_sqlite() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(is_private(&path), "{}", path.display());
        }
    }
    printed(&run(&database, &["migrate"]));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), secret);
    std::fs::write(&file, "not a key").unwrap();
    fails(&run(&database, &["migrate"]), "secret.key");
}

#[tokio::test]
async fn the_document_needs_no_database() {
    let database = Database::at("sqlite:///nowhere/at/all.db".into());
    let document: serde_json::Value = serde_json::from_str(&printed(&run(&database, &["openapi"]))).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(
        document["paths"]["/referrals/convert"].is_object() || document["paths"]["/v1/referrals/convert"].is_object()
    );
}

#[tokio::test]
async fn serving_where_somebody_else_listens_fails_and_says_where() {
    let database = Database::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(&run_with(&database, &[("OFFSHOOT_LISTEN", &address)], &["serve"], ""), &address);
    fails(&run_with(&database, &[], &["--listen", &address], ""), &address);
}

#[tokio::test]
async fn who_does_not_listen_is_no_reason_to_panic() {
    let database = Database::new().await;
    for program in ["/dev/full", "/dev/null"] {
        let to = std::fs::OpenOptions::new().write(true).open(program).unwrap();
        let output = command(&database).arg("openapi").stdout(to).output().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(program == "/dev/full")), "{output:?}");
        assert!(!said(&output).contains("panicked"), "{output:?}");
    }
}

#[tokio::test]
async fn the_way_in_is_told_whatever_else_the_log_leaves_out() {
    let database = Database::new().await;
    let mut quiet = command(&database);
    quiet.args(["--listen", "127.0.0.1:0"]).env("OFFSHOOT_LOG", "off");
    let mut server = quiet.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stderr.take().unwrap()), &mut line).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(line.contains("setup?token="), "{line}");
    fails(&run_with(&database, &[("OFFSHOOT_LOG", "inof")], &["migrate"], ""), "OFFSHOOT_LOG");
}
