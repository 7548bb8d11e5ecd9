//! Who may do what in a browser: every page of a program against every kind of reader.

use std::{collections::BTreeSet, sync::Arc};

use offshoot::{
    domain::{
        email::Email,
        id::{AccountId, AffiliateId},
        role::Role,
    },
    flows::{
        Actor, Refusal,
        accounts::{self, NewAccount},
        groups,
    },
    password,
    store::{self, claims},
    web,
};

use serde_json::json;

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account},
};

/// What an owner, admin, finance, manager and viewer are answered, below `/m/{program}`. To a stranger and to an
/// affiliate none of it exists, and a guest is sent to sign in. A POST carries an empty form; `{id}` names what
/// [`id`] says.
const TABLE: &[(&str, &str, [u16; 5])] = &[
    ("GET", "/", [200, 200, 200, 200, 200]),
    ("GET", "/affiliates", [200, 200, 200, 200, 200]),
    ("GET", "/affiliates/export", [200, 200, 200, 200, 200]),
    ("POST", "/affiliates/columns", [303, 303, 303, 303, 303]),
    ("GET", "/affiliates/status", [400, 400, 404, 400, 404]),
    ("POST", "/affiliates/status", [400, 400, 404, 400, 404]),
    ("GET", "/affiliates/{id}", [200, 200, 200, 200, 200]),
    ("GET", "/affiliates/{id}/statement.pdf", [200, 200, 200, 200, 200]),
    ("POST", "/affiliates/{id}/tax-form", [422, 422, 422, 404, 404]),
    ("GET", "/affiliates/{id}/edit", [200, 200, 404, 200, 404]),
    ("POST", "/affiliates/{id}/edit", [422, 422, 404, 422, 404]),
    ("POST", "/affiliates/{id}/notes", [422, 422, 404, 422, 404]),
    ("POST", "/affiliates/{id}/coupons", [422, 422, 404, 422, 404]),
    ("POST", "/coupons/{id}/archive", [404, 404, 404, 404, 404]),
    ("POST", "/coupons/{id}/restore", [404, 404, 404, 404, 404]),
    ("POST", "/affiliates/{id}/rates", [303, 303, 404, 404, 404]),
    ("POST", "/affiliates/{id}/view", [303, 303, 404, 303, 404]),
    ("POST", "/affiliates/{id}/view/end", [303, 303, 303, 303, 303]),
    ("GET", "/affiliates/invite", [200, 200, 404, 200, 404]),
    ("POST", "/affiliates/invite", [422, 422, 404, 422, 404]),
    ("GET", "/affiliates/import", [200, 200, 404, 200, 404]),
    ("POST", "/affiliates/import", [422, 422, 404, 422, 404]),
    ("GET", "/sales/import", [200, 200, 404, 200, 404]),
    ("POST", "/sales/import", [422, 422, 404, 422, 404]),
    ("GET", "/imports/{id}", [404, 404, 404, 404, 404]),
    ("POST", "/imports/{id}", [404, 404, 404, 404, 404]),
    ("GET", "/imports/{id}/rows.csv", [404, 404, 404, 404, 404]),
    ("POST", "/imports/{id}/discard", [404, 404, 404, 404, 404]),
    ("POST", "/affiliates/{id}/invitation", [303, 303, 404, 303, 404]),
    ("POST", "/invitations/{id}/mail", [404, 404, 404, 404, 404]),
    ("POST", "/invitations/{id}/withdrawal", [404, 404, 404, 404, 404]),
    ("GET", "/applications", [200, 200, 404, 200, 404]),
    ("GET", "/applications/{id}", [404, 404, 404, 404, 404]),
    ("POST", "/applications/{id}/approval", [404, 404, 404, 404, 404]),
    ("POST", "/applications/{id}/rejection", [404, 404, 404, 404, 404]),
    ("POST", "/applications/{id}/reopening", [404, 404, 404, 404, 404]),
    ("GET", "/settings/mails", [200, 200, 404, 404, 404]),
    ("GET", "/settings/mails/{kind}", [200, 200, 404, 404, 404]),
    ("POST", "/settings/mails/{kind}", [303, 303, 404, 404, 404]),
    ("POST", "/settings/mails/{kind}/test", [303, 303, 404, 404, 404]),
    ("GET", "/settings/tax", [200, 200, 404, 404, 404]),
    ("POST", "/settings/tax", [422, 422, 404, 404, 404]),
    ("GET", "/settings/look", [200, 200, 404, 404, 404]),
    ("POST", "/settings/look", [422, 422, 404, 404, 404]),
    ("GET", "/settings/applications", [200, 200, 404, 404, 404]),
    ("POST", "/settings/applications", [303, 303, 404, 404, 404]),
    ("GET", "/commissions", [200, 200, 200, 200, 200]),
    ("GET", "/commissions/decision", [400, 400, 400, 400, 404]),
    ("POST", "/commissions/decision", [400, 400, 400, 400, 404]),
    ("GET", "/commissions/decided", [200, 200, 200, 200, 200]),
    ("POST", "/commissions/decided/{id}/undo", [404, 404, 404, 404, 404]),
    ("GET", "/commissions/{id}", [200, 200, 200, 200, 200]),
    ("POST", "/commissions/{id}/refunds", [303, 303, 303, 303, 404]),
    ("GET", "/claims", [200, 200, 200, 200, 200]),
    ("GET", "/claims/{id}", [200, 200, 200, 200, 200]),
    ("POST", "/claims/{id}/acceptance", [422, 422, 422, 422, 404]),
    ("POST", "/claims/{id}/refusal", [422, 422, 422, 422, 404]),
    ("GET", "/settings", [200, 200, 404, 404, 404]),
    ("GET", "/rules", [200, 200, 404, 404, 404]),
    ("POST", "/rules", [422, 422, 404, 404, 404]),
    ("GET", "/groups", [200, 200, 404, 404, 404]),
    ("POST", "/groups", [422, 422, 404, 404, 404]),
    ("GET", "/groups/{id}", [200, 200, 404, 404, 404]),
    ("POST", "/groups/{id}", [422, 422, 404, 404, 404]),
    ("POST", "/groups/{id}/archive", [303, 303, 404, 404, 404]),
    ("POST", "/groups/{id}/restore", [303, 303, 404, 404, 404]),
    ("POST", "/affiliates/group", [400, 400, 404, 404, 404]),
    ("POST", "/rules/{id}/end", [404, 404, 404, 404, 404]),
    ("GET", "/settings/{part}", [200, 200, 404, 404, 404]),
    ("POST", "/settings/{part}", [422, 422, 404, 404, 404]),
    ("GET", "/site", [200, 200, 404, 404, 404]),
    ("GET", "/site/check", [200, 200, 404, 404, 404]),
    ("POST", "/site/check", [303, 303, 404, 404, 404]),
    ("POST", "/site/check/sale", [303, 303, 404, 404, 404]),
    ("POST", "/site/allowed", [303, 303, 404, 404, 404]),
    ("GET", "/keys", [200, 200, 404, 404, 404]),
    ("POST", "/keys", [422, 422, 404, 404, 404]),
    ("POST", "/keys/{id}/revocation", [404, 404, 404, 404, 404]),
    ("GET", "/payments", [200, 200, 200, 200, 200]),
    ("GET", "/payments/{provider}", [200, 200, 404, 404, 404]),
    ("POST", "/payments/{provider}", [422, 422, 404, 404, 404]),
    ("POST", "/payments/{provider}/disconnection", [404, 404, 404, 404, 404]),
    ("GET", "/payments/events", [200, 200, 200, 200, 200]),
    ("GET", "/payments/events/{id}", [404, 404, 404, 404, 404]),
    ("POST", "/payments/events/{id}/run", [404, 404, 404, 404, 404]),
    ("GET", "/payouts", [200, 200, 200, 200, 200]),
    ("POST", "/payouts", [422, 422, 422, 404, 404]),
    ("GET", "/payouts/new", [200, 200, 200, 404, 404]),
    ("GET", "/payouts/confirm", [303, 303, 303, 404, 404]),
    ("GET", "/payouts/reconciliation", [200, 200, 200, 200, 200]),
    ("GET", "/payouts/invoices", [200, 200, 200, 200, 200]),
    ("GET", "/payouts/invoices/{id}/invoice.pdf", [404, 404, 404, 404, 404]),
    ("GET", "/payouts/years/{year}", [200, 200, 200, 404, 404]),
    ("GET", "/payouts/{id}", [200, 200, 200, 200, 200]),
    ("POST", "/payouts/{id}/status", [422, 422, 422, 404, 404]),
    ("POST", "/payouts/{id}/results", [422, 422, 422, 404, 404]),
    ("GET", "/payouts/{id}/files", [200, 200, 200, 404, 404]),
    ("GET", "/payouts/{id}/files/{format}", [200, 200, 200, 404, 404]),
    ("GET", "/payouts/{id}/lines/{line}", [200, 200, 200, 200, 200]),
    ("POST", "/payouts/{id}/lines/{line}", [422, 422, 422, 404, 404]),
    ("GET", "/payouts/{id}/lines/{line}/advice.pdf", [200, 200, 200, 200, 200]),
    ("GET", "/audit", [200, 200, 200, 404, 404]),
    ("GET", "/audit/export", [200, 200, 200, 404, 404]),
    ("GET", "/search", [200, 200, 200, 200, 200]),
    ("GET", "/team", [200, 200, 404, 404, 404]),
    ("GET", "/team/invite", [200, 200, 404, 404, 404]),
    ("POST", "/team/invite", [422, 422, 404, 404, 404]),
    ("POST", "/team/invitations/resend", [404, 404, 404, 404, 404]),
    ("POST", "/team/invitations/withdraw", [404, 404, 404, 404, 404]),
    ("GET", "/team/leave", [200, 200, 200, 200, 200]),
    ("POST", "/team/leave", [303, 303, 303, 303, 303]),
    ("GET", "/team/{id}", [200, 200, 404, 404, 404]),
    ("POST", "/team/{id}", [422, 422, 404, 404, 404]),
    ("POST", "/team/{id}/remove", [303, 303, 404, 404, 404]),
];

