//! The demo program's last days as Stripe tells them.

use serde_json::{Value, json};

use super::{Member, Year};
use crate::{
    domain::{providers::Provider, time::Time},
    flows::{
        Refusal, provider_connections,
        provider_events::{self, Arrival},
    },
    store::{self, Tx},
};

impl Year {
    /// Stripe tells of the last days: a subscription's first invoice, its renewal, a partial refund, a trial, a test,
    /// and a sale in another currency, which needs a look.
    pub(super) async fn hear_of_payments(
        &self,
        tx: &mut Tx,
        members: &[Member],
        midnight: Time,
    ) -> Result<(), Refusal> {
        let evening = midnight.plus_seconds(86_000);
        self.app.clock.set(evening);
        provider_connections::connect(tx, &self.act(), Provider::Stripe, "whsec_demo_of_acme_coffee", false).await?;
        for (place, told) in stripe_events(&members[1].code, evening).into_iter().enumerate() {
            self.app.clock.set(evening.plus_seconds(40 * i64::try_from(place).unwrap_or(0)));
            let (ids, secret, now) = (&self.app.ids, &self.app.secret, self.app.clock.now());
            let body = told.to_string();
            let Some(event) = Provider::Stripe.read(&body) else { continue };
            let arrival = Arrival {
                program: self.program.id,
                provider: Provider::Stripe,
                is_test_connection: false,
                message: None,
                event,
                body,
            };
            provider_events::receive(tx, ids, secret, now, &arrival).await?;
            if let Some(last) = store::provider_events::last(tx, self.program.id, Provider::Stripe).await? {
                provider_events::look(tx, ids, secret, now, last.id).await?;
            }
        }
        Ok(())
    }
}

fn stripe_events(code: &str, at: Time) -> Vec<Value> {
    let created = at.ms() / 1_000;
    let event = |number: usize, kind: &str, is_live: bool, object: Value| {
        json!({ "id": format!("evt_1Demo{number:04}"), "object": "event", "type": kind, "created": created,
                "livemode": is_live, "data": { "object": object } })
    };
    let invoice = |id: &str, reason: &str, currency: &str| {
        json!({ "id": id, "object": "invoice", "billing_reason": reason, "currency": currency, "customer": "cus_1Demo",
                "customer_email": "buyer@example.com", "amount_paid": 2_880, "total": 2_880,
                "total_excluding_tax": 2_400, "created": created, "payment_intent": format!("pi_{id}"),
                "charge": format!("ch_{id}"), "subscription": "sub_1Demo",
                "lines": { "data": [{ "description": "Espresso every month", "quantity": 1, "amount": 2_400 }] } })
    };
    let session = json!({ "id": "cs_1Demo", "object": "checkout.session", "mode": "subscription",
        "customer": "cus_1Demo", "subscription": "sub_1Demo", "metadata": { "referral_code": code },
        "customer_details": { "email": "buyer@example.com" } });
    let trial = json!({ "id": "sub_2Demo", "object": "subscription", "status": "trialing", "customer": "cus_2Demo",
        "metadata": { "referral_code": code } });
    let refund = json!({ "id": "re_1Demo", "object": "refund", "amount": 600, "currency": "usd",
        "charge": "ch_in_1Demo", "payment_intent": "pi_in_1Demo", "status": "succeeded" });
    vec![
        event(1, "invoice.paid", true, invoice("in_1Demo", "subscription_create", "usd")),
        event(2, "checkout.session.completed", true, session),
        event(3, "invoice.paid", true, invoice("in_1Demo", "subscription_create", "usd")),
        event(4, "refund.created", true, refund),
        event(5, "customer.subscription.created", true, trial),
        event(6, "invoice.paid", true, invoice("in_2Demo", "subscription_cycle", "usd")),
        event(7, "invoice.paid", true, invoice("in_3Demo", "subscription_cycle", "eur")),
        event(8, "invoice.paid", false, invoice("in_4Demo", "subscription_create", "usd")),
        event(9, "product.created", true, json!({ "id": "prod_1Demo", "object": "product" })),
    ]
}
