//! The columns of a table of sales, by all the names that they go by.

use super::{
    table::{Table, Unreadable},
    tool::Tool,
};

const ORDER: &[&str] = &[
    "orderid",
    "ordernumber",
    "order",
    "externalid",
    "saleid",
    "eventid",
    "transactionid",
    "transactionkey",
    "chargeid",
    "stripechargeid",
    "invoiceid",
    "paymentid",
    "reference",
    "conversionid",
    "commissionid",
    "rewardid",
    "id",
    "key",
];
const SALE: &[&str] = &[
    "saleamount",
    "orderamount",
    "ordertotal",
    "salevalue",
    "salesamount",
    "transactionamount",
    "conversionamount",
    "chargeamount",
    "revenue",
    "total",
    "subtotal",
    "value",
];
const SALE_MINOR: &[&str] = &["saleamountcents", "chargeamountcents", "revenuecents", "amountcents"];
const AMOUNT: &[&str] = &["amount", "price"];
const COMMISSION: &[&str] = &[
    "commission",
    "commissionamount",
    "commissionvalue",
    "commissiontotal",
    "reward",
    "rewardamount",
    "earnings",
    "earning",
    "affiliateearnings",
    "partnerearnings",
];
const COMMISSION_MINOR: &[&str] =
    &["commissioncents", "commissionamountcents", "rewardamountcents", "rewardcents", "earningscents"];
const CURRENCY: &[&str] = &["currency", "currencycode", "salecurrency"];
const DATE: &[&str] = &[
    "saledate",
    "orderdate",
    "transactiondate",
    "chargedat",
    "soldat",
    "purchasedat",
    "eventdate",
    "conversiondate",
    "date",
    "createdat",
    "createdon",
    "created",
    "datecreated",
    "timestamp",
];
const CODE: &[&str] = &[
    "referralcode",
    "affiliatecode",
    "affiliatetoken",
    "linktoken",
    "token",
    "refid",
    "promoterrefid",
    "reftoken",
    "partnerkey",
    "trackingparameter",
    "refcode",
    "via",
    "fpr",
    "ref",
    "code",
];
const WHO: &[&str] =
    &["affiliateemail", "promoteremail", "partneremail", "referreremail", "affiliate", "partner", "promoter"];
const WHO_ID: &[&str] = &["affiliateid", "promoterid", "partnerid", "partnershipkey"];
const CUSTOMER: &[&str] =
    &["customeremail", "leademail", "referralemail", "buyeremail", "useremail", "email", "customer"];
const CUSTOMER_ID: &[&str] = &[
    "customerid",
    "customerkey",
    "stripecustomerid",
    "customerexternalid",
    "externalcustomerid",
    "leaduid",
    "uid",
    "userid",
    "leadid",
];
const STATE: &[&str] = &["commissionstatus", "commissionstate", "rewardstatus", "rewardstate", "status", "state"];
const IS_PAID: &[&str] = &["paid", "ispaid", "paidout"];
const PAID_AT: &[&str] = &["paidat", "paidon", "datepaid", "paiddate", "payoutdate"];
const REFUND: &[&str] = &["refundamount", "refundedamount", "amountrefunded"];
const REFUND_MINOR: &[&str] = &["refundamountcents", "refundedamountcents"];
const IS_REFUNDED: &[&str] = &["refunded", "isrefunded", "refundedat", "refundedon"];

const ALL: [&[&str]; 18] = [
    ORDER,
    SALE,
    SALE_MINOR,
    AMOUNT,
    COMMISSION,
    COMMISSION_MINOR,
    CURRENCY,
    DATE,
    CODE,
    WHO,
    WHO_ID,
    CUSTOMER,
    CUSTOMER_ID,
    STATE,
    IS_PAID,
    PAID_AT,
    REFUND,
    IS_REFUNDED,
];

pub fn is_known(name: &str) -> bool {
    ALL.iter().any(|names| names.contains(&name))
}

/// A column of amounts, and whether they are in minor units.
pub type Amounts = Option<(usize, bool)>;

pub struct Columns {
    pub order: usize,
    pub amount: (usize, bool),
    pub commission: Amounts,
    pub refund: Amounts,
    pub currency: Option<usize>,
    pub date: usize,
    pub code: Option<usize>,
    pub who: Option<usize>,
    pub who_id: Option<usize>,
    pub customer: Option<usize>,
    pub customer_id: Option<usize>,
    pub state: Option<usize>,
    pub is_paid: Option<usize>,
    pub paid_at: Option<usize>,
    pub is_refunded: Option<usize>,
}

impl Columns {
    pub fn of(table: &mut Table, tool: Tool) -> Result<Self, Unreadable> {
        let missing = |what, name| Unreadable::Missing { what, name };
        let mut amounts = |what, major: &[&str], minor: &[&str]| -> Result<Amounts, Unreadable> {
            let found = table.column(what, minor)?.map(|place| (place, true));
            Ok(match found {
                Some(found) => Some(found),
                None => table.column(what, major)?.map(|place| (place, false)),
            })
        };
        // Where a table says what was sold in a column of its own, its plain amount is what that earned.
        let sold = amounts("Sale", SALE, SALE_MINOR)?;
        let mut commission = amounts("Commission", COMMISSION, COMMISSION_MINOR)?;
        let refund = amounts("Refunded", REFUND, REFUND_MINOR)?;
        let sold = match sold {
            Some(sold) => {
                if commission.is_none() && tool != Tool::Own {
                    commission = amounts("Commission", AMOUNT, &[])?;
                }
                Some(sold)
            }
            None if tool.amount_is_commission() && commission.is_none() => None,
            None => amounts("Sale", AMOUNT, &[])?,
        };
        let columns = Self {
            amount: sold.ok_or(missing("the sale’s amount", "sale amount"))?,
            commission,
            refund,
            order: table.column("Order", ORDER)?.ok_or(missing("the order’s number", "order id"))?,
            currency: table.column("Currency", CURRENCY)?,
            date: table.column("Date", DATE)?.ok_or(missing("the day of the sale", "date"))?,
            code: table.column("Affiliate, by code", CODE)?,
            who: table.column("Affiliate", WHO)?,
            who_id: table.column("Affiliate, by id", WHO_ID)?,
            customer: table.column("Customer’s e-mail", CUSTOMER)?,
            customer_id: table.column("Customer’s id", CUSTOMER_ID)?,
            state: table.column("State of the commission", STATE)?,
            is_paid: table.column("Paid", IS_PAID)?,
            paid_at: table.column("Paid on", PAID_AT)?,
            is_refunded: table.column("Refunded", IS_REFUNDED)?,
        };
        if columns.code.is_none() && columns.who.is_none() && columns.who_id.is_none() {
            return Err(missing("the affiliate", "affiliate email or referral code"));
        }
        Ok(columns)
    }
}
