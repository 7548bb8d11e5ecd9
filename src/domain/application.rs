//! What a program asks of people who want to become its affiliates, and what they answer.

use serde::{Deserialize, Serialize};

use super::{Issue, email::Email, program, text};

/// More than this nobody answers.
pub const MOST_QUESTIONS: usize = 7;
pub const DESCRIPTION_LENGTH: usize = 500;
pub const TERMS_LENGTH: usize = 20_000;
const LABEL_LENGTH: usize = 200;
const SHORT_ANSWER: usize = 200;
const LONG_ANSWER: usize = 2_000;
/// A person takes longer than this to fill in the form, and less than a day.
pub const LEAST_SECONDS: i64 = 3;
pub const MOST_SECONDS: i64 = 24 * 3_600;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub label: String,
    pub is_long: bool,
    pub is_required: bool,
}

/// A question as it was asked, and what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub question: String,
    pub answer: String,
}

/// How a program takes applications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub is_open: bool,
    /// Somebody decides about each; else whoever confirms their address is in.
    pub needs_review: bool,
    /// For the public page; may be empty.
    pub description: String,
    /// Whom affiliates write to.
    pub contact: Option<Email>,
    pub questions: Vec<Question>,
    /// In force; empty is none.
    pub terms: String,
    /// Of the terms in force, or last in force: 0 before the first.
    pub terms_version: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            is_open: true,
            needs_review: true,
            description: String::new(),
            contact: None,
            questions: Vec::new(),
            terms: String::new(),
            terms_version: 0,
        }
    }
}

impl Settings {
    pub fn has_terms(&self) -> bool {
        !self.terms.trim().is_empty()
    }

    /// The version that an applicant agrees to: 0 where there are no terms.
    pub fn agreed_version(&self) -> i64 {
        if self.has_terms() { self.terms_version } else { 0 }
    }

    /// For the audit log. Of the terms only the version: each stays readable.
    pub fn in_words(&self) -> String {
        let questions: Vec<String> = self.questions.iter().map(Question::in_words).collect();
        format!(
            "{}, {}, description “{}”, contact {}, questions: {}, terms version {}",
            if self.is_open { "open" } else { "closed" },
            if self.needs_review { "reviewed" } else { "approved automatically" },
            self.description,
            self.contact.as_ref().map_or("none", Email::as_str),
            if questions.is_empty() { "none".to_owned() } else { questions.join("; ") },
            self.agreed_version(),
        )
    }
}

impl Question {
    /// # Errors
    /// An empty label or one that is too long.
    pub fn new(label: &str, is_long: bool, is_required: bool) -> Result<Self, Issue> {
        text::bounded(label, 1, LABEL_LENGTH)?;
        Ok(Self { label: label.to_owned(), is_long, is_required })
    }

    pub const fn longest(&self) -> usize {
        if self.is_long { LONG_ANSWER } else { SHORT_ANSWER }
    }

    /// # Errors
    /// Nothing where something must be said, or too much.
    pub fn answer(&self, said: &str) -> Result<Answer, Issue> {
        // A browser sends every line's end as two characters.
        let said = said.replace("\r\n", "\n");
        if said.is_empty() && self.is_required {
            return Err(Issue::new("must be answered"));
        }
        text::bounded(&said, 0, self.longest())?;
        Ok(Answer { question: self.label.clone(), answer: said })
    }

    fn in_words(&self) -> String {
        let length = if self.is_long { "long" } else { "short" };
        format!("{} ({length}{})", self.label, if self.is_required { ", required" } else { "" })
    }
}

/// The address of somebody's site or profile; `https://` may be left out.
///
/// # Errors
/// When it is no address on the web.
pub fn website(text: &str) -> Result<String, Issue> {
    text::bounded(text, 1, 500)?;
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let issue = || Issue::new("must be the address of a page, such as example.com/me");
    let url = program::landing_url(&whole).map_err(|_| issue())?;
    // One word is a typing mistake rather than a site.
    if url.host_str().is_some_and(|host| host.contains('.')) { Ok(url.into()) } else { Err(issue()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_website_is_an_address_on_the_web() {
        assert_eq!(website("example.com/me").unwrap(), "https://example.com/me");
        assert_eq!(website("http://example.com").unwrap(), "http://example.com/");
        for text in
            ["javascript:alert(1)", "me", "data:text/html,x", "ftp://a.example", "https://u:p@a.example", "a b.c"]
        {
            assert!(website(text).is_err(), "{text}");
        }
    }

    #[test]
    fn answers_keep_to_their_question() {
        let question = Question::new("How?", false, true).unwrap();
        assert!(question.answer("").is_err() && question.answer(&"x".repeat(201)).is_err());
        assert_eq!(question.answer("a\r\nb").unwrap().answer, "a\nb");
        assert!(Question::new("How?", true, false).unwrap().answer("").is_ok());
        assert!(Question::new("", true, false).is_err());
    }

    #[test]
    fn terms_that_are_empty_are_none() {
        let none = Settings { terms: " \n".into(), terms_version: 3, ..Settings::default() };
        assert_eq!(none.agreed_version(), 0);
        assert_eq!(Settings { terms: "Be kind.".into(), ..none }.agreed_version(), 3);
    }
}
