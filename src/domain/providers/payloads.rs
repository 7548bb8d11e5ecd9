//! Every payload kept in `tests/payloads`, in the providers' documented shapes, and what is read of it.

use super::{Bind, Effect, Mode, Provider, Reading};

fn bound(bind: &Bind) -> String {
    let objects = [&bind.customer.object, &bind.subscription].into_iter().flatten().cloned().collect::<Vec<_>>();
    format!("{} by {}", objects.join("+"), bind.evidence.code.as_deref().unwrap_or("?"))
}

fn words(effect: &Effect) -> String {
    match effect {
        Effect::Sale(sale) => {
            let evidence = [&sale.evidence.click, &sale.evidence.code, &sale.evidence.hint];
            let by = evidence.into_iter().flatten().next().map_or("nobody", String::as_str);
            let (paid, code) = (sale.paid, sale.currency.code());
            let what = if sale.is_recurring { "renewal" } else { "sale" };
            assert!(!sale.objects.is_empty() && sale.occurred_at.is_some(), "{sale:?}");
            format!("{what} {} {}/{paid} {code} by {by}, known as {}", sale.key, sale.amount, sale.objects.join("+"))
        }
        Effect::Bind(bind) => format!("bind {}", bound(bind)),
        Effect::Lead(bind) => format!("lead {}", bound(bind)),
        Effect::Same(objects) => format!("same {}", objects.join("+")),
        Effect::Refund { key, of, amount } => format!("refund {key} {amount} of {}", of.join("+")),
        Effect::RefundedSoFar { key, of, amount } => format!("so far {key} {amount} of {}", of.join("+")),
        Effect::RefundFailed { key, of, amount } => format!("failed {key} {amount} of {}", of.join("+")),
        Effect::DisputeOpened { key, of, amount } => format!("disputed {key} {amount} of {}", of.join("+")),
        Effect::DisputeWon { key, of } => format!("won {key} of {}", of.join("+")),
        Effect::DisputeLost { key, of, amount } => format!("lost {key} {amount} of {}", of.join("+")),
        Effect::SubscriptionEnded { subscription, at } => format!("ended {subscription} {}", at.unwrap()),
        Effect::CouponGone { codes } => format!("gone {}", codes.join("+")),
    }
}

/// A line for each file: its name, test or live where that is said, and what it comes to.
fn readings(provider: Provider) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads").join(provider.as_str());
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let line = |file: std::path::PathBuf| {
        let event = provider.read(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert!(event.object.is_some() || provider == Provider::Generic, "{file:?}");
        let mode = match event.mode {
            Mode::Live => "live",
            Mode::Test => "test",
            Mode::Unsaid => "-",
        };
        let what = match event.reading {
            Reading::Effects(effects) => effects.iter().map(words).collect::<Vec<_>>().join("; "),
            Reading::Ignored(why) => format!("({why})"),
        };
        format!("{} {mode}: {what}", file.file_stem().unwrap().display())
    };
    files.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Every sale among the files.
fn sales(provider: Provider) -> Vec<super::Sale> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads").join(provider.as_str());
    let texts = folder.read_dir().unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let effects = texts.filter_map(|text| match provider.read(&text).unwrap().reading {
        Reading::Effects(effects) => Some(effects),
        Reading::Ignored(_) => None,
    });
    let sale = |effect| if let Effect::Sale(sale) = effect { Some(*sale) } else { None };
    effects.flatten().filter_map(sale).collect()
}

#[test]
fn an_order_is_found_by_its_payment_and_back() {
    for provider in Provider::ALL {
        let sales = sales(provider);
        assert!(!sales.is_empty());
        for sale in sales {
            let objects = provider.objects_of(&sale.key);
            assert!(objects.iter().any(|object| sale.objects.contains(object)), "{objects:?} {sale:?}");
            let orders: Vec<_> = sale.objects.iter().flat_map(|object| provider.orders_of(object)).collect();
            assert!(orders.contains(&sale.key), "{orders:?} {sale:?}");
        }
    }
    assert_eq!(Provider::LemonSqueezy.objects_of("17"), ["17", "order:17"]);
    assert_eq!(Provider::LemonSqueezy.orders_of("order:17"), ["order:17", "lemonsqueezy_order_17", "17"]);
    // An order of that number is another thing.
    assert_eq!(Provider::LemonSqueezy.orders_of("invoice:17"), ["invoice:17", "lemonsqueezy_invoice_17"]);
}

#[test]
fn stripe() {
    insta::assert_snapshot!(readings(Provider::Stripe));
}

#[test]
fn paddle() {
    insta::assert_snapshot!(readings(Provider::Paddle));
}

#[test]
fn lemonsqueezy() {
    insta::assert_snapshot!(readings(Provider::LemonSqueezy));
}

#[test]
fn polar() {
    insta::assert_snapshot!(readings(Provider::Polar));
}

#[test]
fn generic() {
    insta::assert_snapshot!(readings(Provider::Generic));
}

#[test]
fn what_is_no_event_is_none() {
    for provider in Provider::ALL {
        for body in
            ["", "null", "[]", "{}", "1", "{\"type\":1}", "{\"data\":{\"object\":{}}}", "{\"type\":\"x\",\"data\":"]
        {
            assert_eq!(provider.read(body), None, "{provider} {body}");
        }
    }
}