/// What `{id}` stands for below a path.
async fn id(site: &Site, path: &str) -> String {
    match path.split('/').nth(1) {
        Some("affiliates") => earner(site).await,
        Some("applications") => "aff_0000000000000".to_owned(),
        Some("commissions") if path.contains("/decided/") => "batch_0000000000000".to_owned(),
        Some("commissions") => {
            let affiliate = earner(site).await;
            let code = site.api.get(&format!("/affiliates/{affiliate}")).await;
            let code = code.data()["affiliate"]["referralCode"].as_str().unwrap().to_owned();
            assert_eq!(site.api.sale(&code, "10", &code).await.status, 201);
            site.api.newest_commission(&affiliate).await
        }
        Some("claims") => claim(site).await,
        Some("coupons") => "coup_0000000000000".to_owned(),
        Some("groups") => group(site).await,
        Some("imports") => "imp_0000000000000".to_owned(),
        Some("invitations") => "ainv_0000000000000".to_owned(),
        Some("keys") => "key_0000000000000".to_owned(),
        Some("payments") => "pevt_0000000000000".to_owned(),
        Some("payouts") if path.contains("/invoices/") => "inv_0000000000000".to_owned(),
        Some("payouts") => {
            let affiliate = earner(site).await;
            let paid_by = json!({ "paymentMethod": "paypal", "paymentDetails": "a@example.com" });
            site.api.patch(&format!("/affiliates/{affiliate}"), &paid_by).await;
            let bonus = json!({ "amount": 5, "reason": "A bonus" });
            site.api.post(&format!("/affiliates/{affiliate}/adjustments"), &bonus).await;
            let made = site.api.post("/payouts", &json!({ "affiliateIds": [affiliate] })).await;
            made.data()["payout"]["id"].as_str().unwrap().to_owned()
        }
        Some("rules") => "rule_0000000000000".to_owned(),
        Some("team") => member(site, "member", Some(Role::Viewer), "").await.to_string(),
        _ => panic!("say what {{id}} is in {path}"),
    }
}

