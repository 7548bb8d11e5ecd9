//! Mail, as it arrives at a real mail server: once for each cause, whatever the server answers and whoever dies.

use std::{
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use mail_parser::MessageParser;
use offshoot::{
    domain::{message::Kind, one_time_link::Purpose},
    flows::one_time_links,
    jobs, mail,
    store::mails::MailId,
};

use crate::support::{
    Database, MailServer, Process,
    post::{MARA, Post},
};

#[tokio::test]
async fn a_mail_arrives_with_its_link_and_the_programs_name() {
    let post = Post::start().await;
    let link = post.link(Purpose::SignIn, MARA).await;
    assert!(post.enqueue(Kind::SignInLink, link.raw(), MARA, None).await);
    assert_eq!(post.work().await, 1);
    let taken = post.server.taken();
    assert_eq!(taken.len(), 1);
    let mail = taken[0].parsed();
    assert_eq!(taken[0].header("X-Envelope"), "partners@acme.example mara@example.com False");
    assert_eq!(mail.subject(), Some("Sign in to acme"));
    let from = mail.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (Some("acme"), Some("partners@acme.example")));
    assert_eq!(mail.to().unwrap().first().unwrap().address(), Some(MARA));
    assert_eq!(mail.date().unwrap().to_rfc3339(), "2026-03-01T12:00:00Z");
    assert_eq!(taken[0].header("Auto-Submitted"), "auto-generated");
    assert_eq!(taken[0].header("List-Unsubscribe"), "", "it is essential");
    let path = one_time_links::path(&post.site.app.secret, Purpose::SignIn, link);
    for part in [taken[0].text(), taken[0].html()] {
        assert!(part.contains(&format!("https://partners.example/{path}")), "{part}");
    }
    assert_eq!(post.count("sent_at IS NOT NULL AND attempts = 1").await, 1);
    assert_eq!(post.site.database.number("SELECT COUNT(*) FROM jobs WHERE kind = 'mail'").await, 0);
}

#[tokio::test]
async fn one_cause_is_one_mail() {
    let post = Post::start().await;
    assert!(post.enqueue(Kind::PasswordChanged, 7, MARA, None).await);
    assert!(!post.enqueue(Kind::PasswordChanged, 7, MARA, None).await);
    post.work().await;
    assert!(!post.enqueue(Kind::PasswordChanged, 7, MARA, None).await, "after it was sent too");
    assert!(post.enqueue(Kind::PasswordChanged, 8, MARA, None).await);
    post.work().await;
    post.site.advance_seconds(3_600);
    post.work().await;
    assert_eq!(post.server.taken().len(), 2);
}

#[tokio::test]
async fn a_link_that_is_used_or_too_old_is_not_sent() {
    let post = Post::start().await;
    let [used, old] = [post.link(Purpose::SignIn, MARA).await, post.link(Purpose::ResetPassword, MARA).await];
    post.write(move |tx, now| {
        Box::pin(async move { offshoot::store::one_time_links::withdraw_one(tx, used, now).await.map(drop) })
    })
    .await;
    post.enqueue(Kind::SignInLink, used.raw(), MARA, None).await;
    post.site.advance_seconds(60 * 60);
    post.enqueue(Kind::ResetPassword, old.raw(), MARA, None).await;
    // A link of another purpose is none at all.
    let other = post.link(Purpose::ConfirmEmail, MARA).await;
    post.enqueue(Kind::SignInLink, other.raw(), MARA, None).await;
    assert_eq!(post.work().await, 3);
    assert_eq!(post.server.taken().len(), 0);
    assert_eq!(post.count("dropped_at IS NOT NULL AND last_error LIKE 'the link%'").await, 3);
}

