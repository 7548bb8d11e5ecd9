//! How a program takes applications.

use askama::Template;
use axum::extract::State;

use super::{caller::Configures, failure::Failure, filters, form::Form, reply::Reply, shell::Notice};
use crate::{
    app::App,
    domain::{
        application::{DESCRIPTION_LENGTH, MOST_QUESTIONS, Question, Settings, TERMS_LENGTH},
        email::Email,
        text,
    },
    flows::applications,
    store,
};

#[derive(Template)]
#[template(path = "settings/applications.html")]
struct Page {
    slug: String,
    public: String,
    terms_version: i64,
    has_terms: bool,
    form: Form,
    /// How many questions there is room for: those there are and two more.
    rows: usize,
}

impl Page {
    fn new(app: &App, me: &Configures, settings: &Settings, form: Form) -> Self {
        let asked = (1..=MOST_QUESTIONS).rev().find(|row| form.filled(&format!("question_{row}")).is_some());
        Self {
            slug: me.program.slug.clone(),
            public: format!("{}p/{}", app.config.base_url, me.program.slug),
            terms_version: settings.terms_version,
            has_terms: settings.has_terms(),
            form,
            rows: (asked.unwrap_or(0) + 2).min(MOST_QUESTIONS),
        }
    }

    /// The names of a question's three fields.
    fn fields(row: usize) -> [String; 3] {
        ["question", "length", "required"].map(|part| format!("{part}_{row}"))
    }
}

fn filled(settings: &Settings) -> Form {
    let contact = settings.contact.as_ref().map_or("", Email::as_str);
    let mut values = vec![
        ("open".to_owned(), if settings.is_open { "yes" } else { "" }.to_owned()),
        ("review".to_owned(), if settings.needs_review { "review" } else { "automatic" }.to_owned()),
        ("description".to_owned(), settings.description.clone()),
        ("contact".to_owned(), contact.to_owned()),
        ("terms".to_owned(), settings.terms.clone()),
    ];
    for (place, question) in settings.questions.iter().enumerate() {
        let [label, length, required] = Page::fields(place + 1);
        values.push((label, question.label.clone()));
        values.push((length, if question.is_long { "long" } else { "short" }.to_owned()));
        values.push((required, if question.is_required { "yes" } else { "" }.to_owned()));
    }
    let values: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Form::of(&values)
}

/// `GET /m/{program}/settings/applications`
pub async fn show(me: Configures, State(app): State<App>) -> Result<Reply, Failure> {
    let settings = store::applications::settings(&mut *app.db.read().await?, me.program.id).await?;
    let form = filled(&settings);
    Ok(Reply::page(Page::new(&app, &me, &settings, form)))
}

/// `POST /m/{program}/settings/applications`
pub async fn save(me: Configures, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    let before = store::applications::settings(&mut *app.db.read().await?, me.program.id).await?;
    let Some(after) = read(&before, &mut form) else {
        return Ok(Reply::invalid(Page::new(&app, &me, &before, form)));
    };
    let told = if after.terms == before.terms {
        "Saved.".to_owned()
    } else {
        format!(
            "Saved. The terms are version {} now; who has agreed to earlier ones keeps them.",
            before.terms_version + 1
        )
    };
    let act = me.act(&app);
    app.db
        .write(move |tx| Box::pin(async move { applications::change_settings(tx, &act, &after).await }))
        .await
        .map_err(Failure::from)?;
    Ok(Reply::done(format!("/m/{}/settings/applications", me.program.slug), Notice::done(told)))
}

fn read(before: &Settings, form: &mut Form) -> Option<Settings> {
    let words = |longest: usize| {
        move |text: &str| {
            // A browser sends every line's end as two characters.
            let text = text.replace("\r\n", "\n");
            text::bounded(&text, 0, longest).map(|()| text)
        }
    };
    let description = form.read("description", words(DESCRIPTION_LENGTH));
    let contact = form.read_filled("contact", Email::parse);
    let terms = form.read("terms", words(TERMS_LENGTH));
    let mut questions = Vec::new();
    for row in 1..=MOST_QUESTIONS {
        let [label, length, required] = Page::fields(row);
        let (is_long, is_required) = (form.is(&length, "long"), form.is_checked(&required));
        questions.extend(form.read_filled(&label, |text| Question::new(text, is_long, is_required)));
    }
    if !form.is_good() {
        return None;
    }
    Some(Settings {
        is_open: form.is_checked("open"),
        needs_review: !form.is("review", "automatic"),
        description: description?,
        contact,
        questions,
        terms: terms?,
        terms_version: before.terms_version,
    })
}
