//! Clicks: the hot path. Recorded many at a time, each against the code as it stands in the same
//! transaction, so that a code given up or an affiliate blocked a moment ago counts as such.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{
    Error, Tx,
    click_codes::{self, Owner, Remembered},
    fetch_optional, row, sqlite,
};
use crate::domain::{
    affiliate::Status,
    id::{AffiliateId, ClickId, LinkId, ProgramId},
};

#[derive(Debug, Clone)]
pub struct NewClick {
    pub id: ClickId,
    pub program: ProgramId,
    /// The code's key, in lower case.
    pub code_key: String,
    pub source_url: Option<String>,
    /// The page landed on, as [`crate::domain::tracking::landing`] keeps it.
    pub landing: Option<String>,
    pub user_agent: Option<String>,
    /// Keyed hash of the visitor's address; the address itself is never stored.
    pub ip_hash: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Recorded {
        affiliate: AffiliateId,
        /// The affiliate's current code, whichever alias was used.
        code: String,
    },
    UnknownCode,
    Blocked,
}

/// What the writer of clicks need not look up again. Forgotten after anything that may have rolled it back.
#[derive(Default)]
pub struct Known {
    /// The ids of texts that clicks refer to, by hash.
    texts: HashMap<i64, i32>,
    /// On SQLite, where one thread does all the writing: what codes stand for.
    codes: HashMap<ProgramId, HashMap<String, CodeRow>>,
    version: Option<i64>,
    /// On PostgreSQL: whose codes are.
    owners: Remembered,
}

type CodeRow = (AffiliateId, Status, String, Option<LinkId>);

/// Bounds that no installation meets in an ordinary day; a few megabytes at most.
const MOST_TEXTS: usize = 32_768;
pub(super) const MOST_CODES: usize = 16_384;

impl Known {
    pub fn clear(&mut self) {
        self.texts.clear();
        self.codes.clear();
        self.owners.clear();
    }

    /// After work that may have changed a code or an affiliate.
    pub fn forget_codes(&mut self) {
        self.codes.clear();
    }

    /// Forgets the codes if another process has written since they were read.
    pub fn hold_against(&mut self, version: Option<i64>) {
        if version.is_none() || version != self.version {
            self.codes.clear();
            self.version = version;
        }
    }

    fn remember_text(&mut self, hash: i64, id: i32) {
        if self.texts.len() >= MOST_TEXTS {
            self.texts.clear();
        }
        self.texts.insert(hash, id);
    }
}

fn text_hash(text: &str) -> i64 {
    let digest = Sha256::digest(text.as_bytes());
    i64::from_be_bytes(std::array::from_fn(|byte| digest[byte]))
}

/// Records one click inside somebody's transaction.
///
/// # Errors
/// The database's.
pub async fn record(tx: &mut Tx, click: NewClick) -> Result<Outcome, Error> {
    let mut known = Known::default();
    let outcomes = match tx {
        Tx::Sqlite(lite) => record_on_sqlite(lite, &mut known, &[click]),
        Tx::Postgres(pg) => record_on_postgres(pg.raw(), &mut known, &[click]).await,
    };
    outcomes?.pop().ok_or_else(|| Error::Corrupt("no outcome for a click".into()))
}

/// The affiliate behind a click of this program.
///
/// # Errors
/// The database's.
pub async fn affiliate(tx: &mut Tx, program: ProgramId, click: ClickId) -> Result<Option<AffiliateId>, Error> {
    let row = fetch_optional!(
        (AffiliateId,),
        tx,
        "SELECT c.affiliate_id FROM clicks c JOIN affiliates a ON a.id = c.affiliate_id
         WHERE c.id = $1 AND +a.program_id = $2",
        click,
        program
    )?;
    Ok(row.map(|(affiliate,)| affiliate))
}

row! {
    /// A click as evidence of a sale.
    #[derive(Debug)]
    pub struct Seen {
        pub affiliate_id: AffiliateId,
        pub ip_hash: Option<i64>,
        pub link_id: Option<LinkId>,
        pub landing: Option<String>,
        pub source: Option<String>,
    }
}