#[tokio::test]
async fn a_refusal_for_now_is_tried_again_later_and_one_bad_mail_stops_no_other() {
    let post = Post::start().await;
    post.server.order("refuse 451 busy@example.com\nrefuse 550 gone@example.com");
    for (cause, name) in [(1, "busy"), (2, "gone"), (3, "fine")] {
        post.told(cause, name).await;
    }
    assert_eq!(post.work().await, 3);
    assert_eq!(post.server.taken().len(), 1);
    assert_eq!(
        post.count("to_email LIKE 'busy%' AND attempts = 1 AND failed_at IS NULL AND last_error LIKE '%451%'").await,
        1
    );
    assert_eq!(
        post.count("to_email LIKE 'gone%' AND attempts = 1 AND failed_at IS NOT NULL AND last_error LIKE '%550%'")
            .await,
        1
    );

    assert_eq!(post.work().await, 0, "not at once");
    post.site.advance_seconds(60);
    assert_eq!(post.work().await, 1);
    assert_eq!(post.count("to_email LIKE 'busy%' AND attempts = 2").await, 1);
    post.server.order("");
    post.site.advance_seconds(60);
    assert_eq!(post.work().await, 0, "the pauses grow");
    post.site.advance_seconds(240);
    assert_eq!(post.work().await, 1);
    assert_eq!(post.server.taken().len(), 2);
    assert_eq!(
        post.count("to_email LIKE 'busy%' AND attempts = 3 AND sent_at IS NOT NULL AND last_error IS NULL").await,
        1
    );
}

#[tokio::test]
async fn after_three_days_a_mail_is_given_up_and_says_why() {
    let post = Post::start().await;
    post.server.order("data 452");
    post.told(1, "full").await;
    let mut attempts = 0;
    for _ in 0..5 * 24 {
        attempts += post.work().await;
        post.site.advance_seconds(3_600);
    }
    assert_eq!(i64::try_from(attempts).unwrap(), post.site.database.number("SELECT attempts FROM mails").await);
    assert!((8..20).contains(&attempts), "{attempts}");
    assert_eq!(post.count("failed_at IS NOT NULL AND last_error LIKE '%452%'").await, 1);
    let days = post.site.database.number("SELECT (failed_at - created_at) / 3600000 FROM mails").await;
    assert!((48..=72).contains(&days), "given up after {days} hours");
    assert_eq!(post.site.database.number("SELECT COUNT(*) FROM jobs WHERE kind = 'mail'").await, 0);
}

#[tokio::test]
async fn a_mail_server_that_is_away_gets_its_mails_when_it_is_back() {
    let mut post = Post::start().await;
    let server = std::mem::replace(&mut post.server, MailServer::start());
    let back = server.stop();
    for cause in 0..3 {
        post.told(cause, &format!("m{cause}")).await;
    }
    assert_eq!(post.work().await, 3);
    assert_eq!(post.count("sent_at IS NULL AND failed_at IS NULL AND attempts = 1").await, 3);
    let server = back();
    post.site.advance_seconds(60);
    assert_eq!(post.work().await, 3);
    assert_eq!(server.taken().len(), 3);
}

/// Encrypted or not at all, and with a server that can prove who it is.
#[tokio::test]
async fn where_encryption_is_required_nothing_is_sent_without_it() {
    let cases = [(MailServer::start(), "?tls=required"), (MailServer::with_tls(), "?tls=required")];
    for (server, query) in cases {
        let post = Post::with(server, query).await;
        post.told(1, "secret").await;
        post.work().await;
        assert_eq!(post.server.taken().len(), 0);
        assert_eq!(post.count("failed_at IS NULL AND attempts = 1").await, 1, "it may be mended");
    }
}

#[tokio::test]
async fn two_servers_on_one_database_send_each_mail_once() {
    let post = Post::start().await;
    let other = Post::another(&post.server, &post.site.database, "", "other").await;
    for cause in 0..30 {
        post.told(cause, &format!("m{cause}")).await;
    }
    // PostgreSQL's callers may come away empty while another one is taking the same row.
    let (one, two) = tokio::join!(jobs::work_off(&post.site.app), jobs::work_off(&other.app));
    assert_eq!(one.unwrap() + two.unwrap() + post.work().await, 30);
    assert_eq!(post.server.taken().len(), 30);
    assert_eq!(post.count("sent_at IS NOT NULL AND attempts = 1").await, 30);
}

