//! Loads the server and a bare axum "hello" in turn with wrk, 64 connections each, and prints what it saw:
//! requests a second, latency, CPU a request, memory, and the ratio to hello. Run by `bin/bench`.

#![expect(clippy::float_arithmetic, reason = "measurements, not money")]
#![expect(clippy::disallowed_methods, reason = "a program of its own, with its own settings")]

use std::{
    error::Error,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use clap::Parser;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

#[path = "bench_events.rs"]
mod events;
#[path = "bench_pages.rs"]
mod pages;
#[path = "bench_payouts.rs"]
mod payouts;

type Fallible<T> = Result<T, Box<dyn Error>>;

const AFFILIATES: usize = 10_000;
const CONNECTIONS: usize = 64;
/// How many different requests each of wrk's threads makes before it begins again.
const PREPARED: usize = 10_000;
/// How many affiliates most clicks are of.
const BUSY: usize = 100;
/// How many clicks are stored when the list is first measured.
const FEW_CLICKS: i64 = 10_000;

#[derive(Parser)]
struct Settings {
    /// How long each line is measured
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How many clicks are stored when the list is measured again
    #[arg(long, default_value_t = 10_000_000)]
    clicks: i64,
    /// Only this engine
    #[arg(long, value_parser = ["sqlite", "postgres"])]
    engine: Option<String>,
    /// How many events of a payment provider a second; 0 for none
    #[arg(long, default_value_t = 1_000)]
    events: u64,
    /// Nothing but the events
    #[arg(long)]
    only_events: bool,
}

/// A process under load.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(
        mut command: Command,
        read_address: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Fallible<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (found, address) = mpsc::channel();
        let pipes: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().ok_or("no stdout")?), Box::new(child.stderr.take().ok_or("no stderr")?)];
        let read_address = std::sync::Arc::new(read_address);
        for pipe in pipes {
            let (found, read_address) = (found.clone(), read_address.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if let Some(address) = read_address(&line) {
                        let _ = found.send(address);
                    }
                }
            });
        }
        let address = address.recv_timeout(Duration::from_mins(1))?;
        Ok(Self { child, address })
    }

    /// CPU seconds it has used, of all its threads.
    fn cpu(&self) -> Fallible<f64> {
        cpu_of(self.child.id())
    }

    /// Resident memory in MB.
    fn memory(&self) -> Fallible<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cpu_of(pid: u32) -> Fallible<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("odd stat")?.1.split_whitespace().collect();
    // utime and stime, in ticks of 10 ms on Linux.
    let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

/// CPU seconds of PostgreSQL's server and everything it has forked.
fn postgres_cpu() -> f64 {
    let Some(parent) = std::env::var("OFFSHOOT_TEST_POSTGRES_PID").ok().and_then(|pid| pid.parse::<u32>().ok()) else {
        return 0.0;
    };
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    let pids = children.split_whitespace().filter_map(|pid| pid.parse().ok()).chain([parent]);
    pids.filter_map(|pid| cpu_of(pid).ok()).sum()
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    rps: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
    postgres_us: f64,
    memory_mb: f64,
    bad: f64,
}

/// A request that wrk makes: in Lua, because each may differ from the last.
struct Load {
    path: String,
    lua: String,
    connections: usize,
}

