//! The cookie that a followed link leaves: the click's id, under a name of the program's own, for as long as a
//! sale can be credited by it.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::{
    app::App,
    domain::{id::ClickId, program::Program},
};

fn name(app: &App, program: &Program) -> String {
    let prefix = if app.config.is_https() { "__Host-" } else { "" };
    format!("{prefix}offshoot_{}", program.slug)
}

/// For how many seconds more a sale can be credited by the click.
pub fn seconds_left(app: &App, program: &Program, click: ClickId) -> i64 {
    let end = click.time().plus_days(program.attribution_days);
    (end.ms() - app.clock.now().ms()).max(0).cast_unsigned().div_ceil(1_000).cast_signed()
}

/// `is_foreign`: asked for by a page of another site, which a browser grants over https only, and with no more
/// than a jar of that site's own.
pub fn set(app: &App, program: &Program, click: ClickId, is_foreign: bool) -> Option<HeaderValue> {
    written(app, program, &click.to_string(), seconds_left(app, program, click), is_foreign)
}

/// Takes it away.
pub fn clear(app: &App, program: &Program, is_foreign: bool) -> Option<HeaderValue> {
    written(app, program, "", 0, is_foreign)
}

fn written(app: &App, program: &Program, value: &str, seconds: i64, is_foreign: bool) -> Option<HeaderValue> {
    let name = name(app, program);
    let reach = match (app.config.is_https(), is_foreign) {
        (true, true) => "SameSite=None; Secure; Partitioned",
        (true, false) => "SameSite=Lax; Secure",
        (false, _) => "SameSite=Lax",
    };
    HeaderValue::try_from(format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; {reach}")).ok()
}

/// The click that the browser brings back, if it is one; whose it is remains to be seen.
pub fn read(app: &App, program: &Program, headers: &HeaderMap) -> Option<ClickId> {
    let name = name(app, program);
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    ClickId::parse(value).ok().filter(|click| click.raw() > 0)
}
