//! Every page of the portal, on a phone and at a desk, light and dark, with nothing to show, with what is
//! typical and with what nobody would think of: sound, without barriers, and light on the wire.
//!
//! A new page is a line in the table.

use crate::support::{
    Database, Process,
    chromium::{Screen, Window, left_out},
    stock::{AFFILIATE, APPLICANT, BLOCKED, Data, MERCHANT, Stock},
    traffic::Weights,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Guest,
    Affiliate,
    /// Of somebody who has applied, and of somebody who is blocked.
    Applicant,
    Blocked,
    Merchant,
}

use Data::{Empty, Hostile, Typical};
use Who::{Affiliate, Applicant, Blocked, Guest, Merchant};

const ALWAYS: &[Data] = &[Empty, Typical, Hostile];
const FULL: &[Data] = &[Typical, Hostile];

/// A page's name (its picture's too), where it is, who looks, and what there is to see. `{affiliate}` and the like
/// stand for what [`Stock`] has; `page > Button` is what comes when that is pressed there, `page < text > Button` with
/// a file of that text.
const PAGES: &[(&str, &str, Who, &[Data])] = &[
    ("login", "/login", Guest, &[Empty]),
    ("login-wrong", "/login > Sign in", Guest, &[Empty]),
    ("login-link-no-longer", "/login/link/guess", Guest, &[Empty]),
    ("login-link", "{sign-in-link}", Guest, &[Typical]),
    ("forgot", "/forgot", Guest, &[Empty]),
    ("forgot-wrong", "/forgot > Email me a link", Guest, &[Empty]),
    ("forgot-no-longer", "/forgot/guess", Guest, &[Empty]),
    ("reset", "{reset}", Guest, &[Typical]),
    ("reset-wrong", "{reset} > Set password", Guest, &[Typical]),
    ("new-email", "{new-email}", Guest, &[Typical]),
    ("new-email-no-longer", "/confirm/guess", Guest, &[Empty]),
    ("team-invitation", "{team-invitation}", Guest, FULL),
    ("team-invitation-wrong", "{team-invitation} > Make the account and join", Guest, &[Typical]),
    ("team-invitation-no-longer", "/invitations/team/guess", Guest, &[Empty]),
    ("invitation", "{invitation}", Guest, FULL),
    ("invitation-wrong", "{invitation} > Join the program", Guest, &[Typical]),
    ("invitation-no-longer", "/invitations/affiliate/guess", Guest, &[Empty]),
    ("apply", "/p/acme/apply", Guest, FULL),
    ("apply-wrong", "/p/acme/apply > Send the application", Guest, FULL),
    ("apply-sent", "/p/acme/apply/sent", Guest, &[Typical]),
    ("apply-confirm", "{apply-confirm}", Guest, &[Typical]),
    ("apply-confirm-wrong", "{apply-confirm} > Confirm and apply", Guest, &[Typical]),
    ("apply-confirm-no-longer", "/applications/confirm/guess", Guest, &[Empty]),
    ("unsubscribe", "{unsubscribe}", Guest, FULL),
    ("unsubscribed", "{unsubscribe} > Stop them", Guest, &[Typical]),
    ("not-found", "/nowhere", Guest, &[Empty]),
    ("program", "/p/acme", Guest, ALWAYS),
    ("terms", "/p/acme/terms", Guest, FULL),
    ("api-reference", "/docs/api", Guest, &[Empty]),
    ("home", "/home", Affiliate, ALWAYS),
    ("links", "/links", Affiliate, ALWAYS),
    ("links-wrong", "/links > Make link", Affiliate, &[Typical]),
    ("earnings", "/earnings", Affiliate, ALWAYS),
    ("earnings-nothing", "/earnings?status=rejected&period=2020-01", Affiliate, &[Typical]),
    ("earning", "/earnings/{commission}", Affiliate, FULL),
    ("statement", "/earnings/statement", Affiliate, ALWAYS),
    ("statement-of-all", "/earnings/statement?period=all", Affiliate, FULL),
    ("claims", "/earnings/claims", Affiliate, ALWAYS),
    ("claims-wrong", "/earnings/claims > Send the claim", Affiliate, &[Typical]),
    ("payouts", "/payouts", Affiliate, ALWAYS),
    ("payout", "/payouts/2026-03-01", Affiliate, FULL),
    ("payout-line", "/payouts/{line}", Affiliate, FULL),
    ("payout-failed", "/payouts/{failed-line}", Affiliate, FULL),
    ("affiliate-settings", "/settings", Affiliate, ALWAYS),
    ("tax-details", "/settings/tax", Affiliate, FULL),
    ("tax-details-wrong", "/settings/tax > Save tax details", Affiliate, &[Empty]),
    ("self-billing", "/settings/self-billing", Affiliate, &[Typical]),
    ("invoices", "/payouts/invoices", Affiliate, ALWAYS),
    ("payment", "/settings/payment", Affiliate, &[Empty, Typical]),
    ("payment-wrong", "/settings/payment > Save how I am paid", Affiliate, &[Typical]),
    ("affiliate-account", "/account", Affiliate, &[Typical]),
    ("no-such-earning", "/earnings/nothing", Affiliate, &[Empty]),
    ("home-in-review", "/home", Applicant, FULL),
    ("home-blocked", "/home", Blocked, &[Typical]),
    ("earnings-blocked", "/earnings", Blocked, &[Typical]),
    ("merchant-home", "/m/acme", Merchant, ALWAYS),
    ("affiliates", "/m/acme/affiliates", Merchant, ALWAYS),
    ("affiliates-nobody", "/m/acme/affiliates?q=nobody", Merchant, &[Typical]),
    ("affiliates-status", "/m/acme/affiliates/status?id={affiliate}&to=blocked", Merchant, FULL),
    ("affiliate", "/m/acme/affiliates/{affiliate}", Merchant, FULL),
    ("affiliate-commissions", "/m/acme/affiliates/{affiliate}?tab=commissions", Merchant, FULL),
    ("affiliate-links", "/m/acme/affiliates/{affiliate}?tab=links", Merchant, FULL),
    ("affiliate-customers", "/m/acme/affiliates/{affiliate}?tab=customers", Merchant, FULL),
    ("affiliate-notes", "/m/acme/affiliates/{affiliate}?tab=notes", Merchant, &[Typical]),
    ("affiliate-note-wrong", "/m/acme/affiliates/{affiliate}?tab=notes > Add note", Merchant, &[Typical]),
    ("affiliate-activity", "/m/acme/affiliates/{affiliate}?tab=activity", Merchant, FULL),
    ("affiliate-edit", "/m/acme/affiliates/{affiliate}/edit", Merchant, FULL),
    ("invite", "/m/acme/affiliates/invite", Merchant, ALWAYS),
    ("invite-wrong", "/m/acme/affiliates/invite > Send invitations", Merchant, &[Typical]),
    ("import-affiliates", "/m/acme/affiliates/import", Merchant, ALWAYS),
    ("import-wrong", "/m/acme/affiliates/import > See what it would do", Merchant, &[Typical]),
    ("import-sales", "/m/acme/sales/import", Merchant, &[Typical]),
    ("import-people", "{import-people}", Merchant, FULL),
    ("import-people-wrong", "{import-people} > Import 1 affiliate", Merchant, &[Typical]),
    ("import-orders", "{import-orders}", Merchant, FULL),
    ("import-done", "{import-done}", Merchant, FULL),
    ("applications", "/m/acme/applications", Merchant, ALWAYS),
    ("application", "/m/acme/applications/{application}", Merchant, FULL),
    ("commissions", "/m/acme/commissions", Merchant, ALWAYS),
    ("commissions-paid", "/m/acme/commissions?status=paid", Merchant, &[Typical]),
    ("commissions-held", "/m/acme/commissions?held=yes", Merchant, &[Empty]),
    ("commissions-nothing", "/m/acme/commissions?q=nothing", Merchant, &[Typical]),
    ("commission", "/m/acme/commissions/{commission}", Merchant, FULL),
    ("decision", "/m/acme/commissions/decision?to=rejected&id={commission}", Merchant, FULL),
    ("decision-wrong", "/m/acme/commissions/decision?to=rejected&id={commission} > Reject", Merchant, &[Typical]),
    ("decision-all", "/m/acme/commissions/decision?to=approved&scope=all", Merchant, &[Typical]),
    ("decided", "/m/acme/commissions/decided", Merchant, &[Empty]),
    ("merchant-payouts", "/m/acme/payouts", Merchant, ALWAYS),
    ("merchant-payouts-no-more", "/m/acme/payouts?offset=50", Merchant, &[Typical]),
    ("reconciliation", "/m/acme/payouts/reconciliation", Merchant, ALWAYS),
    ("payout-new", "/m/acme/payouts/new", Merchant, ALWAYS),
    ("payout-new-nothing", "/m/acme/payouts/new?until=2026-01-01", Merchant, FULL),
    ("payout-new-left-out", "/m/acme/payouts/new?without={affiliate}&method=bank", Merchant, FULL),
    ("payout-new-wrong", "/m/acme/payouts/new?until=2036-01-01", Merchant, &[Typical]),
    ("payout-confirm", "/m/acme/payouts/confirm", Merchant, FULL),
    ("merchant-payout", "/m/acme/payouts/{payout}", Merchant, FULL),
    ("merchant-payout-wrong", "/m/acme/payouts/{payout} > Read results", Merchant, FULL),
    (
        "merchant-payout-results",
        "/m/acme/payouts/{payout} < id,status\nline <b>9</b>,paid\n{line},=1+1 > Read results",
        Merchant,
        FULL,
    ),
    ("merchant-payout-paid", "/m/acme/payouts/{paid-payout}", Merchant, FULL),
    ("payout-files", "/m/acme/payouts/{payout}/files", Merchant, FULL),
    ("merchant-payout-line", "/m/acme/payouts/{payout}/lines/{line}", Merchant, FULL),
    ("merchant-invoices", "/m/acme/payouts/invoices", Merchant, ALWAYS),
    ("settings-tax", "/m/acme/settings/tax", Merchant, &[Empty, Typical]),
    ("settings-tax-wrong", "/m/acme/settings/tax > Save", Merchant, &[Empty]),
    ("merchant-payout-line-wrong", "/m/acme/payouts/{payout}/lines/{line} > Mark as failed", Merchant, FULL),
    ("merchant-payout-line-paid", "/m/acme/payouts/{paid-payout}/lines/{paid-line}", Merchant, FULL),
    ("settings-payouts", "/m/acme/settings/payouts", Merchant, FULL),
    ("claims-to-answer", "/m/acme/claims", Merchant, ALWAYS),
    ("claim", "/m/acme/claims/{claim}", Merchant, FULL),
    ("claim-wrong", "/m/acme/claims/{claim} > Decline", Merchant, FULL),
    ("claims-all", "/m/acme/claims?status=all", Merchant, FULL),
    ("settings", "/m/acme/settings", Merchant, FULL),
    ("settings-basics", "/m/acme/settings/basics", Merchant, &[Typical]),
    ("settings-commission", "/m/acme/settings/commission", Merchant, &[Typical]),
    ("settings-tracking", "/m/acme/settings/tracking", Merchant, &[Typical]),
    ("site", "/m/acme/site", Merchant, &[Typical]),
    ("site-check", "/m/acme/site/check", Merchant, &[Typical]),
    ("groups", "/m/acme/groups", Merchant, ALWAYS),
    ("group", "/m/acme/groups/{group}", Merchant, FULL),
    ("groups-wrong", "/m/acme/groups > Make group", Merchant, &[Typical]),
    ("affiliates-of-a-group", "/m/acme/affiliates?status=all&group={group}", Merchant, FULL),
    ("rules", "/m/acme/rules", Merchant, ALWAYS),
    ("rules-wrong", "/m/acme/rules > Add rule", Merchant, &[Typical]),
    ("rules-tried", "/m/acme/rules?affiliate=nobody&amount=10", Merchant, &[Typical]),
    ("settings-attribution", "/m/acme/settings/attribution", Merchant, &[Typical]),
    ("settings-review", "/m/acme/settings/review", Merchant, &[Typical]),
    ("settings-mails", "/m/acme/settings/mails", Merchant, &[Typical]),
    ("settings-mail", "/m/acme/settings/mails/new_commission", Merchant, FULL),
    ("settings-mail-preview", "/m/acme/settings/mails/payout_failed > Preview", Merchant, FULL),
    ("settings-look", "/m/acme/settings/look", Merchant, &[Empty, Typical]),
    ("settings-look-preview", "/m/acme/settings/look > Preview the colour", Merchant, &[Typical]),
    ("settings-applications", "/m/acme/settings/applications", Merchant, FULL),
    ("keys", "/m/acme/keys", Merchant, &[Typical]),
    ("keys-wrong", "/m/acme/keys > Make key", Merchant, &[Typical]),
    ("audit", "/m/acme/audit", Merchant, ALWAYS),
    ("search", "/m/acme/search", Merchant, &[Typical]),
    ("search-nothing", "/m/acme/search?q=nothing", Merchant, &[Hostile]),
    ("team", "/m/acme/team", Merchant, FULL),
    ("team-invite", "/m/acme/team/invite", Merchant, &[Typical]),
    ("team-invite-wrong", "/m/acme/team/invite > Send the invitation", Merchant, &[Typical]),
    ("team-leave", "/m/acme/team/leave", Merchant, &[Hostile]),
    ("account", "/account", Merchant, &[Typical]),
    ("account-password", "/account/password", Merchant, &[Typical]),
    ("account-password-wrong", "/account/password > Change password", Merchant, &[Typical]),
    ("account-email", "/account/email", Merchant, &[Typical]),
    ("account-two-step", "/account/two-step", Merchant, &[Typical]),
    ("confirm", "/confirm?next=/account", Merchant, &[Typical]),
    ("not-yours", "/m/other/affiliates", Merchant, &[Empty]),
    ("viewed-as-affiliate", "/m/acme/affiliates/{affiliate} > View as affiliate", Merchant, FULL),
];