#[tokio::test]
async fn who_dies_between_sending_and_writing_it_down_sends_it_again_under_the_same_name() {
    let post = Post::start().await;
    post.told(1, "mara").await;
    let id = MailId::new(post.site.database.number("SELECT id FROM mails").await);
    let now = post.site.app.clock.now();
    let claimed =
        post.site.app.db.write(move |tx| Box::pin(offshoot::store::jobs::claim(tx, now, now.plus_seconds(120), 1)));
    assert_eq!(claimed.await.unwrap().len(), 1);
    assert!(matches!(mail::attempt(&post.site.app, id).await.unwrap(), mail::Attempt::Sent));
    assert_eq!(post.work().await, 0, "nobody else takes what is in hand");
    post.site.advance_seconds(121);
    assert_eq!(post.work().await, 1);
    let taken = post.server.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].parsed().message_id(), taken[1].parsed().message_id());
    assert!(taken[0].parsed().message_id().unwrap().ends_with("@acme.example"));
    assert_eq!(post.work().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_leaves_as_soon_as_it_is_enqueued_and_one_that_hangs_holds_up_no_other() {
    let post = Post::start().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(jobs::run(post.site.app.clone(), async { drop(stopped.await) }));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let since = Instant::now();
    post.told(1, "first").await;
    post.server.wait_for(1).await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    post.server.order("hang 1.5");
    post.told(2, "slow").await;
    post.told(3, "slow.too").await;
    let since = Instant::now();
    post.server.wait_for(3).await;
    assert!(since.elapsed() < Duration::from_millis(2_900), "{:?}", since.elapsed());
    // What is in hand ends well when the server stops.
    post.told(4, "last").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    drop(stop);
    running.await.unwrap();
    assert_eq!(post.server.taken().len(), 4);
    assert_eq!(post.count("sent_at IS NOT NULL").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_mails_are_files_that_only_the_owner_reads() {
    let post = Post::start().await;
    let link = post.link(Purpose::SignIn, MARA).await;
    post.enqueue(Kind::SignInLink, link.raw(), MARA, None).await;
    let database: &Database = &post.site.database;
    // The link is good at the site's time, and the process has the system's.
    database.execute("UPDATE one_time_links SET expires_at = 99999999999999").await.unwrap();
    let base = ("OFFSHOOT_BASE_URL", "https://partners.example");
    let key = "07".repeat(32);
    let process = Process::with(database, &[base, ("OFFSHOOT_SECRET_KEY", &key)], &[]);
    let folder = database.folder.path().join(if database.is_sqlite() { "outbox" } else { "data/outbox" });
    let since = Instant::now();
    let files = || folder.read_dir().map(|all| all.map(|file| file.unwrap().path()).collect()).unwrap_or_default();
    let mut found: Vec<std::path::PathBuf> = files();
    while !found.iter().any(|file| file.extension().is_some_and(|kind| kind == "eml")) {
        assert!(since.elapsed() < Duration::from_secs(20), "{}", process.log.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
        found = files();
    }
    assert_eq!(found.len(), 1);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&found[0]), mode(&folder)), (0o600, 0o700));
    let bytes = std::fs::read(&found[0]).unwrap();
    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(mail.to().unwrap().first().unwrap().address(), Some(MARA));
    assert_eq!(mail.from().unwrap().first().unwrap().address(), Some("offshoot@partners.example"));
    let path = one_time_links::path(&post.site.app.secret, Purpose::SignIn, link);
    assert!(mail.body_text(0).unwrap().contains(&path));
    while !process.log.lock().unwrap().contains("written to a file") {
        assert!(since.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let log = process.log.lock().unwrap().clone();
    assert!(log.contains("OFFSHOOT_SMTP_URL is not set"), "an https address without mail is warned about: {log}");
    assert!(log.contains("m…@example.com") && !log.contains(MARA), "{log}");
    assert!(!log.contains(path.rsplit('/').next().unwrap()), "no link in the log: {log}");
}
