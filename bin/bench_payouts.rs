//! What a payout to everybody costs: looked at, made, and marked as paid, as one caller waits for each.

use std::{error::Error, time::Instant};

use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{AFFILIATES, Bench, Engine};

/// How many approved commissions each affiliate has.
const EACH: usize = 20;

/// Approved by hand, so that they come of no sale: commissions, their entries and the counters that go with them.
fn owed() -> String {
    format!(
        "INSERT INTO commissions (id, program_id, affiliate_id, kind, amount_minor, original_minor, rate_bps, status, reason, created_at, updated_at, approved_at, payable_at)
           WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {EACH})
           SELECT ROW_NUMBER() OVER (), a.program_id, a.id, 'adjustment', 100 + n.i, 100 + n.i, 0, 'approved', 'A bonus', 1, 1, 1, 1
           FROM affiliates a CROSS JOIN n;
         INSERT INTO ledger_entries (id, program_id, affiliate_id, currency, kind, amount_minor, commission_id, created_at)
           SELECT id, program_id, affiliate_id, 'USD', 'adjust', amount_minor, id, 1 FROM commissions WHERE reason = 'A bonus';
         UPDATE affiliate_totals SET approved_count = approved_count + {EACH}, approved_minor = approved_minor
           + (SELECT SUM(amount_minor) FROM commissions c WHERE c.affiliate_id = affiliate_totals.affiliate_id AND c.reason = 'A bonus');"
    )
}

impl Bench {
    pub async fn payouts(&self, engine: &Engine) -> Result<(), Box<dyn Error>> {
        pay_by_mail(engine).await?;
        if let Some(file) = engine.url.strip_prefix("sqlite://") {
            let lite = rusqlite::Connection::open(file)?;
            lite.busy_timeout(std::time::Duration::from_mins(1))?;
            lite.execute_batch(&owed())?;
        } else {
            let mut pg = PgConnection::connect(&engine.url).await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(owed())).execute(&mut pg).await?;
        }
        let before = engine.server.memory()?;
        let commissions = AFFILIATES * EACH;
        let what = format!("payout of {commissions} commissions to {AFFILIATES}");
        timed(engine, &format!("{what}, looked at (under 2 s)"), "/v1/payouts?dryRun=true", &json!({})).await?;
        let made = timed(engine, "the same, made (under 5 s)", "/v1/payouts", &json!({})).await?;
        let id = made["data"]["payout"]["id"].as_str().ok_or("no payout")?;
        timed(
            engine,
            "the same, all marked as paid",
            &format!("/v1/payouts/{id}/status"),
            &json!({ "status": "paid" }),
        )
        .await?;
        println!("memory before and after: {before:.1} and {:.1} MB", engine.server.memory()?);
        Ok(())
    }
}

async fn timed(engine: &Engine, what: &str, path: &str, body: &Value) -> Result<Value, Box<dyn Error>> {
    let since = Instant::now();
    let request = Client::new().post(format!("http://{}{path}", engine.server.address));
    let answer = request.bearer_auth(&engine.key).json(body).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    let start = text.chars().take(300).collect::<String>();
    println!("{what}: {:.2} s, {status}", since.elapsed().as_secs_f64());
    if status.is_success() { Ok(serde_json::from_str(&text)?) } else { Err(start.into()) }
}

/// Everybody is paid by `PayPal`.
async fn pay_by_mail(engine: &Engine) -> Result<(), Box<dyn Error>> {
    let client = Client::new();
    for offset in (0..AFFILIATES).step_by(100) {
        let url = format!("http://{}/v1/affiliates?limit=100&offset={offset}", engine.server.address);
        let page: Value = client.get(url).bearer_auth(&engine.key).send().await?.json().await?;
        let ids = page["data"]["affiliates"].as_array().ok_or("no affiliates")?;
        let set = ids.iter().filter_map(|affiliate| affiliate["id"].as_str()).map(|id| {
            let url = format!("http://{}/v1/affiliates/{id}", engine.server.address);
            let by = json!({ "paymentMethod": "paypal", "paymentDetails": "paid@example.com" });
            client.patch(url).bearer_auth(&engine.key).json(&by).send()
        });
        for answer in futures_util::future::join_all(set).await {
            answer?.error_for_status()?;
        }
    }
    Ok(())
}
