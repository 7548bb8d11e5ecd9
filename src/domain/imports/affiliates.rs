//! A table of affiliates: who they are, the codes that their old links carry, and what they had.

use url::Url;

use super::{
    Bad, Sheet,
    cells::{self, Order},
    table::{Once, Row as Cells, Table, Unreadable, plain},
    tool::{self, Tool},
};
use crate::domain::{
    Issue, affiliate::Status, code::Code, email::Email, money::Rate, standing::BlockedAs, text, time::Time, tracking,
};

const EMAIL: &[&str] = &[
    "email",
    "emailaddress",
    "affiliateemail",
    "promoteremail",
    "partneremail",
    "useremail",
    "workemail",
    "contactemail",
    "emailid",
    "mail",
];
const NAME: &[&str] = &[
    "name",
    "fullname",
    "affiliatename",
    "promotername",
    "partnername",
    "displayname",
    "affiliate",
    "partner",
    "promoter",
];
const FIRST: &[&str] =
    &["firstname", "affiliatefirstname", "promoterfirstname", "partnerfirstname", "givenname", "first"];
const LAST: &[&str] =
    &["lastname", "affiliatelastname", "promoterlastname", "partnerlastname", "familyname", "surname", "last"];
const COMPANY: &[&str] = &["company", "companyname", "organization", "organisation"];
const CODE: &[&str] = &[
    "token",
    "tokens",
    "linktoken",
    "linktokens",
    "affiliatetoken",
    "refid",
    "reftoken",
    "referralcode",
    "referralcodes",
    "affiliatecode",
    "partnerkey",
    "trackingparameter",
    "refcode",
    "referralid",
    "code",
    "codes",
    "slug",
    "via",
    "fpr",
    "ref",
    "tag",
];
const LINK: &[&str] = &[
    "link",
    "links",
    "referrallink",
    "referrallinks",
    "affiliatelink",
    "affiliatelinks",
    "partnerlink",
    "trackinglink",
    "referralurl",
    "affiliateurl",
    "linkurl",
    "reflink",
    "defaultreflink",
    "defaultlink",
    "url",
];
const STATUS: &[&str] = &["status", "state", "affiliatestatus", "partnerstatus", "promoterstatus", "accountstatus"];
const APPROVED: &[&str] = &["approved", "isapproved", "active", "isactive"];
const COUPON: &[&str] =
    &["coupon", "coupons", "couponcode", "couponcodes", "promocode", "promocodes", "discountcode", "promotioncode"];
const RATE: &[&str] =
    &["rate", "commissionrate", "commissionpercent", "commissionpercentage", "rewardpercent", "percent"];
const GROUP: &[&str] =
    &["group", "groupname", "affiliategroup", "partnergroup", "groupslug", "campaign", "campaignname", "tier"];
const JOINED: &[&str] = &[
    "joined",
    "joinedat",
    "joinedon",
    "joindate",
    "datejoined",
    "signedupat",
    "signupdate",
    "registeredat",
    "createdat",
    "createdon",
    "created",
    "datecreated",
    "confirmedat",
    "date",
];
/// What sales of the same tool may name them by.
const ID: &[&str] = &["id", "affiliateid", "promoterid", "partnerid", "partnershipkey", "uid"];

const ALL: [&[&str]; 14] =
    [EMAIL, NAME, FIRST, LAST, COMPANY, CODE, LINK, STATUS, APPROVED, COUPON, RATE, GROUP, JOINED, ID];

pub fn is_known(name: &str) -> bool {
    ALL.iter().any(|names| names.contains(&name))
}

/// An affiliate as the file has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub line: i64,
    pub email: Email,
    pub name: String,
    /// What their old links carry; the first is the one that they are known by.
    pub codes: Vec<Code>,
    pub coupons: Vec<Code>,
    pub status: Status,
    pub blocked_as: Option<BlockedAs>,
    pub rate: Option<Rate>,
    pub group: Option<String>,
    pub joined: Option<Time>,
    pub old_id: Option<String>,
}

struct Columns {
    email: usize,
    name: Option<usize>,
    first: Option<usize>,
    last: Option<usize>,
    company: Option<usize>,
    code: Option<usize>,
    link: Option<usize>,
    status: Option<usize>,
    approved: Option<usize>,
    coupon: Option<usize>,
    rate: Option<usize>,
    group: Option<usize>,
    joined: Option<usize>,
    id: Option<usize>,
}