/// What is wrong with a page on any screen: it comes once, in light on a phone, weighed; the rest are other ways to
/// look at the same page.
async fn looked_at(window: &mut Window, name: &str, path: &str) -> Vec<String> {
    let (path, press) = path.split_once(" > ").map_or((path, None), |(path, press)| (path, Some(press)));
    let (path, file) = path.split_once(" < ").map_or((path, None), |(path, file)| (path, Some(file)));
    window.show_on(Screen::PHONE).await;
    let (mut faults, weights) = window.faults_and_weights_of(path).await;
    if let Some(text) = file {
        window.chooses_a_file(text).await;
    }
    if let Some(press) = press {
        faults.extend(window.faults_after(press).await);
    } else {
        faults.extend(too_heavy(name, weights));
    }
    let mut wrong: Vec<_> = faults.into_iter().map(|fault| format!("{name} {}: {fault}", Screen::PHONE)).collect();
    for screen in [Screen::PHONE, Screen::DESK] {
        if screen != Screen::PHONE {
            window.show_on(screen).await;
        }
        let mut faults = window.faults().await;
        faults.append(&mut window.barriers().await);
        window.screenshot(name).await;
        window.show_dark(true).await;
        faults.append(&mut window.barriers_of_colour().await);
        window.screenshot(name).await;
        wrong.extend(faults.into_iter().map(|fault| format!("{name} {screen}: {fault}")));
    }
    window.show_on(Screen::NARROW).await;
    let faults = window.faults().await;
    wrong.extend(faults.into_iter().map(|fault| format!("{name} {}: {fault}", Screen::NARROW)));
    wrong
}

