//! One field for everything that has a number: an id, an address, an order, a code.

use askama::Template;
use axum::extract::State;

use super::{caller::Reads, failure::Failure, filters, input::Query, reply::Reply};
use crate::{
    app::App,
    domain::{
        code::Code,
        email::Email,
        id::{self, Id},
        money::Money,
    },
    store::{affiliates, codes, commissions, conversions},
};

struct Found {
    at: String,
    title: String,
    about: String,
    amount: Option<Money>,
}

#[derive(Template)]
#[template(path = "search.html")]
struct Results {
    slug: String,
    wanted: String,
    found: Vec<Found>,
}

/// `GET /m/{program}/search?q=`
pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let wanted = query.get("q").unwrap_or_default().trim().to_owned();
    let (program, currency, slug) = (me.program.id, me.program.currency, me.program.slug.clone());
    let mut tx = app.db.read().await?;
    let mut of_affiliates: Vec<Id<id::Affiliate>> = Vec::new();
    let mut of_commissions = Vec::new();

    of_affiliates.extend(Id::parse(&wanted).ok());
    of_commissions.extend(Id::parse(&wanted).ok());
    if let Ok(email) = Email::parse(&wanted) {
        of_affiliates.extend(affiliates::by_email(&mut tx, program, &email).await?.map(|known| known.id));
    }
    if let Ok(code) = Code::parse(&wanted) {
        of_affiliates.extend(codes::owner(&mut tx, program, &code).await?.map(|named| named.affiliate));
    }
    let mut sales = Vec::new();
    sales.extend(conversions::by_order(&mut tx, program, &wanted).await?);
    if let Ok(sale) = Id::parse(&wanted) {
        sales.extend(conversions::by_id(&mut tx, program, sale).await?);
    }
    for sale in sales {
        of_commissions.extend(commissions::of_sale(&mut tx, program, sale.id).await?.map(|found| found.id));
    }

    let mut found = Vec::new();
    of_affiliates.dedup();
    for id in of_affiliates {
        if let Some(affiliate) = affiliates::summary(&mut tx, program, id).await? {
            let at = format!("/m/{slug}/affiliates/{id}");
            found.push(Found {
                at,
                title: affiliate.name,
                about: format!("Affiliate, {}", affiliate.email),
                amount: None,
            });
        }
    }
    of_commissions.dedup();
    for id in of_commissions {
        if let Some(commission) = commissions::by_id(&mut tx, program, id).await? {
            let title = commission.order_id.map_or_else(|| id.to_string(), |order| format!("Order {order}"));
            let about = format!("Commission, {}", commission.status);
            let amount = Some(currency.of(commission.amount_minor));
            found.push(Found { at: format!("/m/{slug}/commissions/{id}"), title, about, amount });
        }
    }
    match found.as_slice() {
        [only] => Ok(Reply::Go(only.at.clone())),
        _ => Ok(Reply::page(Results { slug, wanted, found })),
    }
}