impl Columns {
    fn of(table: &mut Table) -> Result<Self, Unreadable> {
        let email = table.column("E-mail", EMAIL)?;
        Ok(Self {
            email: email.ok_or(Unreadable::Missing { what: "the e-mail address", name: "email" })?,
            name: table.column("Name", NAME)?,
            first: table.column("First name", FIRST)?,
            last: table.column("Last name", LAST)?,
            company: table.column("Name, where there is no other", COMPANY)?,
            code: table.column("Code in old links", CODE)?,
            link: table.column("Old link", LINK)?,
            status: table.column("Status", STATUS)?,
            approved: table.column("Status", APPROVED)?,
            coupon: table.column("Coupon", COUPON)?,
            rate: table.column("Rate of their own", RATE)?,
            group: table.column("Group", GROUP)?,
            joined: table.column("Joined", JOINED)?,
            id: table.column("Id in the old tool", ID)?,
        })
    }
}

/// The affiliates of a file, and the parameters that its links carry their codes in.
pub struct Affiliates {
    pub sheet: Sheet<Row>,
    pub parameters: Vec<String>,
}

/// # Errors
/// When the file has no addresses, or cannot be read at all.
pub fn read(text: &str, tool: Tool, now: Time) -> Result<Affiliates, Unreadable> {
    let mut table = Table::open(text, is_known, "email, name and code")?;
    let columns = Columns::of(&mut table)?;
    let (used, unused) = table.told();
    let mut reading = Reading {
        order: Order::of(table.rows.iter().filter_map(|row| row.get(columns.joined))),
        table: &table,
        columns,
        tool,
        now,
        bad: Vec::new(),
        parameters: tool.parameters().iter().map(|name| (*name).to_owned()).collect(),
        emails: Once::default(),
        codes: Once::default(),
    };
    let rows = table.rows.iter().filter_map(|row| reading.row(row)).collect();
    let (mut bad, parameters) = (reading.bad, reading.parameters);
    bad.extend(std::mem::take(&mut table.bad));
    bad.sort_by_key(|bad| bad.line);
    Ok(Affiliates { sheet: Sheet { rows, bad, used, unused }, parameters })
}

struct Reading<'t> {
    table: &'t Table,
    columns: Columns,
    tool: Tool,
    order: Order,
    now: Time,
    bad: Vec<Bad>,
    parameters: Vec<String>,
    emails: Once,
    codes: Once,
}