/// Ends every script: what wrk counted, for the machine.
const REPORT: &str = r#"
done = function(summary, latency)
  io.write(string.format("SEEN %d %d %f %f %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout))
end
"#;

impl Load {
    fn get(path: &str, key: Option<&str>) -> Self {
        let headers =
            key.map_or_else(String::new, |key| format!("wrk.headers[\"Authorization\"] = \"Bearer {key}\"\n"));
        Self { path: path.into(), lua: headers, connections: CONNECTIONS }
    }

    /// A page as a browser asks for it.
    fn page(path: &str, cookie: &str, connections: usize) -> Self {
        let lua = format!("wrk.headers[\"Cookie\"] = \"{cookie}\"\nwrk.headers[\"Accept-Encoding\"] = \"gzip, br\"\n");
        Self { path: path.into(), lua, connections }
    }

    /// Requests whose Lua expression is made beforehand, `PREPARED` of them, so that wrk's time goes into sending.
    fn prepared(mut self, request: &str) -> Self {
        let _ = write!(
            self.lua,
            "local prepared, next = {{}}, 0\n\
             init = function() for n = 1, {PREPARED} do prepared[n] = {request} end end\n\
             request = function() next = next % {PREPARED} + 1; return prepared[next] end\n"
        );
        self
    }

    /// Posts JSON; which, is for [`Load::prepared`] or [`Load::made`] to say.
    fn post(path: &str, key: &str) -> Self {
        let mut load = Self::get(path, Some(key));
        load.lua += "wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\n";
        load
    }

    /// Posts the Lua expression `body`, made anew for each request; `n` counts, `thread` tells threads apart.
    fn made(mut self, body: &str) -> Self {
        let _ = write!(
            self.lua,
            r#"
local threads = 0
setup = function(thread) thread:set("thread", threads); threads = threads + 1 end
local n = 0
request = function()
  n = n + 1
  return wrk.format(nil, "{}", nil, {body})
end
"#,
            self.path
        );
        self
    }

    fn run(&self, server: &Server, seconds: u64, scratch: &Path) -> Fallible<Seen> {
        let script = scratch.join("load.lua");
        std::fs::write(&script, format!("{}{REPORT}", self.lua))?;
        let url = format!("http://{}{}", server.address, self.path);
        let (cpu, postgres) = (server.cpu()?, postgres_cpu());
        let output = Command::new("wrk")
            .args(["--threads", "2", "--connections", &self.connections.to_string(), "--timeout", "10s"])
            .args(["--duration", &format!("{seconds}s"), "--script"])
            .arg(&script)
            .arg(url)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line =
            text.lines().find_map(|line| line.strip_prefix("SEEN ")).ok_or_else(|| format!("wrk said: {text}"))?;
        let numbers: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let requests = numbers[0].max(1.0);
        Ok(Seen {
            rps: requests / (numbers[1] / 1e6),
            p50_ms: numbers[2] / 1e3,
            p99_ms: numbers[3] / 1e3,
            cpu_us: (server.cpu()? - cpu) * 1e6 / requests,
            postgres_us: (postgres_cpu() - postgres) * 1e6 / requests,
            memory_mb: server.memory()?,
            bad: numbers[4],
        })
    }
}

fn print(what: &str, seen: &Seen, hello: Option<f64>, target: &str) {
    let ratio = hello.map_or_else(String::new, |hello| format!("{:.2}", seen.rps / hello));
    println!(
        "{what:<34} {:>7.0} {:>8.2} {:>8.2} {:>9.1} {:>8.1} {:>7.0} {:>5.0}  {ratio:>5} {target}",
        seen.rps, seen.p50_ms, seen.p99_ms, seen.cpu_us, seen.postgres_us, seen.memory_mb, seen.bad
    );
}

fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let examples = own.parent().unwrap_or(Path::new("."));
    if name == "offshoot" { examples.parent().unwrap_or(examples).join(name) } else { examples.join(name) }
}

struct Bench {
    settings: Settings,
    scratch: tempfile::TempDir,
    hello: Server,
}

/// An engine with a program, a key and affiliates in it.
struct Engine {
    url: String,
    server: Server,
    key: String,
}

impl Bench {
    fn offshoot(&self, url: &str) -> Command {
        let mut command = Command::new(binary("offshoot"));
        command.current_dir(self.scratch.path()).env("OFFSHOOT_DATABASE_URL", url);
        command.env("OFFSHOOT_LISTEN", "127.0.0.1:0").env("OFFSHOOT_RATE_LIMIT", "0");
        command
    }

    fn once(&self, url: &str, arguments: &[&str], stdin: &str) -> Fallible<String> {
        let mut child = self.offshoot(url).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().ok_or("no stdin")?.write_all(stdin.as_bytes())?;
        let output = child.wait_with_output()?;
        if output.status.success() {
            Ok(String::from_utf8(output.stdout)?.trim().into())
        } else {
            Err(format!("{arguments:?} failed").into())
        }
    }

    async fn engine(&self, url: &str) -> Fallible<Engine> {
        let who = ["user", "create", "--email", "bench@example.com", "--name", "Bench", "--password-stdin"];
        self.once(url, &who, &format!("{}\n", pages::PASSWORD))?;
        self.once(
            url,
            &["program", "create", "--slug", "bench", "--name", "Bench", "--owner", "bench@example.com"],
            "",
        )?;
        self.once(url, &["program", "set", "--program", "bench", "--landing-url", "https://shop.example/"], "")?;
        let key = self.once(url, &["key", "create", "--program", "bench", "--name", "bench"], "")?;
        let server = Server::start(self.offshoot(url), |line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["address"].as_str().map(str::to_owned)
        })?;
        let idle = server.memory()?;
        println!("memory when idle: {idle:.1} MB (at most 30)");
        let engine = Engine { url: url.into(), server, key };
        engine.add_affiliates().await?;
        engine.rest().await?;
        Ok(engine)
    }

    fn hello(&self) -> Fallible<Seen> {
        Load::get("/", None).run(&self.hello, self.settings.seconds, self.scratch.path())
    }

    /// Measures between two hellos, against their mean: the machine is rarely quiet for long.
    fn against_hello(&self, what: &str, engine: &Engine, load: &Load, target: &str) -> Fallible<()> {
        let before = self.hello()?;
        let seen = load.run(&engine.server, self.settings.seconds, self.scratch.path())?;
        let after = self.hello()?;
        print(what, &seen, Some(f64::midpoint(before.rps, after.rps)), target);
        Ok(())
    }

    async fn measure(&self, name: &str, url: &str) -> Fallible<()> {
        println!("\n== {name} ==");
        let engine = self.engine(url).await?;
        if self.settings.only_events {
            self.events(&engine).await?;
            self.check(url);
            return Ok(());
        }
        let sqlite = name == "SQLite";
        println!(
            "{:<34} {:>7} {:>8} {:>8} {:>9} {:>8} {:>7} {:>5}  {:>5}",
            "", "req/s", "p50 ms", "p99 ms", "CPU us", "PG us", "MB", "bad", "ratio"
        );
        print("hello", &self.hello()?, None, "");

        let key = engine.key.as_str();
        let list = Load::get("/v1/affiliates?limit=20", Some(key));
        let track = |among: usize| {
            let body = format!(
                r#"string.format('{{"referralCode":"bench%d","sourceUrl":"https://blog.example/posts/%d","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36","ipAddress":"10.%d.%d.7"}}', (n * 7) % {among}, n % 200, 100 + n % 40, n % 256, (n * 31) % 256)"#
            );
            Load::post("/v1/referrals/track", key)
                .prepared(&format!("wrk.format(nil, '/v1/referrals/track', nil, {body})"))
        };
        let follow = |among: usize| {
            Load::get("/r/bench/bench1", None)
                .prepared(&format!("wrk.format(nil, '/r/bench/bench' .. (n * 7) % {among})"))
        };
        engine.add_clicks(FEW_CLICKS).await?;
        self.against_hello(&format!("GET /v1/affiliates, {FEW_CLICKS} clicks"), &engine, &list, ">= 0.30")?;
        let few = list.run(&engine.server, self.settings.seconds, self.scratch.path())?;

        let target = if sqlite { ">= 0.40" } else { ">= 0.28" };
        let bytes_before = engine.click_bytes().await?;
        self.against_hello(&format!("POST /v1/referrals/track, {BUSY} busy"), &engine, &track(BUSY), target)?;
        let (bytes, clicks) = engine.click_bytes().await?;
        let each = (bytes - bytes_before.0) / (clicks - bytes_before.1).max(1);
        println!("storage for one click: {each} bytes with its indexes, over {clicks} (at most 120)");
        self.against_hello(&format!("the same evenly over {AFFILIATES}"), &engine, &track(AFFILIATES), "")?;
        self.against_hello(&format!("GET /r/{{program}}/{{code}}, {BUSY} busy"), &engine, &follow(BUSY), target)?;
        self.against_hello(&format!("the same evenly over {AFFILIATES}"), &engine, &follow(AFFILIATES), "")?;
        let run = std::process::id();
        let body = format!(
            r#"string.format('{{"referralCode":"bench%d","amount":%d.%02d,"orderId":"{run}-%d-%d","customer":{{"id":"c%d"}}}}', (n * 7 + thread) % {AFFILIATES}, n % 300, n % 100, thread, n, n % 5000)"#
        );
        let convert = Load::post("/v1/referrals/convert", key).made(&body);
        self.against_hello("POST /v1/referrals/convert", &engine, &convert, if sqlite { ">= 0.15" } else { "" })?;
        print_memory(&engine)?;

        let have = engine.click_bytes().await?.1;
        engine.add_clicks(self.settings.clicks - have).await?;
        let many = list.run(&engine.server, self.settings.seconds, self.scratch.path())?;
        print(&format!("that list with {} clicks", self.settings.clicks), &many, None, "");
        println!(
            "CPU a request with many clicks against few: {:+.1} % (within 10)",
            (many.cpu_us / few.cpu_us - 1.0) * 100.0
        );
        self.pages(&engine).await?;
        self.payouts(&engine).await?;
        self.events(&engine).await?;
        self.check(url);
        Ok(())
    }

    fn check(&self, url: &str) {
        let since = Instant::now();
        let checked = self.once(url, &["check-ledger"], "");
        let took = since.elapsed().as_secs_f64();
        println!("check-ledger: {} in {took:.1} s", if checked.is_ok() { "passes" } else { "FAILS" });
    }
}