/// As [`affiliate`], with what the click told: where it came from only if somebody looks at that.
///
/// # Errors
/// The database's.
pub async fn seen(tx: &mut Tx, program: ProgramId, click: ClickId, with_source: bool) -> Result<Option<Seen>, Error> {
    fetch_optional!(
        Seen,
        tx,
        "SELECT c.affiliate_id, c.ip_hash, k.link_id, l.text AS landing, s.text AS source
         FROM clicks c JOIN affiliates a ON a.id = c.affiliate_id LEFT JOIN texts l ON l.id = c.landing_id
           LEFT JOIN link_clicks k ON k.click_id = c.id LEFT JOIN texts s ON s.id = CASE WHEN $3 THEN c.source_id END
         WHERE c.id = $1 AND +a.program_id = $2",
        click,
        program,
        with_source
    )
}

row! {
    /// What a click told of where it came from.
    #[derive(Debug, Default, Clone)]
    pub struct Origin {
        /// The page with the link.
        pub source: Option<String>,
        /// The page landed on, with its utm_* and sub ids.
        pub landing: Option<String>,
    }
}

/// Where a click came from, as far as it told.
///
/// # Errors
/// The database's.
pub async fn origin(tx: &mut Tx, click: ClickId) -> Result<Origin, Error> {
    let row = fetch_optional!(
        Origin,
        tx,
        "SELECT s.text AS source, l.text AS landing FROM clicks c LEFT JOIN texts s ON s.id = c.source_id LEFT JOIN texts l ON l.id = c.landing_id
         WHERE c.id = $1",
        click
    )?;
    Ok(row.unwrap_or_default())
}

// SQLite: row by row on the writing thread, counters once a batch ------------------------------------

const CODE: &str = "SELECT c.affiliate_id, a.status, now.code, l.id
     FROM codes c JOIN affiliates a ON a.id = c.affiliate_id JOIN codes now ON now.affiliate_id = a.id AND now.is_current
       LEFT JOIN links l ON l.program_id = c.program_id AND l.code_key = c.code_key
     WHERE c.program_id = $1 AND c.code_key = $2";
// Each names its values in order, so that they are bound by place.
const INSERT: &str = "INSERT INTO clicks (id, affiliate_id, ip_hash, source_id, user_agent_id, landing_id) VALUES ($1, $2, $3, $4, $5, $6)";
const COUNT_TOTAL: &str = "UPDATE affiliate_totals SET clicks = clicks + $1 WHERE affiliate_id = $2";
const COUNT_DAY: &str = "INSERT INTO affiliate_days (affiliate_id, day, clicks) VALUES ($1, $2, $3)
     ON CONFLICT (affiliate_id, day) DO UPDATE SET clicks = affiliate_days.clicks + excluded.clicks";
const INSERT_LINK: &str = "INSERT INTO link_clicks (click_id, link_id) VALUES ($1, $2)";
const COUNT_LINK: &str = "UPDATE links SET clicks = clicks + $1 WHERE id = $2";

pub(super) fn record_on_sqlite(lite: &Connection, known: &mut Known, new: &[NewClick]) -> Result<Vec<Outcome>, Error> {
    let mut totals: BTreeMap<AffiliateId, i64> = BTreeMap::new();
    let mut days: BTreeMap<(AffiliateId, i64), i64> = BTreeMap::new();
    let mut links: BTreeMap<LinkId, i64> = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(new.len());
    let mut insert = lite.prepare_cached(INSERT)?;
    for click in new {
        let Some((affiliate, status, code, link)) = code_on_sqlite(lite, known, click)? else {
            outcomes.push(Outcome::UnknownCode);
            continue;
        };
        if status == Status::Blocked {
            outcomes.push(Outcome::Blocked);
            continue;
        }
        let source = text_on_sqlite(lite, known, click.source_url.as_deref())?;
        let agent = text_on_sqlite(lite, known, click.user_agent.as_deref())?;
        let landing = text_on_sqlite(lite, known, click.landing.as_deref())?;
        insert.execute(params![click.id, affiliate, click.ip_hash, source, agent, landing])?;
        *totals.entry(affiliate).or_default() += 1;
        *days.entry((affiliate, click.id.time().day())).or_default() += 1;
        if let Some(link) = link {
            lite.prepare_cached(INSERT_LINK)?.execute(params![click.id, link])?;
            *links.entry(link).or_default() += 1;
        }
        outcomes.push(Outcome::Recorded { affiliate, code });
    }
    let (mut total, mut daily) = (lite.prepare_cached(COUNT_TOTAL)?, lite.prepare_cached(COUNT_DAY)?);
    for (affiliate, clicks) in totals {
        total.execute(params![clicks, affiliate])?;
    }
    for ((affiliate, day), clicks) in days {
        daily.execute(params![affiliate, day, clicks])?;
    }
    for (link, clicks) in links {
        lite.prepare_cached(COUNT_LINK)?.execute(params![clicks, link])?;
    }
    Ok(outcomes)
}

