//! The whole story, told in a browser: a program is set up, somebody applies and sells, what they earned is approved
//! and taken back. Once with scripts and once without. What one reads at each step is asserted, and the
//! books at the end.

use std::{net::TcpListener, time::Duration};

use serde_json::json;

use crate::support::{
    Database, Process,
    browser::{Browser, PASSWORD},
    chromium::{Screen, Window, left_out},
    process::{printed, run},
};

/// A server on an address that it knows itself by, as one that is installed does.
fn installed(database: &Database) -> Process {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (listen, base) = (port.to_string(), format!("http://{port}"));
    Process::with(database, &[("OFFSHOOT_LISTEN", &listen), ("OFFSHOOT_BASE_URL", &base)], &[])
}

/// The address below `/{start}` in the mail to that person, waited for.
async fn mailed(database: &Database, to: &str, start: &str) -> String {
    for _ in 0..300 {
        let mails = std::fs::read_dir(database.folder.path().join("outbox")).into_iter().flatten().flatten();
        let texts = mails.filter_map(|mail| std::fs::read_to_string(mail.path()).ok());
        // A line of plain text, which may be folded where it is long.
        let unfolded = texts.filter(|mail| mail.contains(to)).map(|mail| mail.replace("=\r\n", ""));
        let found = unfolded.filter_map(|mail| {
            let (_, rest) = mail.split_once(&format!("/{start}/"))?;
            Some(format!("/{start}/{}", rest.split(|c: char| !c.is_ascii_alphanumeric()).next()?))
        });
        if let Some(path) = found.last() {
            return path;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no mail to {to} with a link to {start}")
}

struct Story {
    database: Database,
    server: Process,
    /// At a desk, and on a phone.
    mara: Window,
    nina: Window,
}

impl Story {
    async fn begin(has_scripts: bool) -> Self {
        let database = Database::new().await;
        let server = installed(&database);
        let on = |screen: Screen| if has_scripts { screen } else { screen.without_javascript() };
        let mara = Window::open(server.address, on(Screen::DESK)).await;
        let nina = Window::open(server.address, on(Screen::PHONE)).await;
        Self { database, server, mara, nina }
    }

    /// The one-time address makes the account and the program, and works once.
    async fn set_up(&self) {
        let address = format!("/setup?token={}", self.server.setup_token());
        self.mara.visit(&address).await;
        let fields = [
            ("Your name", "Mara Lindt"),
            ("E-mail", "mara@example.com"),
            ("Password", PASSWORD),
            ("Program name", "Northwind"),
            ("Short name", "northwind"),
            ("Commission", "20%"),
            ("Landing page", "https://shop.example/start"),
            ("Allowed domains", "shop.example"),
        ];
        for (label, text) in fields {
            self.mara.fill(label, text).await;
        }
        self.mara.click("Set up").await;
        self.mara.arrives_at("/m/northwind").await;
        self.mara.sees("Your program is ready.").await;
        self.mara.sees("1 of 7").await;
        let again = Browser::at(self.server.address).get(&address).await;
        assert_eq!(again.status, 404, "the address worked once");
    }

    /// Somebody is asked in, and somebody asks to come in and is let in.
    async fn two_affiliates(&self) {
        let (mara, nina) = (&self.mara, &self.nina);
        mara.click("Invite somebody").await;
        mara.fill("People", "Ada Marlowe <ada@example.com>").await;
        mara.click("Send invitations").await;
        mara.sees("Invited").await;
        mailed(&self.database, "ada@example.com", "invitations/affiliate").await;

        nina.visit("/p/northwind").await;
        nina.sees("earn 20%").await;
        nina.click("Apply").await;
        nina.fill("Your name", "Nina Sommer").await;
        nina.fill("E-mail", "nina@example.com").await;
        // Faster than a person reads is taken for a machine.
        tokio::time::sleep(Duration::from_secs(4)).await;
        nina.click("Send the application").await;
        nina.arrives_at("/p/northwind/apply/sent").await;
        nina.visit(&mailed(&self.database, "nina@example.com", "applications/confirm").await).await;
        nina.fill("Choose a password", PASSWORD).await;
        nina.click("Confirm and apply").await;
        nina.arrives_at("/home").await;
        nina.sees("Your application is in review").await;

        mara.click("Applications").await;
        mara.click_beside("Nina Sommer", "Read").await;
        mara.sees("nina@example.com").await;
        mara.click("Approve").await;
        mara.sees("Nina Sommer is approved.").await;
        nina.visit("/home").await;
        nina.sees("USD 0.00").await;
        nina.sees("The first click shows here at once.").await;
    }

    /// A click on the link, and a sale that the shop reports with it.
    async fn a_sale(&self) {
        let (mara, nina) = (&self.mara, &self.nina);
        mara.visit("/m/northwind/keys").await;
        mara.fill("Name", "Shop").await;
        mara.click("Make key").await;
        mara.sees("Your new key").await;
        let api = self.server.api(&mara.value("Key").await);

        let link = nina.value("Your link").await;
        let path = link.split_once("/r/").map(|(_, rest)| format!("/r/{rest}")).unwrap();
        let followed = Browser::at(self.server.address).get(&path).await;
        let (to, click) = followed.header("location").split_once("?clickId=").unwrap();
        assert_eq!(to, "https://shop.example/start");
        nina.visit("/home").await;
        assert!(nina.texts(".tile").await.contains(&"Clicks 1 so far".to_owned()), "{:?}", nina.texts(".tile").await);

        let sale =
            json!({ "clickId": click, "amount": 250, "orderId": "4018", "customer": { "email": "jo@shop.example" } });
        let sold = api.post("/referrals/convert", &sale).await;
        assert_eq!(sold.status, 201, "{sold:?}");
        self.nina_has("USD 0.00", "Pending USD 50.00 1 to be approved").await;
    }

    /// What Nina's phone says is there for her, and the figure beside it.
    async fn nina_has(&self, available: &str, tile: &str) {
        self.nina.visit("/home").await;
        assert_eq!(self.nina.text(".big").await, available);
        let tiles = self.nina.texts(".tile").await;
        assert!(tiles.iter().any(|text| text == tile), "{tile} in {tiles:?}");
    }

    /// From the first page to the queue, and decided there.
    async fn approved(&self, by_keys: bool) {
        let mara = &self.mara;
        mara.visit("/m/northwind").await;
        mara.sees("1 commission to review").await;
        mara.sees("USD 50.00 together").await;
        mara.click("1 commission to review").await;
        mara.sees("20% of USD 250.00").await;
        if by_keys {
            mara.press("j").await;
            mara.press("a").await;
        } else {
            mara.click("Approve 4018").await;
        }
        mara.sees("1 commission approved (USD 50.00).").await;
        mara.sees("All caught up").await;
        self.nina_has("USD 50.00", "Approved USD 50.00 1 to be paid").await;
    }

    async fn taken_back(&self, by_keys: bool) {
        if by_keys {
            self.mara.press("z").await;
        } else {
            self.mara.click("Undo").await;
        }
        self.mara.sees("20% of USD 250.00").await;
        self.nina_has("USD 0.00", "Pending USD 50.00 1 to be approved").await;
    }

    /// What Nina reads about it, down to the arithmetic.
    async fn explained(&self) {
        let nina = &self.nina;
        nina.click("Earnings").await;
        nina.click("4018").await;
        nina.sees("Somebody followed your link").await;
        nina.sees("They bought for USD 250.00").await;
        nina.sees("j•••@s•••.example").await;
    }

    async fn tell(has_scripts: bool) {
        if left_out() {
            return;
        }
        let story = Self::begin(has_scripts).await;
        story.set_up().await;
        story.two_affiliates().await;
        story.a_sale().await;
        story.approved(has_scripts).await;
        story.taken_back(has_scripts).await;
        story.approved(has_scripts).await;
        story.explained().await;
        printed(&run(&story.database, &["check-ledger"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_start_to_what_an_affiliate_earns() {
    Story::tell(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_without_scripts() {
    Story::tell(false).await;
}