/// What the server keeps up to date with every click, after some came past it; days as in `domain::id`.
const COUNT_AGAIN: &str = "
    UPDATE affiliate_totals SET clicks = (SELECT COUNT(*) FROM clicks c WHERE c.affiliate_id = affiliate_totals.affiliate_id)
      WHERE affiliate_id = (SELECT MIN(affiliate_id) FROM affiliate_totals);
    INSERT INTO affiliate_days (affiliate_id, day, clicks)
      SELECT affiliate_id, ((id >> 22) + 1577836800000) / 86400000, COUNT(*) FROM clicks
      WHERE affiliate_id = (SELECT MIN(affiliate_id) FROM affiliate_totals)
      GROUP BY affiliate_id, ((id >> 22) + 1577836800000) / 86400000
      ON CONFLICT (affiliate_id, day) DO UPDATE SET clicks = excluded.clicks;";

fn print_memory(engine: &Engine) -> Fallible<()> {
    println!("memory under that load: {:.1} MB (at most 120)", engine.server.memory()?);
    Ok(())
}

impl Engine {
    async fn add_affiliates(&self) -> Fallible<()> {
        let client = reqwest::Client::new();
        let at_once = 32;
        for first in (0..AFFILIATES).step_by(at_once) {
            let made = (first..AFFILIATES.min(first + at_once)).map(|n| {
                let body = serde_json::json!({ "email": format!("bench{n}@example.com"), "name": format!("Affiliate {n}"), "referralCode": format!("bench{n}") });
                client.post(format!("http://{}/v1/affiliates", self.server.address)).bearer_auth(&self.key).json(&body).send()
            });
            for answer in futures_util::future::join_all(made).await {
                answer?.error_for_status()?;
            }
        }
        Ok(())
    }

