//! A browser's form with a file in it (RFC 7578): its fields as a form's, and the one file.

use axum::{
    extract::{FromRequest, Request},
    http::header,
};

use super::{failure::Failure, form::Form, input};
use crate::app::App;

#[derive(Debug)]
pub struct Upload {
    pub form: Form,
    /// The first file that is not empty.
    pub file: Option<Vec<u8>>,
}

impl FromRequest<App> for Upload {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let kind = input::header_text(&parts.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
        let body = input::read(&parts.headers, body).await?;
        let Some((_, boundary)) = kind.split_once("boundary=") else {
            let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
            return Ok(Self { form: filled(&fields), file: None });
        };
        let boundary = boundary.split(';').next().unwrap_or_default().trim_matches('"');
        read(&body, boundary).ok_or_else(|| Failure::invalid("The form cannot be read"))
    }
}

fn filled(fields: &[(String, String)]) -> Form {
    Form::of(&fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

/// Where the bytes are found.
fn find(within: &[u8], bytes: &[u8]) -> Option<usize> {
    within.windows(bytes.len()).position(|window| window == bytes)
}

fn read(body: &[u8], boundary: &str) -> Option<Upload> {
    if boundary.is_empty() {
        return None;
    }
    let (opening, between) = (format!("--{boundary}"), format!("\r\n--{boundary}"));
    let mut rest = &body[find(body, opening.as_bytes())? + opening.len()..];
    let (mut fields, mut file) = (Vec::new(), None);
    // Two dashes end it.
    while !rest.starts_with(b"--") {
        rest = rest.strip_prefix(b"\r\n")?;
        let end = find(rest, between.as_bytes())?;
        let (part, after) = (&rest[..end], &rest[end + between.len()..]);
        let head_end = find(part, b"\r\n\r\n")?;
        let (head, content) = (std::str::from_utf8(&part[..head_end]).ok()?, &part[head_end + 4..]);
        let name = head.split_once("; name=\"")?.1.split('"').next()?;
        if head.contains("; filename=\"") {
            file = file.or_else(|| (!content.is_empty()).then(|| content.to_vec()));
        } else {
            fields.push((name.to_owned(), String::from_utf8_lossy(content).into_owned()));
        }
        rest = after;
    }
    Some(Upload { form: filled(&fields), file })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn fields_and_a_file_are_read() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xc3\xa4 b\r\n--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x89P\r\n\r\n--\r\n--x--\r\n";
        let read_in = read(body, "x").unwrap();
        assert_eq!((read_in.form.get("a"), read_in.file.unwrap().as_slice()), ("ä b", b"\x89P\r\n\r\n--".as_slice()));
    }

    #[test]
    fn what_breaks_off_is_no_form() {
        for body in [b"".as_slice(), b"--x", b"--x\r\n", b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb"]
        {
            assert!(read(body, "x").is_none());
        }
        assert!(read(b"--\r\n", "").is_none());
    }
}
