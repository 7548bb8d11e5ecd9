//! An affiliate's tax form as the program has it.

use axum::extract::State;

use super::affiliate;
use crate::{
    app::App,
    domain::{id, tax::Form as TaxForm},
    flows::{Refusal, tax as flow},
    web::{
        caller::Pays,
        failure::Failure,
        form::Form,
        input::PathId,
        reply::Reply,
        shell::Notice,
        tax_settings::{country, day_before},
    },
};

/// `POST /m/{program}/affiliates/{id}/tax-form`: it is here and right, or (`removed`) it is not.
pub async fn check(
    me: Pays,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let signed = if form.is_checked("removed") {
        None
    } else {
        let named = form.read("form", TaxForm::parse);
        let on = form.read("signed_on", day_before(app.clock.now()));
        named.zip(on)
    };
    let country = form.read_filled("country", country);
    if form.is_good() {
        let act = me.act(&app);
        let done = app.db.write::<_, Refusal, _>(move |tx| {
            Box::pin(async move { flow::check_form(tx, &act, id, signed, country).await })
        });
        match done.await {
            Ok(()) => {
                let told = match signed {
                    Some((form, _)) => format!("Their {} is on file.", form.label()),
                    None => "Their tax form is not on file any more.".to_owned(),
                };
                return Ok(Reply::done(format!("/m/{}/affiliates/{id}#tax", me.program.slug), Notice::done(told)));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(affiliate::page(&app, &me, id, "", form).await?))
}
