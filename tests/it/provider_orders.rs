//! Whatever the order in which a payment's story is told, and however often each part: it ends in the same books.

use offshoot::domain::providers::Provider;

use crate::support::{
    Site,
    payments::{Payments, payload},
};

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in orders(count - 1) {
        for place in 0..count {
            let mut longer = shorter.clone();
            longer.insert(place, count - 1);
            all.push(longer);
        }
    }
    all
}

/// What a provider tells of one payment, and what is left of its 100.00 in the end.
struct Story {
    provider: Provider,
    parts: &'static [&'static str],
    left: i64,
}

/// Tells one payment's parts in that order, each twice: the same event again, or another that says the same; how many
/// of those others there were.
async fn tell(payments: &Payments<'_>, story: &Story, number: usize, order: &[usize]) -> usize {
    let has_twins = number.is_multiple_of(5);
    for part in order {
        let name = story.parts[*part];
        let body = payload(story.provider, name, number);
        payments.tell_text(&format!("msg_{name}_{number}"), &body).await;
        if has_twins {
            let twin = body.replace("Event", "Twin").replace("0000e", "0000f") + " ";
            payments.tell_text(&format!("msg_{name}_{number}_twin"), &twin).await;
        } else {
            assert_eq!(payments.tell_text(&format!("msg_{name}_{number}"), &body).await.text, "known\n");
        }
    }
    if has_twins { order.len() } else { 0 }
}

async fn ends_the_same(story: &Story) {
    let site = Site::start().await;
    site.affiliate("ADA").await;
    let payments = Payments::connect(&site, story.provider).await;
    let orders = orders(story.parts.len());
    let mut twins = 0;
    for (place, some) in orders.chunks(48).enumerate() {
        // Each payment's parts one after the other, many payments at once.
        let stories = some.iter().enumerate().map(|(at, order)| tell(&payments, story, place * 48 + at, order));
        twins += futures_util::future::join_all(stories).await.into_iter().sum::<usize>();
        payments.work_off().await;
    }
    payments.work_off().await;
    let all = i64::try_from(orders.len()).unwrap();
    let number = async |sql: &str| site.database.number(sql).await;
    assert_eq!(number("SELECT COUNT(*) FROM conversions").await, all, "{}", story.provider);
    let left = format!("SELECT COUNT(*) FROM conversions WHERE amount_minor - refunded_minor <> {}", story.left);
    assert_eq!(number(&left).await, 0, "{}", story.provider);
    let earned = "SELECT CAST(SUM(amount_minor) AS BIGINT) FROM ledger_entries";
    assert_eq!(number(earned).await, all * story.left / 5, "{}", story.provider);
    let told = i64::try_from(story.parts.len() * orders.len() + twins).unwrap();
    assert_eq!(number("SELECT COUNT(*) FROM provider_events").await, told);
    for state in ["received", "waiting", "failed"] {
        assert_eq!(payments.events(state).await, 0, "{} {state}", story.provider);
    }
    site.check_ledger().await;
}

#[tokio::test]
async fn at_stripe() {
    let parts = &[
        "checkout_session_completed_subscription",
        "invoice_paid_2024",
        "refund_created",
        "refund_created_rest",
        "charge_dispute_created",
        "charge_dispute_closed_won",
    ];
    ends_the_same(&Story { provider: Provider::Stripe, parts, left: 0 }).await;
}

#[tokio::test]
async fn at_stripe_where_a_dispute_is_won() {
    let parts = &[
        "checkout_session_completed_subscription",
        "invoice_paid_2024",
        "refund_created",
        "charge_dispute_created",
        "charge_dispute_closed_won",
    ];
    ends_the_same(&Story { provider: Provider::Stripe, parts, left: 9_000 }).await;
}

#[tokio::test]
async fn at_stripe_where_a_refund_fails() {
    let parts = &["invoice_paid_2024", "checkout_session_completed_subscription", "refund_created", "refund_failed"];
    ends_the_same(&Story { provider: Provider::Stripe, parts, left: 10_000 }).await;
}

#[tokio::test]
async fn at_stripe_where_an_invoice_no_longer_names_its_payment() {
    let parts = &[
        "checkout_session_completed_subscription",
        "invoice_paid",
        "invoice_payment_paid",
        "charge_refunded",
        "refund_created",
    ];
    ends_the_same(&Story { provider: Provider::Stripe, parts, left: 0 }).await;
}

