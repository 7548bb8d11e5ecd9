//! A site whose mails go to a real mail server, and what there is to write about.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use offshoot::{
    domain::{
        email::Email,
        id::{AccountId, AffiliateId},
        message::Kind,
        one_time_link::Purpose,
        time::Time,
    },
    flows::{
        mails::{self, NewMail},
        one_time_links::{self, NewLink},
    },
    jobs,
    store::{self, Tx, one_time_links::LinkId},
};

use super::{Database, MailServer, Site, browser::account};

pub struct Post {
    pub site: Site,
    pub server: MailServer,
    pub mara: AccountId,
}

pub const MARA: &str = "mara@example.com";

impl Post {
    pub async fn start() -> Self {
        Self::with(MailServer::start(), "").await
    }

    /// With something after the mail server's address.
    pub async fn with(server: MailServer, query: &str) -> Self {
        let database = Arc::new(Database::new().await);
        let site = Self::another(&server, &database, query, "acme").await;
        let mara = account(&site, MARA, true).await;
        Self { site, server, mara }
    }

    /// A site of its own on that database and mail server.
    pub async fn another(server: &MailServer, database: &Arc<Database>, query: &str, slug: &str) -> Site {
        let settings = [
            ("OFFSHOOT_RATE_LIMIT", "0"),
            ("OFFSHOOT_BASE_URL", "https://partners.example"),
            ("OFFSHOOT_MAIL_FROM", "partners@acme.example"),
            ("OFFSHOOT_SMTP_URL", &format!("{}{query}", server.url())),
        ];
        Site::on(Arc::clone(database), &settings, slug, "USD").await
    }

    pub async fn write<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Tx, Time) -> BoxFuture<'t, Result<T, store::Error>> + Send + 'static,
    ) -> T {
        let now = self.site.app.clock.now();
        self.site.app.db.write(move |tx| work(tx, now)).await.unwrap()
    }

    /// Enqueues a mail; whether its cause had none.
    pub async fn enqueue(&self, kind: Kind, cause: i64, to: &str, of: Option<AffiliateId>) -> bool {
        let (ids, program) = (Arc::clone(&self.site.app.ids), Some(self.site.program.id));
        let (to, account) = (Email::parse(to).unwrap(), of.is_none().then_some(self.mara));
        self.write(move |tx, now| {
            Box::pin(async move {
                let mail = NewMail { kind, cause, to: &to, program, account, affiliate: of };
                mails::enqueue(tx, &ids, now, mail).await
            })
        })
        .await
    }

    /// A mail that always applies, to an address of that name.
    pub async fn told(&self, cause: i64, name: &str) {
        assert!(self.enqueue(Kind::PasswordChanged, cause, &format!("{name}@example.com"), None).await);
    }

    pub async fn link(&self, purpose: Purpose, email: &str) -> LinkId {
        let (ids, secret) = (Arc::clone(&self.site.app.ids), Arc::clone(&self.site.app.secret));
        let (email, account, program) = (Email::parse(email).unwrap(), self.mara, self.site.program.id);
        self.write(move |tx, now| {
            Box::pin(async move {
                let role = (purpose == Purpose::TeamInvitation).then_some("finance");
                let new =
                    NewLink { account: Some(account), program: Some(program), role, ..NewLink::to(purpose, &email) };
                one_time_links::create(tx, &ids, &secret, now, new).await
            })
        })
        .await
    }

    /// An affiliate who reads about it with the account.
    pub async fn affiliate_of(&self, code: &str, account: AccountId) -> AffiliateId {
        let id = AffiliateId::parse(&self.site.affiliate(code).await).unwrap();
        self.write(move |tx, _| Box::pin(store::affiliates::give_to(tx, id, account))).await;
        id
    }

    /// Does what is due.
    pub async fn work(&self) -> usize {
        jobs::work_off(&self.site.app).await.unwrap()
    }

    pub async fn count(&self, condition: &str) -> i64 {
        self.site.database.number(&format!("SELECT COUNT(*) FROM mails WHERE {condition}")).await
    }
}