/// No page weighs more on a first visit, everything it needs included.
fn too_heavy(name: &str, weights: Weights) -> Vec<String> {
    println!("{name}: {weights:?}");
    let limits = [
        ("all", weights.total, 60 * 1024),
        ("scripts", weights.scripts, 20 * 1024),
        ("styles", weights.styles, 10 * 1024),
        ("HTML", weights.html, 14 * 1024),
        ("requests", weights.requests.into(), 8),
    ];
    let too_much = limits.into_iter().filter(|(_, is, limit)| is > limit);
    too_much.map(|(what, is, limit)| format!("{what}: {is}, where {limit} is the most")).collect()
}

async fn pages_are_good(data: Data, of: &[Who]) {
    if left_out() {
        return;
    }
    let stock = Stock::new(data).await;
    let mut window = Window::open(stock.site.address, Screen::PHONE).await;
    let mut wrong = Vec::new();
    for who in of {
        let pages: Vec<_> = PAGES.iter().filter(|page| page.2 == *who && page.3.contains(&data)).collect();
        if pages.is_empty() {
            continue;
        }
        window.show_on(Screen::PHONE).await;
        window.forget_cookies().await;
        match who {
            Guest => {}
            Affiliate => window.sign_in(AFFILIATE).await,
            Applicant => window.sign_in(APPLICANT).await,
            Blocked => window.sign_in(BLOCKED).await,
            Merchant => window.sign_in(MERCHANT).await,
        }
        for (name, path, _, _) in pages {
            let (name, path) = (format!("{name}.{data:?}").to_lowercase(), stock.path(path));
            wrong.append(&mut looked_at(&mut window, &name, &path).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn pages_are_good_with_nothing_to_show() {
    pages_are_good(Empty, &[Guest, Affiliate, Applicant, Blocked]).await;
}

#[tokio::test]
async fn a_merchants_pages_are_good_with_nothing_to_show() {
    pages_are_good(Empty, &[Merchant]).await;
}

#[tokio::test]
async fn pages_are_good_with_what_is_typical() {
    pages_are_good(Typical, &[Guest, Affiliate, Applicant, Blocked]).await;
}

#[tokio::test]
async fn a_merchants_pages_are_good_with_what_is_typical() {
    pages_are_good(Typical, &[Merchant]).await;
}

#[tokio::test]
async fn pages_are_good_with_what_nobody_thinks_of() {
    pages_are_good(Hostile, &[Guest, Affiliate, Applicant, Blocked]).await;
}

#[tokio::test]
async fn a_merchants_pages_are_good_with_what_nobody_thinks_of() {
    pages_are_good(Hostile, &[Merchant]).await;
}

#[tokio::test]
async fn the_page_of_the_first_start_is_good() {
    if left_out() {
        return;
    }
    let database = Database::new().await;
    let server = Process::start(&database);
    let path = format!("/setup?token={}", server.setup_token());
    let mut window = Window::open(server.address, Screen::PHONE).await;
    let mut wrong = looked_at(&mut window, "setup", &path).await;
    wrong.append(&mut looked_at(&mut window, "setup-wrong", &format!("{path} > Set up")).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
