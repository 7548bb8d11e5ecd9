//! commissions
