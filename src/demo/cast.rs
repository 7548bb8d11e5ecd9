//! Who and what the demo program is about.

pub const PEOPLE: [&str; 40] = [
    "Ada Marlowe",
    "Bruno Keller",
    "Chiara Rossi",
    "Daniel Okafor",
    "Elif Demir",
    "Farid Haddad",
    "Grace Lindqvist",
    "Hugo Martin",
    "Ines Carvalho",
    "Jonas Weber",
    "Kenji Sato",
    "Lena Novak",
    "Mateo Alvarez",
    "Nadia Petrova",
    "Oscar Nyberg",
    "Priya Nair",
    "Quentin Dubois",
    "Rosa Delgado",
    "Samir Patel",
    "Tove Hansen",
    "Uma Krishnan",
    "Viktor Horvat",
    "Wanda Zielinska",
    "Xavier Costa",
    "Yara Mansour",
    "Zoe Papadaki",
    "Aaron Blake",
    "Bianca Moretti",
    "Caleb Foster",
    "Dina Aziz",
    "Emil Larsen",
    "Fiona Gallagher",
    "Gustavo Lima",
    "Hana Suzuki",
    "Ivan Kovac",
    "Julia Brandt",
    "Karim Bennani",
    "Lucia Ferrari",
    "Milan Jovanovic",
    "Nora Eklund",
];

/// Those at the end of [`PEOPLE`] who applied these days: what they do, their site, how many follow them.
pub const APPLICANTS: [(&str, &str, &str); 4] = [
    ("I post coupons.", "https://coupons.example/all", "2"),
    (
        "A slow newsletter about kitchens. Each issue has one thing that I really use.",
        "https://kitchen.example/letters",
        "4 800",
    ),
    ("I test grinders on video, one a week, and tell what I would buy.", "https://video.example/@milan", "31 000"),
    (
        "We run a café and a small roastery school; our guests ask where to buy beans for home.",
        "https://roastery.example",
        "900",
    ),
];

pub const DESCRIPTION: &str = "We roast in small batches and send the beans the same day. We look for people who make coffee at home and like to tell others how.";

pub const TERMS: &str = "1. Say that you earn from your recommendation, where people can see it.
2. Do not bid on our name in search engines, and do not order with your own link.
3. We pay once a month what is approved. What a customer returns is taken back.
4. Either of us may end this at any time; what you have earned until then is paid.";

pub const SOURCES: [&str; 5] = [
    "https://blog.example/honest-coffee-review",
    "https://video.example/watch?v=espresso-at-home",
    "https://newsletter.example/issue/42",
    "https://social.example/posts/8812",
    "https://compare.example/grinders",
];
pub const BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
];

pub const LANDINGS: [Option<&str>; 3] = [
    Some("https://acme.example/beans?utm_source=newsletter&utm_campaign=autumn&s1=footer"),
    Some("https://acme.example/?s1=video&s2=description"),
    None,
];
