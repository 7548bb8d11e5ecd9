//! Who follows links without being a visitor: crawlers, link previews, monitors. They call themselves by a name,
//! and `crawlers.txt` is the list of those names, kept by others (see its first lines).

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex_automata::meta::Regex;

struct Names {
    /// Nearly all of them are plain words, looked for in one go.
    words: AhoCorasick,
    patterns: Regex,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let (mut words, mut patterns) = (Vec::new(), Vec::new());
    for pattern in include_str!("crawlers.txt").lines().filter(|line| !line.starts_with('#')) {
        match word(pattern) {
            Some(word) => words.push(word),
            None => patterns.push(pattern),
        }
    }
    Names {
        words: AhoCorasick::new(words).expect("the list is of a size that fits"),
        patterns: Regex::new_many(&patterns).expect("the list holds regular expressions"),
    }
});

/// The text that the expression stands for, if it is for a single one.
fn word(pattern: &str) -> Option<String> {
    let mut word = String::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => word.push(chars.next().filter(|escaped| !escaped.is_alphanumeric())?),
            '^' | '$' | '.' | '|' | '?' | '*' | '+' | '(' | ')' | '[' | ']' | '{' | '}' => return None,
            plain => word.push(plain),
        }
    }
    Some(word)
}

/// Whether it says of itself that it is one.
pub fn is_crawler(user_agent: &str) -> bool {
    NAMES.words.is_match(user_agent) || NAMES.patterns.is_match(user_agent)
}

/// Whether it says of itself that a person looks through it: every browser since 1993 has said so.
pub fn is_browser(user_agent: &str) -> bool {
    user_agent.starts_with("Mozilla/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawlers_and_previews_are_known_by_name() {
        for name in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "Twitterbot/1.0",
            "WhatsApp/2.23.20.0",
            "TelegramBot (like TwitterBot)",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
            "LinkedInBot/1.0 (compatible; Mozilla/5.0; Jakarta Commons-HttpClient/3.1 +http://www.linkedin.com)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36",
        ] {
            assert!(is_crawler(name), "{name}");
        }
    }

    #[test]
    fn people_and_their_programs_are_not() {
        for name in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 380.0.0.28.104",
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "Mozilla/5.0 (Linux; Android 15; SM-S931B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36",
        ] {
            assert!(!is_crawler(name) && is_browser(name), "{name}");
        }
        for name in ["curl/8.9.1", "python-requests/2.32", ""] {
            assert!(!is_crawler(name) && !is_browser(name), "{name}");
        }
    }

    #[test]
    fn only_what_stands_for_one_text_is_a_word() {
        assert_eq!(word("Googlebot\\/").as_deref(), Some("Googlebot/"));
        assert_eq!(word("^curl"), None);
        assert_eq!(word("a\\d"), None);
        assert_eq!(word("[pP]ingdom"), None);
    }
}
