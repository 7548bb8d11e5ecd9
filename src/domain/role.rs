//! What people may do in a program, by role.

use super::affiliate::words;

words! {
    Role as Role { Owner = "owner", Admin = "admin", Finance = "finance", Manager = "manager", Viewer = "viewer" }
    "must be one of owner, admin, finance, manager, viewer"
}

/// One thing that a person or a key may be allowed to do in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// See everything but what has a permission of its own.
    Read,
    /// Record clicks and conversions.
    Track,
    /// Invite, change, pause and block affiliates, and answer their applications.
    Affiliates,
    /// Approve and reject commissions, record refunds.
    Commissions,
    /// Pay.
    Payouts,
    /// Change the program.
    Settings,
    /// Make and revoke API keys.
    Keys,
    /// Invite members and change their roles.
    Team,
    /// Read the audit log.
    Audit,
}

impl Permission {
    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grants(u16);

impl Grants {
    pub const fn of(permissions: &[Permission]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < permissions.len() {
            bits |= permissions[at].bit();
            at += 1;
        }
        Self(bits)
    }

    pub const fn allow(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Finance, Self::Manager, Self::Viewer];

    pub const fn grants(self) -> Grants {
        use Permission::{Affiliates, Audit, Commissions, Keys, Payouts, Read, Settings, Team, Track};
        match self {
            Self::Owner | Self::Admin => {
                Grants::of(&[Read, Track, Affiliates, Commissions, Payouts, Settings, Keys, Team, Audit])
            }
            Self::Finance => Grants::of(&[Read, Commissions, Payouts, Audit]),
            Self::Manager => Grants::of(&[Read, Track, Affiliates, Commissions]),
            Self::Viewer => Grants::of(&[Read]),
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::Finance => "Finance",
            Self::Manager => "Manager",
            Self::Viewer => "Viewer",
        }
    }

    /// The same as [`Role::grants`], for the team page.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Owner => "Everything, and the only one who can make or remove other owners.",
            Self::Admin => "Everything but making or removing owners.",
            Self::Finance => "Reads everything, decides commissions, pays, reads the audit log.",
            Self::Manager => "Works with affiliates and applications, decides commissions.",
            Self::Viewer => "Reads, and changes nothing.",
        }
    }

    /// Whether this role may give `other` to somebody, or take it away: only owners deal in ownership.
    pub fn may_appoint(self, other: Self) -> bool {
        self.grants().allow(Permission::Team) && (self == Self::Owner || other != Self::Owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_reads_and_a_viewer_does_nothing_else() {
        for role in Role::ALL {
            assert!(role.grants().allow(Permission::Read), "{role}");
        }
        assert_eq!(Role::Viewer.grants(), Grants::of(&[Permission::Read]));
    }

    #[test]
    fn only_owners_deal_in_ownership() {
        assert!(Role::Owner.may_appoint(Role::Owner));
        assert!(Role::Admin.may_appoint(Role::Admin) && !Role::Admin.may_appoint(Role::Owner));
        assert!(!Role::Manager.may_appoint(Role::Viewer));
    }

    #[test]
    fn who_pays_does_not_need_to_manage_and_the_other_way_round() {
        assert!(
            Role::Finance.grants().allow(Permission::Payouts) && !Role::Finance.grants().allow(Permission::Affiliates)
        );
        assert!(
            Role::Manager.grants().allow(Permission::Affiliates) && !Role::Manager.grants().allow(Permission::Payouts)
        );
    }
}