/// A new claim's id.
async fn group(site: &Site) -> String {
    let act = site.app.act(site.program.clone(), Actor::CommandLine);
    let name = format!("Group {}", site.database.number("SELECT COUNT(*) FROM affiliate_groups").await);
    let made = site.app.db.write(move |tx| Box::pin(async move { groups::create(tx, &act, &name).await }));
    made.await.unwrap().to_string()
}

async fn claim(site: &Site) -> String {
    let affiliate = AffiliateId::parse(&earner(site).await).unwrap();
    let (id, program) = (site.app.ids.next(site.app.clock.now()), site.program.id);
    let made = site.app.db.write(move |tx| {
        Box::pin(async move {
            let row =
                claims::NewRow { id, program, affiliate, order: Some("A-1"), day: None, amount: None, words: "x" };
            claims::create(tx, &row).await
        })
    });
    made.await.unwrap();
    id.to_string()
}

/// A new affiliate's id.
async fn earner(site: &Site) -> String {
    let unique = site.database.number("SELECT COUNT(*) FROM affiliates").await;
    site.affiliate(&format!("earner{unique}")).await
}

/// A new account, with that role if any.
async fn member(site: &Site, name: &str, role: Option<Role>, hash: &str) -> AccountId {
    let (ids, now, program) = (Arc::clone(&site.app.ids), site.app.clock.now(), site.program.id);
    let unique = site.database.number("SELECT COUNT(*) FROM accounts").await;
    let email = Email::parse(&format!("{name}{unique}@example.com")).unwrap();
    let new = NewAccount { email, name: name.into(), password_hash: Some(hash.into()) };
    let made = site.app.db.write(move |tx| {
        Box::pin(async move {
            let account = accounts::create(tx, &ids, now, &new).await?;
            if let Some(role) = role {
                store::accounts::join(tx, account, program, role, now).await?;
            }
            Ok::<_, Refusal>(account)
        })
    });
    made.await.unwrap()
}

