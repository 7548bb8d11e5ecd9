//! What stands around a page's own content: who is signed in, where they are, what else they may open, and
//! what the last action did.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{assets, caller::Caller, earner::Earner, look::Brand};
use crate::{
    app::App,
    domain::{
        id::AccountId,
        locale::{NumberStyle, Theme},
        program::Program,
        role::{Permission, Role},
    },
    store::{self, accounts, affiliates, applications, commissions},
};

/// What the last action did, told once on the next page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notice {
    pub text: String,
    pub is_problem: bool,
    /// Where a form goes that takes it back.
    pub undo: Option<String>,
}

impl Notice {
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_problem: false, undo: None }
    }

    pub fn problem(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_problem: true, undo: None }
    }

    #[must_use]
    pub fn with_undo(self, at: impl Into<String>) -> Self {
        Self { undo: Some(at.into()), ..self }
    }
}

/// Another program that the same account may open.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: String,
    /// `Owner`, `Affiliate`.
    pub part: &'static str,
    pub slug: String,
    pub is_merchants: bool,
    pub is_here: bool,
}

/// A merchant's page: in which program, as whom, and what waits.
#[derive(Debug, Clone)]
pub struct Merchant {
    pub program: Arc<Program>,
    pub role: Role,
    /// At most [`MANY`] are counted.
    pub to_review: i64,
    pub applications: i64,
}

impl Merchant {
    pub fn may(&self, permission: &Permission) -> bool {
        self.role.grants().allow(*permission)
    }
}

/// Menus count up to here; beyond, they say that there are many.
pub const MANY: i64 = 100;

#[derive(Debug, Clone)]
pub struct Shell {
    pub path: String,
    pub is_signed_in: bool,
    pub name: String,
    pub email: String,
    pub theme: Theme,
    pub number_style: NumberStyle,
    pub zone: TimeZone,
    pub has_shortcuts: bool,
    pub merchant: Option<Merchant>,
    pub earner: Option<Earner>,
    pub places: Vec<Place>,
    /// Of the program whose public page or affiliate's page it is.
    pub brand: Brand,
    pub notice: Option<Notice>,
    pub assets: &'static assets::Names,
}

impl Default for Shell {
    fn default() -> Self {
        Self {
            path: String::new(),
            is_signed_in: false,
            name: String::new(),
            email: String::new(),
            theme: Theme::System,
            number_style: NumberStyle::Comma,
            zone: TimeZone::UTC,
            has_shortcuts: true,
            merchant: None,
            earner: None,
            places: Vec::new(),
            brand: Brand::default(),
            notice: None,
            assets: assets::names(),
        }
    }
}

impl Shell {
    /// A guest's.
    pub fn at(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// The same for somebody who is signed in, on a page of `caller`'s program or of `earner`'s.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(
        mut self,
        app: &App,
        account: AccountId,
        caller: Option<Caller>,
        earner: Option<Earner>,
    ) -> Result<Self, store::Error> {
        let mut tx = app.db.read().await?;
        if let Some(person) = accounts::person(&mut tx, account).await? {
            self.is_signed_in = true;
            self.name = person.name;
            self.email = person.email;
            self.theme = person.theme;
            self.number_style = person.number_style;
            self.zone = TimeZone::get(&person.time_zone).unwrap_or(TimeZone::UTC);
            self.has_shortcuts = person.has_shortcuts;
        }
        let merchant = caller.and_then(|caller| Some((caller.program, caller.role?)));
        let here = |slug: &str, is_merchants: bool| match (&merchant, &earner) {
            (Some((program, _)), _) => is_merchants && program.slug == slug,
            (None, Some(earner)) => !is_merchants && earner.program.slug == slug,
            (None, None) => false,
        };
        for at in accounts::memberships(&mut tx, account).await? {
            let (part, is_here) = (at.role.label(), here(&at.slug, true));
            self.places.push(Place { name: at.name, part, slug: at.slug, is_merchants: true, is_here });
        }
        for at in affiliates::of_account(&mut tx, account).await? {
            let is_here = here(&at.slug, false);
            self.places.push(Place {
                name: at.program,
                part: "Affiliate",
                slug: at.slug,
                is_merchants: false,
                is_here,
            });
        }
        if let Some((program, role)) = merchant {
            let to_review = commissions::count_pending(&mut tx, program.id, MANY).await?;
            let applications = applications::count_waiting(&mut tx, program.id, MANY).await?;
            self.merchant = Some(Merchant { program, role, to_review, applications });
        }
        if let Some(earner) = &earner {
            self.brand = Brand::new(&earner.program.slug, &earner.look);
        }
        self.earner = earner;
        Ok(self)
    }

    /// Whether the page is at this address or below it.
    pub fn is_in(&self, path: &str) -> bool {
        self.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// `99+` for many.
    pub fn count(number: &i64) -> String {
        if *number >= MANY { format!("{}+", MANY - 1) } else { number.to_string() }
    }
}