impl Reading<'_> {
    fn wrong(&mut self, row: &Cells, place: Option<usize>, why: impl Into<String>) {
        let (column, value) = (place.map_or("", |place| self.table.header(place)), row.get(place).unwrap_or_default());
        self.bad.push(Bad::new(row.line, column, value, why));
    }

    /// What the cell says, as `parse` reads it; what it refuses is noted.
    fn read<T>(
        &mut self,
        row: &Cells,
        place: Option<usize>,
        parse: impl FnOnce(&str) -> Result<T, Issue>,
    ) -> Option<T> {
        match parse(row.get(place)?) {
            Ok(value) => Some(value),
            Err(issue) => {
                self.wrong(row, place, issue.0);
                None
            }
        }
    }

    fn row(&mut self, row: &Cells) -> Option<Row> {
        let (before, at) = (self.bad.len(), Some(self.columns.email));
        let email = self.read(row, at, Email::parse);
        if row.get(at).is_none() {
            self.wrong(row, at, "is empty");
        }
        if let Some(email) = &email
            && let Some(line) = self.emails.earlier(email.key(), row.line)
        {
            self.wrong(row, at, format!("stands on line {line} already: put all codes of one person into one row"));
        }
        let name = self.name(row, email.as_ref());
        let codes = self.codes(row);
        let coupons = self.coupons(row);
        let (status, blocked_as) = self.status(row);
        let rate = self.read(row, self.columns.rate, Rate::parse);
        let (order, now) = (self.order, self.now);
        let joined = self.read(row, self.columns.joined, |cell| past(cell, order, now));
        let old_id = self.read(row, self.columns.id, |cell| text::bounded(cell, 1, 255).map(|()| cell.to_owned()));
        let group = row.get(self.columns.group).map(str::to_owned);
        if self.bad.len() > before {
            return None;
        }
        let email = email?;
        Some(Row {
            line: row.line,
            email,
            name: name?,
            codes,
            coupons,
            status,
            blocked_as,
            rate,
            group,
            joined,
            old_id,
        })
    }

    /// Theirs, or else their company's, or else what is before the @.
    fn name(&mut self, row: &Cells, email: Option<&Email>) -> Option<String> {
        let both = [self.columns.first, self.columns.last].into_iter().filter_map(|place| row.get(place));
        let both = both.collect::<Vec<_>>().join(" ");
        let said = row.get(self.columns.name).map(str::to_owned).or(Some(both).filter(|both| !both.is_empty()));
        let said = said.or_else(|| row.get(self.columns.company).map(str::to_owned));
        let said = said.or_else(|| email.and_then(|email| email.as_str().split('@').next()).map(str::to_owned))?;
        match text::name(&said) {
            Ok(()) => Some(said),
            Err(issue) => {
                self.wrong(row, self.columns.name.or(self.columns.first).or(self.columns.company), issue.0);
                None
            }
        }
    }

    /// The codes of both columns; each names one affiliate only.
    fn codes(&mut self, row: &Cells) -> Vec<Code> {
        let mut codes: Vec<Code> = Vec::new();
        for (place, is_link) in [(self.columns.code, false), (self.columns.link, true)] {
            for word in row.get(place).into_iter().flat_map(split) {
                let said = if word.contains("://") {
                    self.of_link(word, &codes)
                } else if is_link {
                    // A link without its scheme, or one that is only a path: it says nothing of its own.
                    self.of_link(&format!("https://{word}"), &codes)
                } else {
                    Some(word.to_owned())
                };
                let Some(said) = said else { continue };
                let found: Vec<_> = [Some(said.clone()), self.tool.written(&said)].into_iter().flatten().collect();
                for (rank, text) in found.iter().enumerate() {
                    match Code::parse(text) {
                        Ok(code) if codes.iter().any(|known| known.key() == code.key()) => {}
                        Ok(code) => {
                            if let Some(line) = self.codes.earlier(code.key(), row.line) {
                                self.wrong(row, place, format!("has “{text}”, which stands on line {line} already"));
                            }
                            codes.push(code);
                        }
                        // What is only another way to write it is no loss.
                        Err(_) if rank > 0 => {}
                        Err(issue) => {
                            self.wrong(row, place, format!("has a code that cannot be kept: it {}", issue.0));
                            // One word of it says enough.
                            return codes;
                        }
                    }
                }
            }
        }
        codes
    }

    /// A coupon stands for one affiliate, and so does a code of the same word.
    fn coupons(&mut self, row: &Cells) -> Vec<Code> {
        let place = self.columns.coupon;
        let all = self.read(row, place, |cell| split(cell).map(Code::parse).collect::<Result<Vec<_>, _>>());
        let mut coupons: Vec<Code> = Vec::new();
        for coupon in all.unwrap_or_default() {
            if coupons.iter().any(|known| known.key() == coupon.key()) {
                continue;
            }
            if let Some(line) = self.codes.earlier(coupon.key(), row.line) {
                self.wrong(row, place, format!("has “{}”, which stands on line {line} already", coupon.as_str()));
            }
            coupons.push(coupon);
        }
        coupons
    }

    /// The code that a link carries, where it carries one; its parameter is one of the file's then.
    fn of_link(&mut self, link: &str, known: &[Code]) -> Option<String> {
        let url = Url::parse(link).ok()?;
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let is_theirs = |value: &str| known.iter().any(|code| code.as_str().eq_ignore_ascii_case(value));
        let naming = |name: &str| self.parameters.iter().any(|own| own == name) || tool::is_naming(name);
        let found = pairs.iter().find(|(_, value)| is_theirs(value));
        let (name, value) = found.or_else(|| pairs.iter().find(|(name, _)| naming(name)))?;
        if tracking::parameters(name).is_ok() && !self.parameters.contains(name) {
            self.parameters.push(name.clone());
        }
        Some(value.clone())
    }

    fn status(&mut self, row: &Cells) -> (Status, Option<BlockedAs>) {
        let place = if row.get(self.columns.status).is_some() { self.columns.status } else { self.columns.approved };
        let found = self.read(row, place, |cell| {
            status(cell).ok_or(Issue::new("is no status that is known: active, pending, paused, rejected or blocked"))
        });
        found.unwrap_or((Status::Active, None))
    }
}

/// Several in one cell.
fn split(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([',', ';', '|', ' ', '\n', '\t']).map(str::trim).filter(|word| !word.is_empty())
}

/// A moment that is over; a day may still be going on elsewhere.
pub(super) fn past(cell: &str, order: Order, now: Time) -> Result<Time, Issue> {
    let at = cells::moment(cell, order)?;
    if at > now.plus_days(1) { Err(Issue::new("is in the future")) } else { Ok(at.min(now)) }
}

/// The words of the six tools, and of people. Who is suspicious in Rewardful earns nothing there either.
fn status(cell: &str) -> Option<(Status, Option<BlockedAs>)> {
    Some(match plain(cell).as_str() {
        "active" | "approved" | "accepted" | "enabled" | "confirmed" | "yes" | "true" | "1" => (Status::Active, None),
        "pending" | "applied" | "invited" | "waiting" | "new" | "unconfirmed" | "inreview" | "review" | "no"
        | "false" | "0" => (Status::Pending, None),
        "paused" | "inactive" | "disabled" | "suspended" | "suspicious" | "deactivated" | "archived" => {
            (Status::Blocked, Some(BlockedAs::Paused))
        }
        "rejected" | "declined" | "denied" | "disapproved" => (Status::Blocked, Some(BlockedAs::Rejected)),
        "blocked" | "banned" | "removed" | "deleted" => (Status::Blocked, Some(BlockedAs::Removed)),
        _ => return None,
    })
}