fn code_on_sqlite(lite: &Connection, known: &mut Known, click: &NewClick) -> Result<Option<CodeRow>, Error> {
    if let Some(code) = known.codes.get(&click.program).and_then(|codes| codes.get(&click.code_key)) {
        return Ok(Some(code.clone()));
    }
    let found: Option<CodeRow> = sqlite::fetch_optional(lite, CODE, &[&click.program, &click.code_key])?;
    if let Some(code) = &found {
        let codes = known.codes.entry(click.program).or_default();
        if codes.len() >= MOST_CODES {
            codes.clear();
        }
        codes.insert(click.code_key.clone(), code.clone());
    }
    Ok(found)
}

fn text_on_sqlite(lite: &Connection, known: &mut Known, text: Option<&str>) -> Result<Option<i32>, Error> {
    let Some(text) = text else { return Ok(None) };
    let hash = text_hash(text);
    if let Some(id) = known.texts.get(&hash) {
        return Ok(Some(*id));
    }
    sqlite::execute(
        lite,
        "INSERT INTO texts (hash, text) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING",
        &[&hash, &text],
    )?;
    let found: Option<(i32,)> = sqlite::fetch_optional(lite, "SELECT id FROM texts WHERE hash = $1", &[&hash])?;
    if let Some((id,)) = found {
        known.remember_text(hash, id);
    }
    Ok(found.map(|(id,)| id))
}

// PostgreSQL: one statement a batch -----------------------------------------------------------------

/// Totals are locked in the order of their affiliates, so that two servers lock them in one order: they are looked
/// up one after the other as the sorted rows ask for them, because the connection allows no other kind of join. And
/// an affiliate's totals before their days, as a conversion does: PostgreSQL runs the parts of a WITH in any order it
/// likes, unless one of them reads the other.
const RECORD: &str = "
WITH new AS (
  SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[], $7::bigint[])
    AS n (id, affiliate_id, ip_hash, source_id, user_agent_id, landing_id, day)
), named AS (
  SELECT n.affiliate_id, n.day, n.clicks, a.status, c.code
  FROM (SELECT affiliate_id, day, COUNT(*) AS clicks FROM new GROUP BY affiliate_id, day ORDER BY affiliate_id, day) n
  JOIN affiliates a ON a.id = n.affiliate_id
  JOIN codes c ON c.affiliate_id = n.affiliate_id AND c.is_current
), inserted AS (
  INSERT INTO clicks (id, affiliate_id, ip_hash, source_id, user_agent_id, landing_id)
  SELECT id, affiliate_id, ip_hash, source_id, user_agent_id, landing_id FROM new
  WHERE affiliate_id = ANY (ARRAY(SELECT affiliate_id FROM named WHERE status <> 'blocked'))
), total AS (
  UPDATE affiliate_totals t SET clicks = t.clicks + n.clicks
  FROM (SELECT affiliate_id, CAST(SUM(clicks) AS BIGINT) AS clicks FROM named WHERE status <> 'blocked'
        GROUP BY affiliate_id ORDER BY affiliate_id) n
  WHERE t.affiliate_id = n.affiliate_id
  RETURNING t.affiliate_id
), daily AS (
  INSERT INTO affiliate_days (affiliate_id, day, clicks)
  SELECT affiliate_id, day, clicks FROM named WHERE status <> 'blocked' AND (SELECT COUNT(*) FROM total) > 0
  ORDER BY affiliate_id, day
  ON CONFLICT (affiliate_id, day) DO UPDATE SET clicks = affiliate_days.clicks + excluded.clicks
)
SELECT affiliate_id, status, code FROM named";

/// After the totals, as a conversion does, and only where a click came by a link.
const COUNT_LINKS: &str = "
WITH new AS (
  SELECT * FROM UNNEST($1::bigint[], $2::bigint[]) AS n (click_id, link_id)
), inserted AS (
  INSERT INTO link_clicks (click_id, link_id) SELECT click_id, link_id FROM new
)
UPDATE links l SET clicks = l.clicks + n.clicks
FROM (SELECT link_id, COUNT(*) AS clicks FROM new GROUP BY link_id ORDER BY link_id) n
WHERE l.id = n.link_id";

