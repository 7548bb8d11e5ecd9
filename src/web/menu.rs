//! What the menus offer, in order.

use crate::domain::role::Permission;

pub struct Item {
    /// Below `/m/{program}`; empty is the program's own first page.
    pub at: &'static str,
    pub icon: &'static str,
    pub label: &'static str,
    pub needs: Permission,
}

impl Item {
    pub fn href(&self, slug: &str) -> String {
        if self.at.is_empty() { format!("/m/{slug}") } else { format!("/m/{slug}/{}", self.at) }
    }
}

pub struct Group {
    pub title: Option<&'static str>,
    pub items: &'static [Item],
}

const fn item(at: &'static str, icon: &'static str, label: &'static str, needs: Permission) -> Item {
    Item { at, icon, label, needs }
}

pub const MERCHANT: &[Group] = &[
    Group {
        title: None,
        items: &[
            item("", "house", "Home", Permission::Read),
            item("affiliates", "users", "Affiliates", Permission::Read),
            item("applications", "inbox", "Applications", Permission::Affiliates),
            item("commissions", "hand-coins", "Commissions", Permission::Read),
            item("claims", "receipt-text", "Claims", Permission::Read),
            item("payouts", "wallet", "Payouts", Permission::Read),
            item("search", "search", "Search", Permission::Read),
        ],
    },
    Group {
        title: Some("Program"),
        items: &[
            item("site", "code", "Your site", Permission::Settings),
            item("settings", "settings", "Settings", Permission::Settings),
            item("groups", "list-filter", "Groups", Permission::Settings),
            item("rules", "percent", "Commission rules", Permission::Settings),
            item("payments", "shopping-cart", "Payments coming in", Permission::Read),
            item("keys", "key-round", "API keys", Permission::Keys),
            item("team", "user-plus", "Team", Permission::Team),
            item("audit", "scroll-text", "Audit log", Permission::Audit),
        ],
    },
];

/// Address, icon, label.
pub const AFFILIATE: &[(&str, &str, &str)] = &[
    ("/home", "house", "Home"),
    ("/links", "link", "Links"),
    ("/earnings", "receipt-text", "Earnings"),
    ("/payouts", "wallet", "Payouts"),
    ("/settings", "settings", "Settings"),
];