async fn signed_in(site: &Site, account: AccountId) -> Browser {
    let found = store::accounts::by_id(&mut site.app.db.read().await.unwrap(), account).await.unwrap().unwrap();
    let browser = Browser::at(site.address);
    let answer = browser.sign_in(&found.email, PASSWORD).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    browser
}

async fn ask(site: &Site, browser: &Browser, method: &str, path: &str) -> Answer {
    // The program's first page has no slash at its end.
    let mut path = format!(
        "/m/acme{}",
        path.replace("{part}", "commission")
            .replace("{provider}", "stripe")
            .replace("{year}", "2026")
            .replace("{kind}", "new_commission")
            .trim_end_matches('/')
    );
    if path.contains("{id}") {
        let id = id(site, path.trim_start_matches("/m/acme")).await;
        if path.contains("{line}") {
            let lines = site.api.get(&format!("/payouts/{id}")).await;
            path = path.replace("{line}", lines.data()["lines"][0]["id"].as_str().unwrap());
            if path.ends_with("/advice.pdf") {
                site.api.post(&format!("/payouts/{id}/status"), &json!({ "status": "paid" })).await;
            }
        }
        path = path.replace("{id}", &id).replace("{format}", "csv");
    }
    if method == "GET" { browser.get(&path).await } else { browser.post(&path, &[]).await }
}

#[test]
fn the_table_has_a_line_for_every_page_and_no_other() {
    let methods = |words: &str| -> Vec<&'static str> {
        let words: String = words.split_whitespace().collect();
        let has = |method: &str| words.starts_with(&format!("{method}(")) || words.contains(&format!(").{method}("));
        [("get", "GET"), ("post", "POST")].into_iter().filter(|(word, _)| has(word)).map(|(_, name)| name).collect()
    };
    let mounted: BTreeSet<_> = web::MERCHANT
        .iter()
        .flat_map(|(path, words)| methods(words).into_iter().map(move |method| (method, *path)))
        .collect();
    let lines: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert_eq!(lines, mounted);
    assert_eq!(lines.len(), TABLE.len());
}

#[tokio::test]
async fn a_role_sees_what_is_its_own_and_the_rest_does_not_exist() {
    let site = Site::start().await;
    let hash = password::hash(PASSWORD.into()).await.unwrap();
    let mut wrong = Vec::new();
    for (column, role) in Role::ALL.into_iter().enumerate() {
        let mut browser = None;
        for (method, path, expected) in TABLE {
            if browser.is_none() {
                let account = member(&site, role.as_str(), Some(role), &hash).await;
                browser = Some(signed_in(&site, account).await);
            }
            let answer = ask(&site, browser.as_ref().unwrap(), method, path).await;
            let status = answer.status.as_u16();
            if status != expected[column] {
                wrong.push(format!("{role} {method} {path}: {status}, not {}", expected[column]));
            }
            // Who left is no longer who they were.
            browser = browser.filter(|_| (*method, *path) != ("POST", "/team/leave"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    site.check_ledger().await;
}

#[tokio::test]
async fn to_others_there_is_nothing() {
    let site = Site::start().await;
    let hash = password::hash(PASSWORD.into()).await.unwrap();
    let stranger = signed_in(&site, member(&site, "stranger", None, &hash).await).await;
    account(&site, "anna@example.com", false).await;
    site.affiliate("ANNA").await;
    let earn = "UPDATE affiliates SET account_id = (SELECT id FROM accounts WHERE email_key = 'anna@example.com')";
    site.database.execute(earn).await.unwrap();
    let affiliate = Browser::at(site.address);
    assert_eq!(affiliate.sign_in("anna@example.com", PASSWORD).await.status, 303);
    assert_eq!(affiliate.get("/home").await.status, 200);
    let guest = Browser::at(site.address);
    let rows =
        "SELECT (SELECT COUNT(*) FROM memberships) + (SELECT COUNT(*) FROM audit_log WHERE program_id IS NOT NULL)";
    for (method, path, _) in TABLE {
        for (who, browser, expected) in
            [("stranger", &stranger, 404), ("affiliate", &affiliate, 404), ("guest", &guest, 303)]
        {
            let target = path.replace("{id}", "acct_0000000000000");
            let before = site.database.number(rows).await;
            let answer = ask(&site, browser, method, &target).await;
            assert_eq!(answer.status, expected, "{who} {method} {path}: {answer:?}");
            if who == "guest" {
                assert!(answer.header("location").starts_with("/login"), "{answer:?}");
            }
            assert_eq!(site.database.number(rows).await, before, "{who} {method} {path}");
        }
    }
}