pub(super) async fn record_on_postgres(
    pg: &mut PgConnection,
    known: &mut Known,
    new: &[NewClick],
) -> Result<Vec<Outcome>, Error> {
    let texts: Vec<[Option<i64>; 3]> = new
        .iter()
        .map(|click| [&click.source_url, &click.user_agent, &click.landing].map(|text| text.as_deref().map(text_hash)))
        .collect();
    learn_texts(pg, known, new, &texts).await?;
    let owners = click_codes::owners(pg, &mut known.owners, new).await?;
    let counted =
        || owners.iter().zip(new).zip(&texts).filter_map(|((owner, click), texts)| Some(((*owner)?, click, texts)));
    let text = |hash: Option<i64>| hash.and_then(|hash| known.texts.get(&hash).copied());
    let rows: Vec<(AffiliateId, Status, String)> = sqlx::query_as(RECORD)
        .bind(counted().map(|(_, click, _)| click.id.raw()).collect::<Vec<_>>())
        .bind(counted().map(|(owner, ..)| owner.affiliate.raw()).collect::<Vec<_>>())
        .bind(counted().map(|(_, click, _)| click.ip_hash).collect::<Vec<_>>())
        .bind(counted().map(|(_, _, texts)| text(texts[0])).collect::<Vec<_>>())
        .bind(counted().map(|(_, _, texts)| text(texts[1])).collect::<Vec<_>>())
        .bind(counted().map(|(_, _, texts)| text(texts[2])).collect::<Vec<_>>())
        .bind(counted().map(|(_, click, _)| click.id.time().day()).collect::<Vec<_>>())
        .fetch_all(&mut *pg)
        .await?;
    let stands: HashMap<AffiliateId, (Status, String)> =
        rows.into_iter().map(|(affiliate, status, code)| (affiliate, (status, code))).collect();
    click_codes::forget_given_up(&mut known.owners, new, &owners, &stands);
    let is_blocked = |owner: &Owner| stands.get(&owner.affiliate).is_none_or(|(status, _)| *status == Status::Blocked);
    let recorded =
        new.iter().zip(&owners).filter_map(|(click, owner)| Some((click, owner.filter(|it| !is_blocked(it))?)));
    let (clicks, links): (Vec<i64>, Vec<i64>) =
        recorded.filter_map(|(click, owner)| Some((click.id.raw(), owner.link?.raw()))).unzip();
    if !links.is_empty() {
        sqlx::query(COUNT_LINKS).bind(&clicks).bind(&links).execute(pg).await?;
    }
    Ok(owners
        .into_iter()
        .map(|owner| match owner.and_then(|owner| Some((owner.affiliate, stands.get(&owner.affiliate)?))) {
            Some((_, (Status::Blocked, _))) => Outcome::Blocked,
            Some((affiliate, (_, code))) => Outcome::Recorded { affiliate, code: code.clone() },
            None => Outcome::UnknownCode,
        })
        .collect())
}

/// Gives every text of the batch an id that the cache knows. One that stays behind when the clicks fail is
/// only a text that nobody refers to yet.
async fn learn_texts(
    pg: &mut PgConnection,
    known: &mut Known,
    new: &[NewClick],
    hashes: &[[Option<i64>; 3]],
) -> Result<(), Error> {
    if known.texts.len() >= MOST_TEXTS {
        known.texts.clear();
    }
    let given = new.iter().flat_map(|click| [&click.source_url, &click.user_agent, &click.landing]);
    let unknown: BTreeMap<i64, &str> = given
        .zip(hashes.iter().flatten())
        .filter_map(|(text, hash)| Some(((*hash)?, text.as_deref()?)))
        .filter(|(hash, _)| !known.texts.contains_key(hash))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let (hashes, values): (Vec<i64>, Vec<&str>) = unknown.into_iter().unzip();
    // A text that is there is only read: to touch its row would make everybody wait for whoever did so last.
    let learned: Vec<(i64, i32)> = sqlx::query_as(
        "WITH given AS (
           SELECT * FROM UNNEST($1::bigint[], $2::text[]) AS g (hash, text)
         ), known AS (
           SELECT hash, id FROM texts WHERE hash = ANY($1)
         ), made AS (
           INSERT INTO texts (hash, text) SELECT hash, text FROM given WHERE hash NOT IN (SELECT hash FROM known) ORDER BY hash
           ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash RETURNING hash, id
         )
         SELECT hash, id FROM known UNION ALL SELECT hash, id FROM made",
    )
    .bind(&hashes)
    .bind(&values)
    .fetch_all(pg)
    .await?;
    known.texts.extend(learned);
    Ok(())
}
