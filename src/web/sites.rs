//! What is known of a program's own site, looked up on every report and so kept for half a second; and what is
//! noted of reports while its merchant watches.

use std::{sync::Arc, time::Instant};

use super::failure::Failure;
use crate::{
    app::App,
    domain::{
        id::{ClickId, ProgramId},
        program::Program,
        text,
        tracking::{Sign, Site},
    },
    store::{self, conversions::Conversion, tracking},
};

const DETAIL_LENGTH: usize = 300;

/// # Errors
/// The database's.
pub async fn of(app: &App, program: ProgramId) -> Result<Arc<Site>, store::Error> {
    if let Some(known) = app.caches.sites.get(&program) {
        return Ok(known);
    }
    let since = Instant::now();
    let site = Arc::new(tracking::site(&mut *app.db.read().await?, program).await?);
    app.caches.sites.put(program, Arc::clone(&site), since);
    Ok(site)
}

/// Notes something, if a check is running; so that nothing is written for visitors.
///
/// # Errors
/// The database's.
pub async fn note(app: &App, program: ProgramId, site: &Site, sign: Sign, detail: &str) -> Result<(), Failure> {
    let now = app.clock.now();
    if site.running(now).is_none() {
        return Ok(());
    }
    let detail = text::cut(detail, DETAIL_LENGTH).to_owned();
    app.db
        .write::<_, store::Error, _>(move |tx| {
            Box::pin(async move {
                tracking::observe(tx, program, sign, &detail, now).await?;
                if tracking::has_all(tx, program).await? {
                    tracking::pass_check(tx, program, now).await?;
                }
                Ok(())
            })
        })
        .await?;
    Ok(())
}

/// A check's test sale, in words.
pub fn sale_told(program: &Program, sale: &Conversion) -> String {
    let amount = |minor| format!("{}\u{a0}{}", program.currency.code(), program.currency.of(minor));
    let (sold, earned) = (amount(sale.amount_minor), amount(sale.commission_minor));
    format!("A sale of {sold} would earn {} {earned}.", sale.referral_code)
}

/// Whether a reported sale is a check's, which names the check's click: then the code of somebody to whom it may
/// be credited for show.
///
/// # Errors
/// The database's.
pub async fn stand_in(app: &App, program: &Program, click: Option<ClickId>) -> Result<Option<String>, Failure> {
    let Some(click) = click else { return Ok(None) };
    let site = of(app, program.id).await?;
    if site.running(app.clock.now()).is_none_or(|check| check.click != click) {
        return Ok(None);
    }
    note(app, program.id, &site, Sign::Sale, "Your shop reported one with the check’s click.").await?;
    Ok(tracking::anybody(&mut *app.db.read().await?, program.id).await?)
}
