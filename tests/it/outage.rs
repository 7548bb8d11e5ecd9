//! The database is locked, full, frozen, gone or out of reach: everybody is told in time, visitors arrive
//! all the same, and when it is back all is well without a restart.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{Client, Method, redirect::Policy};

use tokio::time::{sleep, timeout};

use crate::support::{
    Answer, Api, Database, Site,
    cluster::{Cluster, Wire},
};

/// The contract says 10 s for a request and 1 s for a visitor; a busy machine is given more.
const TOLD_WITHIN: Duration = Duration::from_secs(14);
const ARRIVED_WITHIN: Duration = Duration::from_secs(3);
/// How soon after the database all is well.
const WELL_WITHIN: Duration = Duration::from_secs(12);

/// Longer than anybody may have to wait, so that who waits for the database to come back is found out.
const LONG: Duration = Duration::from_secs(16);

async fn timed<T>(within: Duration, what: &str, work: impl Future<Output = T>) -> T {
    timeout(within, work).await.unwrap_or_else(|_| panic!("{what} is not done within {within:?}"))
}

async fn visit(site: &Site, path: &str) -> Answer {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    Answer::of(client.get(site.url(path)).send().await.unwrap()).await
}

fn convert(api: &Api, order: &str) -> impl Future<Output = Answer> + use<> {
    let (api, body) = (api.clone(), format!(r#"{{"referralCode":"ANNA","amount":10,"orderId":"{order}"}}"#));
    async move { api.raw(Method::POST, "/referrals/convert", body).await }
}

/// While nothing can be written: each kind of request at once, each with its own bound.
async fn nothing_can_be_written(site: &Site, round: &str) {
    let api = &site.api;
    let writing = async {
        let sales = (0..4).map(|number| convert(api, &format!("out-{round}-{number}")));
        let body = serde_json::json!({ "referralCode": "ANNA" });
        let (sales, click) = tokio::join!(futures_util::future::join_all(sales), api.post("/referrals/track", &body));
        for answer in sales.iter().chain([&click]) {
            assert!(answer.status.is_server_error(), "{answer:?}");
            answer.fails(answer.status.as_u16(), "server_error", None);
        }
    };
    let visiting = async {
        // After the program is no longer known for certain.
        sleep(Duration::from_millis(700)).await;
        for _ in 0..3 {
            let arrived = timed(ARRIVED_WITHIN, "a visit", visit(site, "/r/acme/ANNA")).await;
            assert_eq!(arrived.status, 302, "{arrived:?}");
            assert_eq!(arrived.header("location"), "https://shop.example/start", "without a click");
        }
        let up = timed(ARRIVED_WITHIN, "healthz", visit(site, "/healthz")).await;
        assert_eq!(up.status, 200);
    };
    tokio::join!(timed(TOLD_WITHIN, "a request that writes", writing), visiting);
}

/// While nothing can be read either.
async fn nothing_can_be_reached(site: &Site) {
    let reading = async {
        // After the key is no longer known for certain, so that even what needs nothing else does not work.
        sleep(Duration::from_millis(700)).await;
        for path in ["/affiliates", "/nowhere"] {
            let answer = timed(TOLD_WITHIN, path, site.api.get(path)).await;
            answer.fails(answer.status.as_u16(), "server_error", None);
        }
    };
    // What may take a minute does so only while the database is well.
    let whole = async {
        let answer = site.api.post("/payouts", &serde_json::json!({})).await;
        assert!(answer.status.is_server_error(), "{answer:?}");
    };
    let signed_in = async {
        // Whoever has a session is not told to sign in again.
        let home = Client::new().get(site.url("/home")).header("cookie", "offshoot=AAAAAAAAAAAAAAAAAAAAAA");
        Answer::of(home.send().await.unwrap()).await
    };
    let ready = timed(TOLD_WITHIN, "readyz", visit(site, "/readyz"));
    let whole = timed(TOLD_WITHIN, "a payout", whole);
    let ((), (), ready, home) = tokio::join!(reading, whole, ready, timed(TOLD_WITHIN, "a page", signed_in));
    assert_eq!(ready.status, 503);
    assert!(home.status.is_server_error(), "{home:?}");
}

async fn all_is_well(site: &Site, round: &str) {
    let since = Instant::now();
    let mut number = 0;
    loop {
        number += 1;
        let sale = convert(&site.api, &format!("back-{round}-{number}")).await;
        let ready = visit(site, "/readyz").await;
        if sale.status == 201 && ready.status == 200 {
            break;
        }
        assert!(since.elapsed() < WELL_WITHIN, "still {sale:?} {ready:?}");
        sleep(Duration::from_millis(100)).await;
    }
    // Not by luck: many at once, more than there are connections.
    let many = (0..24).map(|number| convert(&site.api, &format!("well-{round}-{number}")));
    for answer in futures_util::future::join_all(many).await {
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    site.api.click("ANNA").await;
    let arrived = visit(site, "/r/acme/ANNA").await;
    assert!(arrived.header("location").contains("clickId=click_"), "{arrived:?}");
    site.check_ledger().await;
}

/// Keeps every connection in use, so that some are in the middle of something when the database goes.
fn busy(site: &Site) -> tokio::task::JoinSet<()> {
    let mut running = tokio::task::JoinSet::new();
    for number in 0..24 {
        let (api, path) = (site.api.clone(), ["/affiliates", "/commissions", "/conversions"][number % 3]);
        running.spawn(async move {
            loop {
                let answer = timed(TOLD_WITHIN, path, api.get(path)).await;
                assert!(answer.status == 200 || answer.status.is_server_error(), "{answer:?}");
            }
        });
    }
    running
}

/// None of them failed, and they end here.
async fn quiet(mut running: tokio::task::JoinSet<()>) {
    while let Some(ended) = running.try_join_next() {
        ended.unwrap();
    }
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_database_is_waited_for_and_then_told_of() {
    let site = Site::start().await;
    if !site.database.is_sqlite() {
        return;
    }
    site.affiliate("ANNA").await;
    assert_eq!(visit(&site, "/r/acme/ANNA").await.status, 302);
    let other = rusqlite::Connection::open(site.database.url.strip_prefix("sqlite://").unwrap()).unwrap();
    for round in ["first", "second"] {
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        nothing_can_be_written(&site, round).await;
        // Readers are not in a writer's way.
        assert_eq!(timed(ARRIVED_WITHIN, "a list", site.api.get("/affiliates")).await.status, 200);
        other.execute_batch("COMMIT").unwrap();
        all_is_well(&site, round).await;
    }
    // What was answered with an error was not counted behind the caller's back.
    let clicks = site.database.number("SELECT COUNT(*) FROM clicks").await;
    assert_eq!(clicks, 1 + 2 * 2);
}

/// A small file system of memory, gone when dropped.
struct Tiny(PathBuf);

impl Tiny {
    fn mount(folder: &Path) -> Option<Self> {
        let folder = folder.join("tiny");
        std::fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(&folder).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_of_and_room_is_all_it_takes() {
    let mut database = Database::new().await;
    if !database.is_sqlite() {
        return;
    }
    let Some(tiny) = Tiny::mount(database.folder.path()) else {
        println!("skipped: this machine does not let the test mount a file system of its own");
        return;
    };
    database.url = format!("sqlite://{}/offshoot.db", tiny.0.display());
    let site = Site::on(Arc::new(database), &[("OFFSHOOT_RATE_LIMIT", "0")], "acme", "USD").await;
    site.affiliate("ANNA").await;
    assert_eq!(visit(&site, "/r/acme/ANNA").await.status, 302);

    for round in ["first", "second"] {
        let filler = tiny.0.join("filler");
        while std::fs::write(filler.with_extension("more"), vec![1; 64 * 1024]).is_ok() {
            let mut whole = std::fs::OpenOptions::new().create(true).append(true).open(&filler).unwrap();
            if std::io::Write::write_all(&mut whole, &vec![1; 64 * 1024]).is_err() {
                break;
            }
        }
        // What room the database's own files still have is used up by real sales.
        let mut sold = 0;
        loop {
            let sales = (0..32).map(|number| convert(&site.api, &format!("until-{round}-{sold}-{number}")));
            let answers = futures_util::future::join_all(sales).await;
            sold += 1;
            if answers.iter().all(|answer| answer.status.is_server_error()) {
                break;
            }
            assert!(sold < 1_000, "the disk is never full");
        }
        nothing_can_be_written(&site, round).await;
        assert_eq!(timed(ARRIVED_WITHIN, "a list", site.api.get("/affiliates")).await.status, 200);
        assert_eq!(visit(&site, "/login").await.status, 200);

        std::fs::remove_file(&filler).unwrap();
        std::fs::remove_file(filler.with_extension("more")).unwrap();
        all_is_well(&site, round).await;
        assert_eq!(site.database.number("SELECT integrity_check = 'ok' FROM pragma_integrity_check").await, 1);
    }
    drop(site);
}

/// A site on a server of its own, through a wire, if the suite runs on PostgreSQL.
async fn on_a_server_of_its_own() -> Option<(Cluster, Wire, Site)> {
    let cluster = Cluster::start()?;
    let wire = Wire::to(cluster.port).await;
    let database = Arc::new(Database::at(Cluster::url(wire.port)));
    let site = Site::on(database, &[("OFFSHOOT_RATE_LIMIT", "0")], "acme", "USD").await;
    site.affiliate("ANNA").await;
    assert_eq!(visit(&site, "/r/acme/ANNA").await.status, 302);
    Some((cluster, wire, site))
}

async fn a_server_that_stands_still_is_told_of_and_may_go_on() {
    let Some((cluster, _, site)) = on_a_server_of_its_own().await else { return };
    let load = busy(&site);
    sleep(Duration::from_millis(300)).await;
    let frozen = cluster.freeze();
    tokio::join!(nothing_can_be_written(&site, "only"), nothing_can_be_reached(&site), sleep(LONG));
    drop(frozen);
    quiet(load).await;
    all_is_well(&site, "only").await;
}

async fn a_server_that_is_stopped_and_started_again_is_used_again() {
    let Some((cluster, _, site)) = on_a_server_of_its_own().await else { return };
    for round in ["first", "second"] {
        let load = busy(&site);
        sleep(Duration::from_millis(300)).await;
        cluster.stop();
        tokio::join!(nothing_can_be_written(&site, round), nothing_can_be_reached(&site));
        quiet(load).await;
        cluster.resume();
        all_is_well(&site, round).await;
    }
}

/// As when the server's machine is gone and another takes its address: nobody says so on the connections
/// that were open.
async fn a_server_that_is_out_of_reach_is_told_of_and_found_again() {
    let Some((_cluster, wire, site)) = on_a_server_of_its_own().await else { return };
    let load = busy(&site);
    sleep(Duration::from_millis(300)).await;
    wire.cut();
    tokio::join!(nothing_can_be_written(&site, "only"), nothing_can_be_reached(&site), sleep(LONG));
    wire.mend();
    quiet(load).await;
    all_is_well(&site, "only").await;
}

/// Each on a server of its own, all at the same time, because each of them is mostly waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_told_of_and_found_again() {
    let all = [
        tokio::spawn(a_server_that_stands_still_is_told_of_and_may_go_on()),
        tokio::spawn(a_server_that_is_stopped_and_started_again_is_used_again()),
        tokio::spawn(a_server_that_is_out_of_reach_is_told_of_and_found_again()),
    ];
    for one in all {
        one.await.unwrap();
    }
}
