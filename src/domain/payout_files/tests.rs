//! Each file, read back by the `csv` crate and summed; and what came of a run.

use proptest::prelude::*;

use super::{
    results::{Meaning, Outcome},
    *,
};
use crate::domain::payout::LineStatus;
use crate::domain::{money::Currency, payment};

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn line(id: &'static str, method: PaymentMethod, details: &'static str, amount: i64) -> Line<'static> {
    Line { id, name: "Anna Müller", email: "anna@example.com", method, details, amount, note: "March" }
}

fn run<'a>(code: &str, lines: &'a [Line<'a>]) -> Run<'a> {
    let execute_on = Time::parse_date("2026-04-01").unwrap();
    Run { program: "Acme", id: "pay_0123456789abc", currency: currency(code), execute_on, lines }
}

fn written(plan: &Plan<'_>, part: usize) -> String {
    let account = Account::new("DE89370400440532013000", None).unwrap();
    let payer = Payer { name: "Acme GmbH", account: &account };
    String::from_utf8(plan.write(part, Some(payer), Time::from_ms(0)).unwrap().bytes).unwrap()
}

fn cells(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn paypals_rows() {
    use PaymentMethod::{Bank, Paypal};
    let lines = [
        line("pline_1", Paypal, "anna@example.com", 123_450),
        line("pline_2", Bank, "DE89370400440532013000", 5),
        line("pline_3", Paypal, "+1@example.com", 5),
    ];
    let plan = Plan::of(Format::Paypal, run("USD", &lines));
    assert_eq!(plan.carried(), (1, 123_450));
    assert_eq!(written(&plan, 0), "anna@example.com,1234.50,USD,pline_1,March,PAYPAL\r\n");
    let whys: Vec<_> = plan.left_out.iter().map(|left| (left.line.id, left.why.to_string())).collect();
    assert_eq!(
        whys,
        [
            ("pline_2", "is paid by bank transfer".to_owned()),
            ("pline_3", "has an address that a spreadsheet would take for a formula".to_owned())
        ]
    );
    assert_eq!(plan.write(1, None, Time::from_ms(0)).err(), Some(Unwritable::NoSuchPart));
}

#[test]
fn currencies_have_their_own_decimals() {
    let lines = [line("pline_1", PaymentMethod::Paypal, "a@example.com", 1_250)];
    for (code, shown) in [("JPY", "1250"), ("USD", "12.50"), ("CHF", "12.50")] {
        assert_eq!(cells(&written(&Plan::of(Format::Paypal, run(code, &lines)), 0))[0][1], shown);
    }
    for (code, shown) in [("JPY", "1250"), ("EUR", "12.50"), ("KWD", "1.250")] {
        let row = &cells(&written(&Plan::of(Format::Generic, run(code, &lines)), 0))[1];
        assert_eq!((row[6].as_str(), row[7].as_str()), (shown, code));
    }
    let why = |code: &str| Plan::of(Format::Paypal, run(code, &lines)).left_out[0].why.to_string();
    assert_eq!(why("KWD"), "is paid in KWD, which PayPal payouts does not take");
    assert_eq!(why("HUF"), "has an amount with decimals, which PayPal does not take in HUF");
    let whole = [line("pline_1", PaymentMethod::Paypal, "a@example.com", 1_200)];
    assert_eq!(cells(&written(&Plan::of(Format::Paypal, run("HUF", &whole)), 0))[0][1], "12.00");
}

#[test]
fn wises_columns() {
    let lines = [Line { name: "=Anna\nMüller", ..line("pline_1", PaymentMethod::Wise, "anna@example.com", 500) }];
    assert_eq!(
        written(&Plan::of(Format::Wise, run("EUR", &lines)), 0),
        "name,recipientEmail,paymentReference,receiverType,amountCurrency,amount,sourceCurrency,targetCurrency\r\n\
         '=Anna Müller,anna@example.com,pline_1,PRIVATE,target,5.00,EUR,EUR\r\n"
    );
}

#[test]
fn long_runs_take_several_files() {
    let lines = vec![line("pline_1", PaymentMethod::Wise, "anna@example.com", 3); 2_001];
    let plan = Plan::of(Format::Wise, run("EUR", &lines));
    let rows: Vec<_> = (0..plan.files()).map(|part| cells(&written(&plan, part)).len() - 1).collect();
    assert_eq!(rows, [1_000, 1_000, 1]);
    assert_eq!(plan.carried(), (2_001, 6_003));
    assert_eq!(plan.write(2, None, Time::from_ms(0)).unwrap().name, "pay_0123456789abc-wise-3-of-3.csv");
}

#[test]
fn what_sepa_cannot_carry() {
    use PaymentMethod::{Bank, Other};
    let lines = [
        line("pline_1", Bank, "021000021 / 1234567", 1),
        line("pline_2", Bank, "BR1800360305000010009795493C1", 1),
        line("pline_3", Bank, "DE89370400440532013000", 100_000_000_000),
        Line { name: "@@", ..line("pline_4", Bank, "DE89370400440532013000", 1) },
        line("pline_5", Other, "in coffee", 1),
    ];
    let of = |code: &str| Plan::of(Format::Sepa, run(code, &lines));
    let whys: Vec<_> = of("EUR").left_out.iter().map(|left| left.why.to_string()).collect();
    assert!(whys[0].ends_with("that is no IBAN"), "{whys:?}");
    assert_eq!(whys[1], "has an account in BR, outside the SEPA area");
    assert_eq!(whys[2], "has more to get than one transfer may carry");
    assert_eq!(whys[3], "has no name that can be written in Latin letters");
    assert_eq!(whys[4], "is paid in another way");
    assert!(of("USD").left_out.iter().any(|left| left.why == Why::Currency(Format::Sepa, currency("USD"))));
}

#[test]
fn a_payer_is_needed_for_sepa_alone() {
    let lines = [line("pline_1", PaymentMethod::Bank, "DE89370400440532013000", 1)];
    let write = |format| Plan::of(format, run("EUR", &lines)).write(0, None, Time::from_ms(0)).err();
    assert_eq!(write(Format::Sepa), Some(Unwritable::NoPayer));
    assert_eq!(write(Format::Generic), None);
}

#[test]
fn sepas_letters() {
    for (typed, kept) in [
        ("Anna Müller & Söhne", "Anna Muller + Sohne"),
        ("Łukasz Żółć", "Lukasz Zolc"),
        ("Ελένη Παπαδοπούλου", "Eleni Papadopoyloy"),
        ("Наталья", "Natal'ya"),
        ("//a//b/", "a/b"),
        ("pline_0123", "pline-0123"),
        ("  a\n\tb  ", "a b"),
        ("<b>\"x\"</b>", "b x /b"),
    ] {
        assert_eq!(sepa::text(typed, 70), kept, "{typed}");
    }
    assert_eq!(sepa::text("abc def", 4), "abc");
}

const REPORTS: [Line<'static>; 4] = [
    Line {
        id: "pline_aaa",
        name: "",
        email: "",
        method: PaymentMethod::Paypal,
        details: "a@example.com",
        amount: 123_450,
        note: "",
    },
    Line { id: "pline_bbb", name: "", email: "", method: PaymentMethod::Wise, details: "", amount: 5, note: "" },
    Line { id: "pline_ccc", name: "", email: "", method: PaymentMethod::Bank, details: "", amount: 100, note: "" },
    Line { id: "pline_ddd", name: "", email: "", method: PaymentMethod::Other, details: "", amount: 100, note: "" },
];

/// Outcomes in the run's order, and problems as `row: words`.
fn told(table: &str) -> (Vec<Outcome>, Vec<String>) {
    let read = results::read(table, run("USD", &REPORTS));
    let problems = read.problems.iter().map(|problem| format!("{}: {}", problem.row, problem.why)).collect();
    (read.lines.into_iter().map(|told| told.outcome).collect(), problems)
}

fn failed(reason: &str) -> Outcome {
    Outcome::Failed(reason.into())
}

#[test]
fn reports_are_read() {
    use Outcome::{Paid, Unknown};
    // A provider's names of columns, money that went out, a line's id among other words.
    let (outcomes, problems) = told(
        "Payout report,,,,\r\n\
         Recipient,Payout Amount,Payout Currency,Customer ID,Transaction Status,Error Message\r\n\
         a@example.com,\"-1,234.50\",USD,pline_aaa,Completed,\r\n\
         b@example.com,0.05,USD,pline_bbb,RETURNED,Receiver is unconfirmed\r\n\
         c@example.com,1.00,USD,pline_ccc,Unclaimed,\r\n",
    );
    assert_eq!(outcomes, [Paid, failed("Receiver is unconfirmed"), Unknown, Unknown]);
    assert_eq!(problems, Vec::<String>::new());
    // Semicolons, decimal commas, a byte order mark, a bank's way with ids.
    let (outcomes, problems) =
        told("\u{feff}Reference;amount;Status\n\"Acme, PLINE-AAA\";1.234,50;paid\n;;\n'pline_ddd;1;bounced_back\n");
    assert_eq!(outcomes, [Paid, Unknown, Unknown, failed("bounced_back")]);
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn our_own_table_is_read_back() {
    let run = run("USD", &REPORTS);
    let table =
        String::from_utf8(Plan::of(Format::Generic, run).write(0, None, Time::from_ms(0)).unwrap().bytes).unwrap();
    assert!(results::read(&table, run).lines.iter().all(|told| told.outcome == Outcome::Unknown));
    let filled = table.replace(",,\r\n", ",paid,\r\n");
    let read = results::read(&filled, run);
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    assert!(read.lines.iter().all(|told| told.outcome == Outcome::Paid));
    assert_eq!(read.lines.iter().map(|told| told.row).collect::<Vec<_>>(), [2, 3, 4, 5]);
}

#[test]
fn only_what_is_open_is_moved() {
    use LineStatus::{Cancelled, Failed, Open, Paid};
    let (paid, came_back) = (Outcome::Paid, failed("No such account"));
    assert_eq!(paid.meaning(Open), Meaning::Paid);
    assert_eq!(came_back.meaning(Open), Meaning::Failed("No such account"));
    for (outcome, so, otherwise) in
        [(&paid, [Paid, Paid], [Failed, Cancelled]), (&came_back, [Failed, Cancelled], [Paid, Paid])]
    {
        assert_eq!(so.map(|now| outcome.meaning(now)), [Meaning::AlreadySo; 2]);
        assert_eq!(otherwise.map(|now| outcome.meaning(now)), [Meaning::Otherwise; 2]);
    }
    assert_eq!(Outcome::Unknown.meaning(Open), Meaning::Nothing);
}

#[test]
fn what_is_not_understood_changes_nothing() {
    let (outcomes, problems) = told(
        "line,amount,currency,status\n\
         pline_zzz,1.00,USD,paid\n\
         pline_aaa,1234.51,USD,paid\n\
         pline_bbb,0.05,EUR,paid\n\
         pline_ccc,1.00,USD,maybe\n\
         pline_ccc pline_ddd,1.00,USD,paid\n\
         pline_ddd,1.00,USD,paid\n\
         pline_ddd,1.00,USD,failed\n\
         pline_ddd,1.00,USD,failed\n",
    );
    assert_eq!(outcomes, vec![Outcome::Unknown; 4]);
    assert_eq!(
        problems,
        [
            "2: names no line of this payout",
            "3: says an amount of 1234.51, but the line is of 1234.50",
            "4: says the currency EUR",
            "5: says “maybe”, which is no known status",
            "6: names several lines",
            "8: says something else of a line than an earlier row",
            "9: says something else of a line than an earlier row",
        ]
    );
    assert_eq!(told("a,b\n1,2\n").1, ["1: there is no column called “status”"]);
    assert_eq!(told("").1, ["1: there is no column called “status”"]);
}

proptest! {
    #[test]
    fn files_sum_to_what_they_carry(amounts in prop::collection::vec(1_i64..10_000_000, 1..50), code in prop::sample::select(vec!["JPY", "USD", "KWD", "EUR"])) {
        let lines: Vec<_> = amounts.iter().map(|amount| line("pline_1", PaymentMethod::Wise, "anna@example.com", *amount)).collect();
        let run = run(code, &lines);
        for (format, column) in [(Format::Wise, 5), (Format::Generic, 6)] {
            let rows = cells(&written(&Plan::of(format, run), 0));
            let sum: i64 = rows[1..].iter().map(|row| run.currency.amount(&row[column]).unwrap().minor).sum();
            prop_assert_eq!(sum, amounts.iter().sum::<i64>());
        }
    }

    #[test]
    fn no_cell_is_run(name in "\\PC{0,20}", note in "[=+@\\-\\t\\r\\n ,\"'a-z]{0,12}") {
        let lines = [Line { name: &name, note: &note, ..line("pline_1", PaymentMethod::Wise, "anna@example.com", 1) }];
        for format in [Format::Wise, Format::Generic] {
            for cell in cells(&written(&Plan::of(format, run("EUR", &lines)), 0)).concat() {
                prop_assert!(!crate::domain::csv::is_formula(&cell), "{cell:?}");
            }
        }
        let lines = [Line { note: &note, ..line("pline_1", PaymentMethod::Paypal, "anna@example.com", 1) }];
        for cell in cells(&written(&Plan::of(Format::Paypal, run("EUR", &lines)), 0)).concat() {
            prop_assert!(!crate::domain::csv::is_formula(&cell), "{cell:?}");
        }
    }

    #[test]
    fn sepa_takes_any_text(typed in "\\PC{0,200}", longest in 1_usize..140) {
        let kept = sepa::text(&typed, longest);
        prop_assert!(kept.len() <= longest);
        prop_assert!(!kept.starts_with(['/', ' ']) && !kept.ends_with(['/', ' ']) && !kept.contains("//"));
        prop_assert!(kept.chars().all(|c| c.is_ascii_alphanumeric() || "/-?:().,'+ ".contains(c)));
    }

    #[test]
    fn any_report_is_read(table in "(pline_aaa|status|paid|failed|amount|[,;\"\\n\\t ]|\\PC){0,60}") {
        prop_assert_eq!(results::read(&table, run("USD", &REPORTS)).lines.len(), 4);
    }

    #[test]
    fn kept_bank_details_are_read_back(bic in "[A-Z]{4}DE[A-Z0-9]{2}([A-Z0-9]{3})?") {
        let kept = payment::details(PaymentMethod::Bank, &format!("DE89 3704 0044 0532 0130 00 {bic}")).unwrap();
        let account = Account::parse(&kept).unwrap().unwrap();
        prop_assert_eq!((account.iban(), account.bic()), ("DE89370400440532013000", Some(bic.as_str())));
    }
}