#[tokio::test]
async fn at_paddle() {
    let parts = &[
        "subscription_created",
        "transaction_completed",
        "adjustment_updated_approved",
        "adjustment_created_rest",
        "adjustment_created_chargeback",
        "adjustment_created_chargeback_reverse",
    ];
    ends_the_same(&Story { provider: Provider::Paddle, parts, left: 0 }).await;
}

#[tokio::test]
async fn at_lemon_squeezy() {
    let parts = &[
        "order_created",
        "subscription_created",
        "subscription_payment_success_initial",
        "order_refunded_partly",
        "subscription_payment_refunded",
    ];
    ends_the_same(&Story { provider: Provider::LemonSqueezy, parts, left: 0 }).await;
}

#[tokio::test]
async fn at_polar() {
    let parts = &[
        "order_created",
        "order_paid",
        "order_refunded_partly",
        "order_updated_refunded_partly",
        "subscription_created",
    ];
    ends_the_same(&Story { provider: Provider::Polar, parts, left: 9_000 }).await;
}

#[tokio::test]
async fn at_a_server_of_ones_own() {
    let parts = &["customer_bound", "sale", "refund_partly", "refund_rest", "dispute_opened", "dispute_won"];
    ends_the_same(&Story { provider: Provider::Generic, parts, left: 0 }).await;
}

/// xorshift64*, by Marsaglia and Vigna.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16).unwrap() % bound
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for place in (1..all.len()).rev() {
            all.swap(place, self.below(place + 1));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's seed is not a setting of the product")]
fn seed() -> u64 {
    let given = std::env::var("OFFSHOOT_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| rand::random::<u64>().max(1));
    println!("OFFSHOOT_TEST_SEED={seed}");
    seed
}

/// Tells it all, looking at it now and then, and checks the books on the way; what is left of each sale.
async fn told(provider: Provider, all: &[(&str, usize)], chance: &mut Chance) -> Vec<(String, String)> {
    let site = Site::start().await;
    site.affiliate("ADA").await;
    let payments = Payments::connect(&site, provider).await;
    for (place, (name, number)) in all.iter().enumerate() {
        // Each number is somebody else: a buyer who is known by the address is somebody's from then on only.
        let body = payload(provider, name, *number).replace("ada.buyer@", &format!("buyer{number}@"));
        payments.tell_text(&format!("msg_{name}_{number}_{place}"), &body).await;
        if chance.below(4) == 0 {
            payments.work_off().await;
        }
        if place % 40 == 0 {
            site.check_ledger().await;
        }
    }
    payments.work_off().await;
    site.check_ledger().await;
    let listed = site.api.get("/conversions?limit=100").await;
    let sales = listed.data()["conversions"].as_array().unwrap().iter();
    let mut left: Vec<_> =
        sales.map(|sale| (sale["orderId"].as_str().unwrap().to_owned(), sale["refundedAmount"].to_string())).collect();
    left.sort();
    left
}

#[tokio::test]
async fn any_two_orders_of_the_same_end_the_same() {
    let mut chance = Chance(seed());
    let stories: [(Provider, &[&str]); 3] = [
        (
            Provider::Stripe,
            &[
                "checkout_session_completed_subscription",
                "invoice_paid_2024",
                "invoice_paid_cycle",
                "refund_created",
                "refund_updated",
                "refund_created_rest",
                "charge_refunded_partly",
                "charge_dispute_created",
                "charge_dispute_funds_withdrawn",
                "charge_dispute_closed_lost",
                "customer_subscription_created_trialing",
                "product_created",
            ],
        ),
        (
            Provider::Paddle,
            &[
                "subscription_created",
                "transaction_completed",
                "transaction_completed_recurring",
                "adjustment_created_pending",
                "adjustment_updated_approved",
                "adjustment_created_credit",
                "adjustment_created_chargeback",
            ],
        ),
        (
            Provider::Generic,
            &["customer_bound", "sale", "sale_recurring", "refund_partly", "dispute_opened", "dispute_lost"],
        ),
    ];
    for (provider, names) in stories {
        let mut all = Vec::new();
        for number in 0..6 {
            for name in names {
                // Some are never told, some twice.
                all.extend((0..chance.below(3)).map(|_| (*name, number)));
            }
        }
        let one = told(provider, &all, &mut chance).await;
        chance.shuffle(&mut all);
        let other = told(provider, &all, &mut chance).await;
        assert_eq!(one, other, "{provider}");
    }
}