    /// Waits for the jobs that were made: they would be measured beside what comes next.
    async fn rest(&self) -> Fallible<()> {
        while self.number("SELECT COUNT(*) FROM jobs WHERE kind = 'mail'".into()).await? > 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    async fn number(&self, sql: String) -> Fallible<i64> {
        if let Some(file) = self.url.strip_prefix("sqlite://") {
            return Ok(rusqlite::Connection::open(file)?.query_row(&sql, [], |row| row.get(0))?);
        }
        let mut pg = PgConnection::connect(&self.url).await?;
        Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut pg).await?)
    }

    /// Bytes of the clicks with their indexes, and how many there are.
    async fn click_bytes(&self) -> Fallible<(i64, i64)> {
        if let Some(file) = self.url.strip_prefix("sqlite://") {
            let lite = rusqlite::Connection::open(file)?;
            let count = lite.query_row("SELECT COUNT(*) FROM clicks", [], |row| row.get(0))?;
            let bytes = lite.query_row("SELECT SUM(pgsize) FROM dbstat WHERE name LIKE 'clicks%' OR name LIKE 'texts%' OR name LIKE '%autoindex_texts%'", [], |row| row.get(0))?;
            return Ok((bytes, count));
        }
        let mut pg = PgConnection::connect(&self.url).await?;
        let sql = "SELECT CAST(pg_total_relation_size('clicks') + pg_total_relation_size('texts') AS BIGINT), (SELECT COUNT(*) FROM clicks)";
        Ok(sqlx::query_as(sql).fetch_one(&mut pg).await?)
    }

    /// More clicks, past the server, as rows alone: a year of them, ended before the bench's own.
    async fn add_clicks(&self, more: i64) -> Fallible<()> {
        if more <= 0 {
            return Ok(());
        }
        // Ids are times: those of the clicks lie before everything that the server has stored.
        let from = "COALESCE((SELECT MIN(id) FROM clicks), (SELECT MIN(affiliate_id) FROM affiliate_totals))";
        let mut sql = String::new();
        if let Some(file) = self.url.strip_prefix("sqlite://") {
            write!(
                sql,
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {more}),
                 first AS (SELECT {from} - (1 << 40) - {more} * 4194304 AS id, (SELECT MIN(affiliate_id) FROM affiliate_totals) AS a)
                 INSERT INTO clicks (id, affiliate_id) SELECT first.id + n * 4194304, a FROM n, first;
                 {COUNT_AGAIN}"
            )?;
            let lite = rusqlite::Connection::open(file)?;
            lite.busy_timeout(Duration::from_mins(1))?;
            lite.execute_batch(&sql)?;
        } else {
            write!(
                sql,
                "INSERT INTO clicks (id, affiliate_id)
                 SELECT {from} - (1::bigint << 40) - n * 4194304, (SELECT MIN(affiliate_id) FROM affiliate_totals) FROM generate_series(1::bigint, {more}) n;
                 {COUNT_AGAIN} ANALYZE clicks;"
            )?;
            let mut pg = PgConnection::connect(&self.url).await?;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut pg).await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let settings = Settings::parse();
    let scratch = tempfile::tempdir()?;
    let hello = Server::start(Command::new(binary("hello")), |line| Some(line.to_owned()))?;
    let bench = Bench { settings, scratch, hello };
    let wants = |name: &str| bench.settings.engine.as_deref().is_none_or(|engine| engine == name);
    if wants("sqlite") {
        bench.measure("SQLite", &format!("sqlite://{}", bench.scratch.path().join("bench.db").display())).await?;
    }
    if wants("postgres") {
        let server = std::env::var("OFFSHOOT_TEST_POSTGRES")?;
        let mut pg = PgConnection::connect(&server).await?;
        sqlx::raw_sql("CREATE DATABASE bench").execute(&mut pg).await?;
        let (base, _) = server.rsplit_once('/').ok_or("odd address")?;
        bench.measure("PostgreSQL", &format!("{base}/bench")).await?;
    }
    Ok(())
}
