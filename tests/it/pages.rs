//! Every page of the portal, on a phone and at a desk, light and dark, with nothing to show, with what is
//! typical and with what nobody would think of: sound, without barriers, and light on the wire.
//!
//! A new page is a line in the table.

use crate::support::{
    Database, Process,
    chromium::{Screen, Window, left_out},
    stock::{AFFILIATE, Data, MERCHANT, Stock},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Guest,
    Affiliate,
    Merchant,
}

use Data::{Empty, Hostile, Typical};
use Who::{Affiliate, Guest, Merchant};

const ALWAYS: &[Data] = &[Empty, Typical, Hostile];

/// A page's name (its picture's too), where it is, who looks, and what there is to see. `{affiliate}`,
/// `{commission}` and `{conversion}` stand for one with much to tell.
const PAGES: &[(&str, &str, Who, &[Data])] = &[
    ("login", "/login", Guest, &[Empty]),
    ("forgot", "/forgot", Guest, &[Empty]),
    ("forgot-no-longer", "/forgot/guess", Guest, &[Empty]),
    ("invitation-no-longer", "/invitations/team/guess", Guest, &[Empty]),
    ("not-found", "/nowhere", Guest, &[Empty]),
    ("program", "/p/acme", Guest, &[Empty]),
    ("home", "/home", Affiliate, ALWAYS),
    ("affiliates", "/m/acme/affiliates", Merchant, ALWAYS),
    ("commissions", "/m/acme/commissions", Merchant, ALWAYS),
    ("commissions-paid", "/m/acme/commissions?status=paid", Merchant, &[Typical]),
    ("settings", "/m/acme/settings", Merchant, &[Typical]),
    ("settings-basics", "/m/acme/settings/basics", Merchant, &[Typical]),
    ("settings-commission", "/m/acme/settings/commission", Merchant, &[Typical]),
    ("settings-tracking", "/m/acme/settings/tracking", Merchant, &[Typical]),
    ("site", "/m/acme/site", Merchant, &[Typical]),
    ("site-check", "/m/acme/site/check", Merchant, &[Typical]),
    ("keys", "/m/acme/keys", Merchant, &[Typical]),
    ("audit", "/m/acme/audit", Merchant, ALWAYS),
    ("search", "/m/acme/search", Merchant, &[Typical]),
    ("search-nothing", "/m/acme/search?q=nothing", Merchant, &[Hostile]),
    ("team", "/m/acme/team", Merchant, ALWAYS),
    ("team-invite", "/m/acme/team/invite", Merchant, &[Typical]),
    ("team-leave", "/m/acme/team/leave", Merchant, &[Hostile]),
    ("account", "/account", Merchant, ALWAYS),
    ("account-password", "/account/password", Merchant, &[Typical]),
    ("account-email", "/account/email", Merchant, &[Typical]),
    ("account-two-step", "/account/two-step", Merchant, &[Typical]),
    ("confirm", "/confirm?next=/account", Merchant, &[Typical]),
    ("api-reference", "/docs/api", Guest, &[Empty]),
    ("not-yours", "/m/other/affiliates", Merchant, &[Empty]),
];

const SCREENS: [Screen; 4] = [Screen::PHONE, Screen::PHONE.dark(), Screen::DESK, Screen::DESK.dark()];

/// What is wrong with a page on any screen.
async fn looked_at(window: &mut Window, name: &str, path: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for screen in SCREENS {
        window.show_on(screen).await;
        let mut faults = window.faults_of(path).await;
        faults.append(&mut window.barriers().await);
        window.screenshot(name).await;
        wrong.extend(faults.into_iter().map(|fault| format!("{name} {screen}: {fault}")));
    }
    wrong
}

/// No page weighs more on a first visit, everything it needs included.
async fn weighed(window: &Window, name: &str, path: &str) -> Vec<String> {
    let weights = window.weigh(path).await;
    println!("{name}: {weights:?}");
    let limits = [
        ("all", weights.total, 60 * 1024),
        ("scripts", weights.scripts, 20 * 1024),
        ("styles", weights.styles, 10 * 1024),
        ("HTML", weights.html, 14 * 1024),
        ("requests", weights.requests.into(), 8),
    ];
    let too_much = limits.into_iter().filter(|(_, is, limit)| is > limit);
    too_much.map(|(what, is, limit)| format!("{name}: {what}: {is}, where {limit} is the most")).collect()
}

async fn all_pages_are_good_with(data: Data) {
    if left_out() {
        return;
    }
    let stock = Stock::new(data).await;
    let mut window = Window::open(stock.site.address, SCREENS[0]).await;
    let mut wrong = Vec::new();
    for who in [Guest, Affiliate, Merchant] {
        window.forget_cookies().await;
        match who {
            Guest => {}
            Affiliate => window.sign_in(AFFILIATE).await,
            Merchant => window.sign_in(MERCHANT).await,
        }
        for (name, path, _, _) in PAGES.iter().filter(|page| page.2 == who && page.3.contains(&data)) {
            let (name, path) = (format!("{name}.{data:?}").to_lowercase(), stock.path(path));
            wrong.append(&mut looked_at(&mut window, &name, &path).await);
            wrong.append(&mut weighed(&window, &name, &path).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn pages_are_good_with_nothing_to_show() {
    all_pages_are_good_with(Empty).await;
}

#[tokio::test]
async fn pages_are_good_with_what_is_typical() {
    all_pages_are_good_with(Typical).await;
}

#[tokio::test]
async fn pages_are_good_with_what_nobody_thinks_of() {
    all_pages_are_good_with(Hostile).await;
}

#[tokio::test]
async fn the_page_of_the_first_start_is_good() {
    if left_out() {
        return;
    }
    let database = Database::new().await;
    let server = Process::start(&database);
    let path = format!("/setup?token={}", server.setup_token());
    let mut window = Window::open(server.address, SCREENS[0]).await;
    let mut wrong = looked_at(&mut window, "setup", &path).await;
    wrong.append(&mut weighed(&window, "setup", &path).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
