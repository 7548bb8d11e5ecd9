use super::{
    affiliates::{self, Affiliates},
    cells::{Order, amount, moment},
    guess, rows_of,
    sales::{self, How, State},
    table::{self, Unreadable},
    tool::Tool,
    {Bad, Kind, Sheet},
};
use crate::domain::{affiliate::Status, code::Code, money::Currency, standing::BlockedAs, time::Time};

fn now() -> Time {
    Time::parse_date("2026-03-01").unwrap()
}

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn people(text: &str) -> Affiliates {
    affiliates::read(text, Tool::Own, now()).unwrap()
}

fn how(tool: Tool) -> How {
    How { tool, currency: usd(), in_minor_units: false, now: now() }
}

fn sold(text: &str) -> Sheet<sales::Row> {
    sales::read(text, how(Tool::Own)).unwrap()
}

fn told(bad: &[Bad]) -> Vec<String> {
    bad.iter().map(|bad| format!("{} {} {} {}", bad.line, bad.column, bad.value, bad.why)).collect()
}

macro_rules! file {
    ($name:literal) => {
        table::text(include_bytes!(concat!("../../../tests/imports/", $name))).unwrap()
    };
}

#[test]
fn bytes_of_several_kinds_are_text() {
    let utf16 = |text: &str| [vec![0xff, 0xfe], text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
    assert_eq!(table::text("\u{feff}é\r\nb\rc".as_bytes()).unwrap(), "é\nb\nc");
    assert_eq!(table::text(b"M\xfcller \x80 \x93x\x94").unwrap(), "Müller € “x”");
    assert_eq!(table::text(&utf16("é,ü\r\n")).unwrap(), "é,ü\n");
    assert_eq!(table::text(b"PK\x03\x04..."), Err(Unreadable::Spreadsheet));
    assert_eq!(table::text(b"email\0name"), Err(Unreadable::NotText));
    assert_eq!(table::text(&[0xff, 0xfe, 0x00, 0xd8]), Err(Unreadable::NotText));
    assert_eq!(table::text(b"").unwrap(), "");
}

#[test]
fn separators_quotes_and_empty_lines_are_seen_through() {
    for text in [
        "email,name\na@x.example,\"Doe, Jane\"\n",
        "email;name\n\na@x.example;Doe, Jane",
        "Email\tName\r\na@x.example\tDoe, Jane\r\n".replace("\r\n", "\n").as_str(),
    ] {
        let read = people(text);
        assert_eq!((read.sheet.rows[0].name.as_str(), read.sheet.bad.len()), ("Doe, Jane", 0), "{text}");
    }
    let read = people("email,name\n\n\na@x.example,\"two\nlines\"\nb@x.example,B\nwrong,C\n");
    assert_eq!(read.sheet.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [4, 6]);
    assert_eq!(told(&read.sheet.bad), ["7 email wrong must be a valid e-mail address"]);
}

#[test]
fn a_file_without_what_it_needs_is_refused_in_words() {
    let refused = |text: &str| affiliates::read(text, Tool::Own, now()).err().map(|why| why.to_string()).unwrap();
    assert_eq!(refused(""), "has no rows");
    assert_eq!(refused("email,name\n"), "has no rows");
    assert!(refused("foo,bar\n1,2\n").starts_with("has no column whose name is known"));
    assert!(refused("name,code\nA,B\n").contains("the e-mail address: call it email"));
    assert!(refused("Email,e-mail\na@x.example,b@x.example\n").contains("two columns called “Email”"));
    let sales = |text: &str| sales::read(text, how(Tool::Own)).err().map(|why| why.to_string()).unwrap();
    assert!(sales("order id,amount,date\n1,2,2026-01-01\n").contains("the affiliate"));
    assert!(sales("amount,date,code\n2,2026-01-01,x\n").contains("the order’s number"));
    assert!(sales("order id,amount,code\n1,2,ANNA\n").contains("the day of the sale"));
    let long = format!("email\n{}", "a@x.example\n".repeat(super::MOST_ROWS + 1));
    assert!(refused(&long).contains("more than 20000 rows"));
}

#[test]
fn every_wrong_cell_is_listed_with_its_line() {
    let read = people(
        "email,name,code,status,rate,joined,coupon\n\
         a@x.example,A,anna,active,30%,2024-01-02,SAVE\n\
         ,B,,,,,\n\
         A@x.example,A again,other,,,,\n\
         c@x.example,C,a b!,odd,x%,02/03/2024,no way\n\
         d@x.example,D,ANNA,,,2030-01-01,\n\
         e@x.example,E,x,,,,,one,too,many\n\
         f@x.example,F,ffff,,,,save\n\
         g@x.example,G,save,,,,G10\n\
         h@x.example,H,hhhh,,,,\"H10, h10\"\n",
    );
    let coupons = |row: &affiliates::Row| row.coupons.iter().map(|code| code.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(read.sheet.rows.iter().map(coupons).collect::<Vec<_>>(), [["SAVE"], ["H10"]]);
    assert_eq!(rows_of(&read.sheet.bad), 7);
    let told = told(&read.sheet.bad).join("\n");
    for part in [
        "3 email  is empty",
        "4 email A@x.example stands on line 2 already",
        "5 code a b! has a code that cannot be kept",
        "5 status odd is no status",
        "5 rate x% must be a percentage",
        "5 joined 02/03/2024 can be read in two ways: write it as 2024-03-02 or 2024-02-03",
        "5 coupon no way must be",
        "6 code ANNA has “ANNA”, which stands on line 2 already",
        "6 joined 2030-01-01 is in the future",
        "7  e@x.example The row has 10 cells below 7 columns",
        "8 coupon save has “save”, which stands on line 2 already",
        "9 code save has “save”, which stands on line 2 already",
    ] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
    let open = people("email,name,code\na@x.example,\"A,anna\nb@x.example,B,ben\n");
    assert!(told_of(&open).contains("A quotation mark opens a cell and none closes it."), "{}", told_of(&open));
}

fn told_of(read: &Affiliates) -> String {
    told(&read.sheet.bad).join("\n")
}

#[test]
fn a_formula_is_text_and_our_own_apostrophe_is_taken_off() {
    let read = people("email,name\na@x.example,=HYPERLINK(1)\nb@x.example,'=1+1\nc@x.example,'Neil\n");
    let names: Vec<_> = read.sheet.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["=HYPERLINK(1)", "=1+1", "'Neil"]);
}

#[test]
fn old_links_tell_their_code_and_their_parameter() {
    let read = people(
        "email,link\na@x.example,https://shop.example/p?utm_source=x&partner=anna\nb@x.example,shop.example?via=ben\nc@x.example,https://shop.example/\n",
    );
    let codes: Vec<_> =
        read.sheet.rows.iter().map(|row| row.codes.iter().map(Code::as_str).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(codes, ["anna", "ben", ""]);
    assert_eq!(read.parameters, ["partner", "via"]);
    // A parameter that is nobody's is told by the code that stands beside it.
    let read = people("email,code,link\na@x.example,anna,https://shop.example/?who=ANNA&s1=x\n");
    assert_eq!((read.parameters.join(","), read.sheet.rows[0].codes.len()), ("who".into(), 1));
}

#[test]
fn amounts_are_read_exactly_or_not_at_all() {
    let eur = Currency::parse("EUR").unwrap();
    for (text, minor) in [
        ("12", 1_200),
        ("12.5", 1_250),
        ("1,234.50", 123_450),
        ("1.234,50", 123_450),
        ("1'234.50", 123_450),
        ("1 234,5", 123_450),
        ("1,234", 123_400),
        ("1,234,567", 123_456_700),
        ("29,95", 2_995),
        ("$12.00", 1_200),
        ("USD 12", 1_200),
        ("US$ 12", 1_200),
        ("0", 0),
        (".5", 50),
    ] {
        assert_eq!(amount(text, usd(), false), Ok(minor), "{text}");
    }
    for text in [
        "",
        "x",
        "-1",
        "−1",
        "(5.00)",
        "1.234",
        "12.345,6789",
        "1,23,4",
        "€5",
        "EUR 5",
        "12.999",
        "99999999999999999999",
        "1.2.3",
        "5 %",
        "1e3",
    ] {
        assert!(amount(text, usd(), false).is_err(), "{text}: {:?}", amount(text, usd(), false));
    }
    assert!(amount("EUR 5", usd(), false).unwrap_err().0.contains("is in EUR, but the program counts in USD"));
    assert_eq!(amount("5 €", eur, false), Ok(500));
    assert!(amount("$100.00", eur, false).unwrap_err().0.contains("is in $, but the program counts in EUR"));
    assert_eq!(amount("$100.00", Currency::parse("CAD").unwrap(), false), Ok(10_000));
    assert_eq!(amount("1234", usd(), true), Ok(1_234));
    assert!(amount("12.34", usd(), true).is_err());
    let (jpy, kwd) = (Currency::parse("JPY").unwrap(), Currency::parse("KWD").unwrap());
    assert_eq!((amount("1,234", jpy, false), amount("1.234", kwd, false)), (Ok(1_234), Ok(1_234)));
    assert!(amount("1,234", kwd, false).is_err());
}

#[test]
fn moments_in_the_shapes_that_tools_write() {
    for (text, told) in [
        ("2025-01-10", "2025-01-10T00:00:00Z"),
        ("2025-01-10 10:00:00 UTC", "2025-01-10T10:00:00Z"),
        ("2025-01-10T10:00:00.123Z", "2025-01-10T10:00:00Z"),
        ("2025-01-10T10:00:00+02:00", "2025-01-10T08:00:00Z"),
        ("2025-01-10 10:00 -0530", "2025-01-10T15:30:00Z"),
        ("2025/01/10", "2025-01-10T00:00:00Z"),
        ("10.01.2025", "2025-01-10T00:00:00Z"),
        ("10.01.2025 14:05", "2025-01-10T14:05:00Z"),
        ("Jan 10, 2025", "2025-01-10T00:00:00Z"),
        ("January 10th, 2025 at 2:05 PM", "2025-01-10T14:05:00Z"),
        ("10 January 2025", "2025-01-10T00:00:00Z"),
        ("10-Jan-2025", "2025-01-10T00:00:00Z"),
        ("Fri, 10 Jan 2025 10:00:00 GMT", "2025-01-10T10:00:00Z"),
        ("12:30am Jan 10 2025", "2025-01-10T00:30:00Z"),
        ("1736503200", "2025-01-10T10:00:00Z"),
        ("1736503200000", "2025-01-10T10:00:00Z"),
        ("20250110", "2025-01-10T00:00:00Z"),
        ("13/01/2025", "2025-01-13T00:00:00Z"),
        ("01/13/2025 10:00", "2025-01-13T10:00:00Z"),
        ("05/05/2025", "2025-05-05T00:00:00Z"),
    ] {
        assert_eq!(moment(text, Order::Unknown).map(|at| at.to_string()).as_deref(), Ok(told), "{text}");
    }
    for text in [
        "",
        "x",
        "2025-13-01",
        "2025-02-30",
        "01/02/2025",
        "1/2/25",
        "10:00",
        "2025",
        "0000-00-00",
        "2025-01-10 25:00",
        "2025-01-10 10:00 PST",
        "99999999999999999999",
        "Jan",
        "+éa:",
        "10 10 2025",
        "é-é-éééé",
        "1ééT2",
    ] {
        assert!(moment(text, Order::Unknown).is_err(), "{text}: {:?}", moment(text, Order::Unknown));
    }
    assert_eq!(moment("01/02/2025", Order::DayFirst).unwrap().date(), "2025-02-01");
    assert_eq!(moment("01/02/2025", Order::MonthFirst).unwrap().date(), "2025-01-02");
    assert_eq!(Order::of(["01/02/2025", "13/02/2025"].into_iter()), Order::DayFirst);
    assert_eq!(Order::of(["01/13/2025 10:00", "02/03/2025"].into_iter()), Order::MonthFirst);
    assert_eq!(Order::of(["13/02/2025", "02/13/2025"].into_iter()), Order::Unknown);
}

#[test]
fn sales_say_what_became_of_them() {
    let read = sold(
        "order id,amount,date,code,commission,status,paid at,refund amount,refunded,currency\n\
         1,100,2025-01-02,anna,20,pending,,,,USD\n\
         2,100,2025-01-01,anna,20,due,,,,usd\n\
         3,100,2025-01-03,anna,,approved,2025-02-01,,,\n\
         4,100,2025-01-04,anna,20,voided,,,,\n\
         5,100,2025-01-05,anna,20,approved,,100,,\n\
         6,100,2025-01-06,anna,14,approved,,30,,\n\
         7,100,2025-01-07,anna,20,paid,,100,yes,\n\
         8,100,2025-01-08,anna,20,,,,yes,\n",
    );
    assert_eq!(told(&read.bad), Vec::<String>::new());
    let rows: Vec<_> =
        read.rows.iter().map(|row| (row.order.as_str(), row.amount, row.state, row.commission)).collect();
    assert_eq!(
        rows,
        [
            ("2", 10_000, State::Approved, Some(2_000)),
            ("1", 10_000, State::Pending, Some(2_000)),
            ("3", 10_000, State::Paid, None),
            ("4", 10_000, State::Rejected, Some(2_000)),
            ("5", 10_000, State::Refunded, Some(2_000)),
            ("6", 7_000, State::Approved, Some(1_400)),
            ("7", 10_000, State::Paid, Some(2_000)),
            ("8", 10_000, State::Refunded, Some(2_000)),
        ]
    );
    assert_eq!(read.rows[2].paid_at.unwrap().date(), "2025-02-01");
}

#[test]
fn wrong_sales_are_listed() {
    let read = sold(
        "order id,amount,date,code,status,currency,customer email,refund amount\n\
         1,-5,2025-01-02,anna,,,,\n\
         1,5,2025-01-02,anna,,,,\n\
         ,5,2025-01-02,anna,,,,\n\
         4,5,2019-12-31,anna,,,,\n\
         5,5,2025-01-02,,,,,\n\
         6,5,2025-01-02,anna,odd,EUR,a@b,6\n\
         7,99999999999,2025-01-02,anna,,XXQ,,\n",
    );
    let told = told(&read.bad).join("\n");
    for part in [
        "2 amount -5 must not be negative",
        "3 order id 1 stands on line 2 already",
        "4 order id  is empty",
        "5 date 2019-12-31 is before 2020",
        "6 code  is empty",
        "7 status odd is no state",
        "7 currency EUR is EUR, but the program counts in USD",
        "7 customer email a@b must be a valid e-mail address",
        "8 amount 99999999999 must be at most",
        "8 currency XXQ must be an ISO 4217",
    ] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
    assert_eq!((read.rows.len(), rows_of(&read.bad)), (0, 7));
}

#[test]
fn each_tools_affiliates() {
    let read = |text: &str| {
        let tool = guess(text, Kind::Affiliates);
        let read = affiliates::read(text, tool, now()).unwrap();
        assert_eq!(told(&read.sheet.bad), Vec::<String>::new(), "{tool}");
        let codes: Vec<_> = read
            .sheet
            .rows
            .iter()
            .map(|row| row.codes.iter().map(Code::as_str).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            (read.sheet.rows[0].name.as_str(), read.sheet.rows[0].email.as_str()),
            ("Anna Müller", "anna@blog.example"),
            "{tool}"
        );
        assert_eq!(read.sheet.rows[0].joined.unwrap().date(), "2024-02-11", "{tool}");
        let statuses = read.sheet.rows.iter().map(|row| (row.status, row.blocked_as)).collect::<Vec<_>>();
        (tool, codes.join(","), read.parameters.join(","), statuses)
    };
    let (active, pending, paused) =
        ((Status::Active, None), (Status::Pending, None), (Status::Blocked, Some(BlockedAs::Paused)));
    assert_eq!(
        read(&file!("rewardful-affiliates.csv")),
        (Tool::Rewardful, "anna,ben-videos,chloe".into(), "via".into(), vec![active, active, paused])
    );
    assert_eq!(
        read(&file!("firstpromoter-promoters.csv")),
        (Tool::FirstPromoter, "anna7,benv,dora".into(), "fpr".into(), vec![active, active, pending])
    );
    assert_eq!(read(&file!("tolt-partners.csv")), (Tool::Tolt, "anna,benv".into(), "ref".into(), vec![active, paused]));
    assert_eq!(
        read(&file!("partnerstack-partners.csv")),
        (
            Tool::PartnerStack,
            "annamueller1 YW5uYW11ZWxsZXIx,benoneil0042 YmVub25laWwwMDQy".into(),
            "ps_partner_key,gspk".into(),
            vec![active, pending]
        )
    );
    assert_eq!(
        read(&file!("tapfiliate-affiliates.csv")),
        (Tool::Tapfiliate, "annam,benon".into(), "ref".into(), vec![active, active])
    );
    assert_eq!(
        read(&file!("refgrow-affiliates.csv")),
        (Tool::Refgrow, "ANNA24,BENV".into(), "ref".into(), vec![active, paused])
    );
}

#[test]
fn each_tools_sales() {
    use State::{Approved, Paid, Pending, Refunded, Rejected};
    let read = |text: &str, in_minor_units: bool| {
        let tool = guess(text, Kind::Sales);
        let read = sales::read(text, How { in_minor_units, ..how(tool) }).unwrap();
        assert_eq!(told(&read.bad), Vec::<String>::new(), "{tool}");
        let first = &read.rows[0];
        assert_eq!(first.at.to_string(), "2025-01-10T10:00:00Z", "{tool}");
        (
            tool,
            first.order.clone(),
            first.amount,
            first.commission,
            read.rows.iter().map(|row| row.state).collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        read(&file!("rewardful-commissions.csv"), false),
        (Tool::Rewardful, "sale-0001".into(), 12_000, Some(2_400), vec![Paid, Approved, Rejected, Pending])
    );
    assert_eq!(
        read(&file!("firstpromoter-commissions.csv"), true),
        (Tool::FirstPromoter, "in_fp_1".into(), 12_000, Some(2_400), vec![Paid, Approved, Rejected])
    );
    assert_eq!(
        read(&file!("tolt-transactions.csv"), false),
        (Tool::Tolt, "txn_1".into(), 12_000, Some(2_400), vec![Paid, Refunded])
    );
    assert_eq!(
        read(&file!("partnerstack-transactions.csv"), true),
        (Tool::PartnerStack, "tx_ps_1".into(), 12_000, None, vec![Pending, Pending])
    );
    assert_eq!(
        read(&file!("tapfiliate-conversions.csv"), false),
        (Tool::Tapfiliate, "TAP-1".into(), 123_450, Some(24_690), vec![Approved, Pending])
    );
    assert_eq!(
        read(&file!("refgrow-conversions.csv"), false),
        (Tool::Refgrow, "RG-1".into(), 12_000, Some(3_600), vec![Paid, Approved])
    );
}
