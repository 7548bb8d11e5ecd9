//! A browser's form: what was filled in, and what is wrong with it, to show the same form again.

use axum::extract::{FromRequest, Request};

use super::{failure::Failure, input};
use crate::{app::App, domain::Issue, flows::Refusal};

/// Fields in the order in which the browser sent them.
#[derive(Debug, Default, Clone)]
pub struct Form {
    values: Vec<(String, String)>,
    errors: Vec<(String, String)>,
}

impl FromRequest<App> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let body = input::read(&parts.headers, body).await?;
        Ok(Self { values: form_urlencoded::parse(&body).into_owned().collect(), errors: Vec::new() })
    }
}

impl Form {
    /// A form that nobody has filled in yet.
    pub fn of(values: &[(&str, &str)]) -> Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { values, errors: Vec::new() }
    }

    /// The field's value, empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.values.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The field's value without the spaces around it, where there is anything else.
    pub fn filled(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|value| !value.is_empty())
    }

    /// Every value of a field that may come several times, such as ticked boxes.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.values.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the form has such a field at all.
    pub fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(key, _)| key == name)
    }

    pub fn is_checked(&self, name: &str) -> bool {
        !self.get(name).is_empty()
    }

    pub fn is(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|given| given == value)
    }

    /// What is wrong with the field, as a sentence that follows its label.
    pub fn error(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|(field, _)| field == name).map(|(_, issue)| issue.as_str())
    }

    pub fn errors(&self) -> &[(String, String)] {
        &self.errors
    }

    pub fn is_good(&self) -> bool {
        self.errors.is_empty()
    }

    pub fn wrong(&mut self, field: &str, issue: impl Into<String>) {
        self.errors.push((field.to_owned(), issue.into()));
    }

    /// The field as `parse` reads it; where that refuses, the form remembers why.
    pub fn read<T>(&mut self, field: &str, parse: impl FnOnce(&str) -> Result<T, Issue>) -> Option<T> {
        match parse(self.get(field).trim()) {
            Ok(value) => Some(value),
            Err(issue) => {
                self.wrong(field, issue.0);
                None
            }
        }
    }

    /// The same of a field that may be left empty.
    pub fn read_filled<T>(&mut self, field: &str, parse: impl FnOnce(&str) -> Result<T, Issue>) -> Option<T> {
        if self.filled(field).is_some() { self.read(field, parse) } else { None }
    }

    /// Takes in why a flow refused, if that is about a field; every other refusal stays one.
    ///
    /// # Errors
    /// What a form cannot mend.
    pub fn refused(&mut self, refusal: Refusal) -> Result<(), Failure> {
        match refusal {
            Refusal::Field { field, issue } => {
                self.wrong(field, issue.0);
                Ok(())
            }
            other => Err(other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_beside_what_was_filled_in() {
        let mut form = Form::of(&[("days", "x"), ("id", "1"), ("id", "2"), ("empty", "  ")]);
        let days = form.read("days", |text| text.parse::<i64>().map_err(|_| Issue::new("must be a number")));
        assert_eq!((days, form.get("days"), form.error("days")), (None, "x", Some("must be a number")));
        assert_eq!(form.all("id").collect::<Vec<_>>(), ["1", "2"]);
        assert!(form.filled("empty").is_none() && !form.is_good() && form.is("id", "2"));
    }
}
