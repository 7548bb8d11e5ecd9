//! The proof behind `check-ledger`: every total, counter and balance computed again from the rows that it
//! summarises. Each question sets what is stored against what the rows say and keeps what differs.

use super::{Error, Tx, ask, row, sqlite};

row! {
    /// `id` is of what `what` names; `day` is 0 where there is none.
    #[derive(Debug)]
    pub struct Difference {
        pub id: i64,
        pub day: i64,
        pub stored: i64,
        pub rows: i64,
    }
}

/// One question: what it is about, and the SQL that sums the stored side against the side of the rows, per
/// id and day, and keeps what differs.
macro_rules! check {
    ($what:literal, $stored:literal, $rows:literal) => {
        (
            $what,
            concat!(
                "SELECT id, CAST(day AS BIGINT) AS day, CAST(SUM(stored) AS BIGINT) AS stored, CAST(SUM(actual) AS BIGINT) AS rows FROM (
                 SELECT id, day, CAST(stored AS BIGINT) AS stored, 0 AS actual FROM (",
                $stored,
                ") s UNION ALL SELECT id, day, 0 AS stored, CAST(actual AS BIGINT) AS actual FROM (",
                $rows,
                ") r) sides GROUP BY id, day HAVING SUM(stored) <> SUM(actual) ORDER BY id, day"
            ),
        )
    };
}

/// Milliseconds of an id since its epoch are `id >> 22`; see `domain::id`.
const CHECKS: &[(&str, &str)] = &[
    check!(
        "an affiliate's clicks",
        "SELECT affiliate_id AS id, 0 AS day, clicks AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, COUNT(*) AS actual FROM clicks GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's conversions",
        "SELECT affiliate_id AS id, 0 AS day, conversions AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, COUNT(*) AS actual FROM conversions GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's sales",
        "SELECT affiliate_id AS id, 0 AS day, sales_minor AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, SUM(amount_minor) AS actual FROM conversions GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's pending commissions",
        "SELECT affiliate_id AS id, 0 AS day, pending_count AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, COUNT(*) AS actual FROM commissions WHERE status = 'pending' GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's approved commissions",
        "SELECT affiliate_id AS id, 0 AS day, approved_count AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, COUNT(*) AS actual FROM commissions WHERE status = 'approved' GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's paid commissions",
        "SELECT affiliate_id AS id, 0 AS day, paid_count AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, COUNT(*) AS actual FROM commissions WHERE status = 'paid' GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's rejected commissions",
        "SELECT affiliate_id AS id, 0 AS day, rejected_count AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, COUNT(*) AS actual FROM commissions WHERE status = 'rejected' GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's pending earnings",
        "SELECT affiliate_id AS id, 0 AS day, pending_minor AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, SUM(amount_minor) AS actual FROM commissions WHERE status = 'pending' GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's approved earnings",
        "SELECT affiliate_id AS id, 0 AS day, approved_minor AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, SUM(amount_minor) AS actual FROM commissions WHERE status = 'approved' GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's paid earnings",
        "SELECT affiliate_id AS id, 0 AS day, paid_minor AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, SUM(amount_minor) AS actual FROM commissions WHERE status = 'paid' GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's balance",
        "SELECT affiliate_id AS id, 0 AS day, pending_minor + approved_minor AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, SUM(amount_minor) AS actual FROM ledger_entries GROUP BY affiliate_id"
    ),
    check!(
        "what an affiliate was paid",
        "SELECT affiliate_id AS id, 0 AS day, paid_minor AS stored FROM affiliate_totals",
        "SELECT affiliate_id AS id, 0 AS day, -SUM(amount_minor) AS actual FROM ledger_entries WHERE kind IN ('pay', 'unpay') GROUP BY affiliate_id"
    ),
    check!(
        "an affiliate's clicks of a day",
        "SELECT affiliate_id AS id, day, clicks AS stored FROM affiliate_days",
        "SELECT affiliate_id AS id, ((id >> 22) + 1577836800000) / 86400000 AS day, COUNT(*) AS actual FROM clicks GROUP BY affiliate_id, ((id >> 22) + 1577836800000) / 86400000"
    ),
    check!(
        "an affiliate's conversions of a day",
        "SELECT affiliate_id AS id, day, conversions AS stored FROM affiliate_days",
        "SELECT affiliate_id AS id, ((id >> 22) + 1577836800000) / 86400000 AS day, COUNT(*) AS actual FROM conversions GROUP BY affiliate_id, ((id >> 22) + 1577836800000) / 86400000"
    ),
    check!(
        "an affiliate's sales of a day",
        "SELECT affiliate_id AS id, day, sales_minor AS stored FROM affiliate_days",
        "SELECT affiliate_id AS id, ((id >> 22) + 1577836800000) / 86400000 AS day, SUM(amount_minor) AS actual FROM conversions GROUP BY affiliate_id, ((id >> 22) + 1577836800000) / 86400000"
    ),
    check!(
        "an affiliate's earnings of a day",
        "SELECT affiliate_id AS id, day, earned_minor AS stored FROM affiliate_days",
        "SELECT affiliate_id AS id, ((id >> 22) + 1577836800000) / 86400000 AS day, SUM(commission_minor) AS actual FROM conversions GROUP BY affiliate_id, ((id >> 22) + 1577836800000) / 86400000"
    ),
    check!(
        "a commission's entries",
        "SELECT id, 0 AS day, CASE WHEN status = 'rejected' OR (status = 'paid' AND payout_line_id IS NULL) THEN 0 ELSE amount_minor END AS stored FROM commissions",
        "SELECT commission_id AS id, 0 AS day, SUM(amount_minor) AS actual FROM ledger_entries WHERE commission_id IS NOT NULL GROUP BY commission_id"
    ),
    check!(
        "a payout line's amount",
        "SELECT id, 0 AS day, amount_minor AS stored FROM payout_lines",
        "SELECT id, 0 AS day, SUM(amount_minor) AS actual FROM (
           SELECT payout_line_id AS id, amount_minor FROM commissions WHERE payout_line_id IS NOT NULL
           UNION ALL SELECT payout_line_id AS id, amount_minor FROM payout_releases) held GROUP BY id"
    ),
    check!(
        "a payout line's entries",
        "SELECT id, 0 AS day, CASE WHEN status = 'paid' THEN -amount_minor ELSE 0 END AS stored FROM payout_lines",
        "SELECT payout_line_id AS id, 0 AS day, SUM(amount_minor) AS actual FROM ledger_entries WHERE payout_line_id IS NOT NULL GROUP BY payout_line_id"
    ),
    check!(
        "a payout's amount",
        "SELECT id, 0 AS day, amount_minor AS stored FROM payouts",
        "SELECT payout_id AS id, 0 AS day, SUM(amount_minor) AS actual FROM payout_lines GROUP BY payout_id"
    ),
    check!(
        "a payout's lines",
        "SELECT id, 0 AS day, line_count AS stored FROM payouts",
        "SELECT payout_id AS id, 0 AS day, COUNT(*) AS actual FROM payout_lines GROUP BY payout_id"
    ),
    check!(
        "a payout's open lines",
        "SELECT id, 0 AS day, CASE WHEN status = 'open' THEN 1 ELSE 0 END AS stored FROM payouts",
        "SELECT DISTINCT payout_id AS id, 0 AS day, 1 AS actual FROM payout_lines WHERE status = 'open'"
    ),
    check!(
        "a commission's payout line",
        "SELECT id, 0 AS day, payout_line_id AS stored FROM commissions WHERE payout_line_id IS NOT NULL",
        "SELECT c.id, 0 AS day, l.id AS actual FROM commissions c JOIN payout_lines l ON l.id = c.payout_line_id
         WHERE l.affiliate_id = c.affiliate_id AND ((c.status = 'approved' AND l.status = 'open') OR (c.status = 'paid' AND l.status = 'paid'))"
    ),
    check!(
        "a conversion's refunds",
        "SELECT id, 0 AS day, refunded_minor AS stored FROM conversions",
        "SELECT conversion_id AS id, 0 AS day, SUM(amount_minor) AS actual FROM refunds WHERE restored_at IS NULL GROUP BY conversion_id"
    ),
    check!(
        "what refunds took back of a conversion's commission",
        "SELECT conversion_id AS id, 0 AS day, CASE WHEN kind = 'sale' THEN original_minor - amount_minor ELSE -original_minor END AS stored FROM commissions WHERE conversion_id IS NOT NULL",
        "SELECT conversion_id AS id, 0 AS day, SUM(reversed_minor - restored_minor) AS actual FROM refunds GROUP BY conversion_id"
    ),
    check!(
        "the commission of a conversion",
        "SELECT id, 0 AS day, commission_minor + 1 AS stored FROM conversions",
        "SELECT conversion_id AS id, 0 AS day, SUM(original_minor + 1) AS actual FROM commissions WHERE kind = 'sale' GROUP BY conversion_id"
    ),
    check!(
        "a customer's sales",
        "SELECT id, 0 AS day, sales AS stored FROM customers",
        "SELECT customer_id AS id, 0 AS day, COUNT(*) AS actual FROM conversions WHERE customer_id IS NOT NULL GROUP BY customer_id"
    ),
    check!(
        "what a customer's sales earned",
        "SELECT id, 0 AS day, earned_minor AS stored FROM customers",
        "SELECT customer_id AS id, 0 AS day, SUM(commission_minor) AS actual FROM conversions WHERE customer_id IS NOT NULL GROUP BY customer_id"
    ),
    check!(
        "a link's clicks",
        "SELECT id, 0 AS day, clicks AS stored FROM links",
        "SELECT link_id AS id, 0 AS day, COUNT(*) AS actual FROM link_clicks GROUP BY link_id"
    ),
    check!(
        "a link's sales",
        "SELECT id, 0 AS day, sales AS stored FROM links",
        "SELECT k.link_id AS id, 0 AS day, COUNT(*) AS actual FROM conversions v JOIN link_clicks k ON k.click_id = v.click_id WHERE v.attributed_by = 'click' GROUP BY k.link_id"
    ),
    check!(
        "a group's affiliates",
        "SELECT id, 0 AS day, members AS stored FROM affiliate_groups",
        "SELECT group_id AS id, 0 AS day, COUNT(*) AS actual FROM affiliates WHERE group_id IS NOT NULL GROUP BY group_id"
    ),
    check!(
        "a program's active affiliates",
        "SELECT program_id AS id, 0 AS day, active AS stored FROM program_totals",
        "SELECT program_id AS id, 0 AS day, COUNT(*) AS actual FROM affiliates WHERE status = 'active' GROUP BY program_id"
    ),
    check!(
        "a program's pending affiliates",
        "SELECT program_id AS id, 0 AS day, pending AS stored FROM program_totals",
        "SELECT program_id AS id, 0 AS day, COUNT(*) AS actual FROM affiliates WHERE status = 'pending' GROUP BY program_id"
    ),
    check!(
        "a program's blocked affiliates",
        "SELECT program_id AS id, 0 AS day, blocked AS stored FROM program_totals",
        "SELECT program_id AS id, 0 AS day, COUNT(*) AS actual FROM affiliates WHERE status = 'blocked' GROUP BY program_id"
    ),
    check!(
        "a program's invoice numbers",
        "SELECT program_id AS id, 0 AS day, last_number AS stored FROM invoice_series",
        "SELECT program_id AS id, 0 AS day, COUNT(*) AS actual FROM invoices GROUP BY program_id"
    ),
    check!(
        "a program's last invoice",
        "SELECT program_id AS id, 0 AS day, last_number AS stored FROM invoice_series",
        "SELECT program_id AS id, 0 AS day, MAX(number) AS actual FROM invoices GROUP BY program_id"
    ),
    check!(
        "what was invoiced of a payout's line",
        "SELECT payout_line_id AS id, 0 AS day, SUM(net_minor + vat_minor) AS stored FROM invoices GROUP BY payout_line_id",
        "SELECT id, 0 AS day, CASE WHEN status = 'paid' THEN amount_minor ELSE 0 END AS actual FROM payout_lines WHERE id IN (SELECT payout_line_id FROM invoices)"
    ),
];

/// Everything that differs, worded for the person who has to find out why. Empty when all is well.
///
/// # Errors
/// The database's.
pub async fn differences(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for (what, sql) in CHECKS {
        let differing: Vec<Difference> = match tx {
            Tx::Sqlite(lite) => sqlite::fetch_all(lite, sql, &[])?,
            Tx::Postgres(pg) => ask!(pg, sqlx::query_as(*sql).fetch_all(pg.raw()))?,
        };
        for Difference { id, day, stored, rows } in differing {
            let on = if day == 0 { String::new() } else { format!(" ({day} days after 1970-01-01)") };
            found.push(format!("{what}: of {id}{on} {stored} is stored, the rows say {rows}"));
        }
    }
    Ok(found)
}
