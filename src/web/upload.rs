//! A browser's form with a file in it (RFC 7578): its fields as a form's, and the one file.

use std::convert::Infallible;

use axum::{
    extract::{FromRequest, Request},
    http::header,
};
use bytes::Bytes;
use futures_util::stream;
use multer::Multipart;

use super::{
    failure::Failure,
    form::Form,
    guard::{Room, TooLarge},
    input,
};
use crate::{app::App, domain::imports::MOST_BYTES};

/// The form around a file is small.
pub const LIMIT: usize = MOST_BYTES + 64 * 1024;

/// Whether a file is sent to that address, which is larger than other bodies.
pub fn takes_files(path: &str) -> bool {
    let ends = ["/affiliates/import", "/sales/import", "/results"];
    path.starts_with("/m/") && ends.iter().any(|end| path.ends_with(end))
}

#[derive(Debug)]
pub struct Upload {
    pub form: Form,
    /// The first file that is not empty.
    pub file: Option<Vec<u8>>,
    /// How it is called where it came from.
    pub file_name: Option<String>,
}

impl FromRequest<App> for Upload {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let kind = input::header_text(&parts.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
        let limit = parts.extensions.get().map_or(input::BODY_LIMIT, |Room(limit)| *limit);
        let body = input::read_up_to(limit, &parts.headers, body).await?;
        let Ok(boundary) = multer::parse_boundary(kind) else {
            let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
            return Ok(Self { form: filled(&fields), file: None, file_name: None });
        };
        read(body, boundary).await.map_err(|_| Failure::invalid("The form cannot be read"))
    }
}

/// The same where a file may be larger than other bodies. `None` where it is larger still.
pub struct Large(pub Option<Upload>);

impl FromRequest<App> for Large {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        if request.extensions().get::<TooLarge>().is_some() {
            return Ok(Self(None));
        }
        Upload::from_request(request, app).await.map(Some).map(Self)
    }
}

fn filled(fields: &[(String, String)]) -> Form {
    Form::of(&fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

async fn read(body: Bytes, boundary: String) -> Result<Upload, multer::Error> {
    let whole = stream::once(async { Ok::<_, Infallible>(body) });
    let mut parts = Multipart::new(whole, boundary);
    let (mut fields, mut file, mut file_name) = (Vec::new(), None, None);
    while let Some(part) = parts.next_field().await? {
        let name = part.name().unwrap_or_default().to_owned();
        if let Some(called) = part.file_name().map(str::to_owned) {
            let content = part.bytes().await?;
            if file.is_none() && !content.is_empty() {
                (file, file_name) = (Some(content.to_vec()), Some(called));
            }
        } else {
            fields.push((name, part.text().await?));
        }
    }
    Ok(Upload { form: filled(&fields), file, file_name })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Upload, read};

    async fn read_in(body: &'static [u8]) -> Result<Upload, multer::Error> {
        read(Bytes::from_static(body), "x".into()).await
    }

    #[tokio::test]
    async fn fields_and_a_file_are_read() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xc3\xa4 b\r\n--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x89P\r\n\r\n--\r\n--x--\r\n";
        let read = read_in(body).await.unwrap();
        assert_eq!((read.form.get("a"), read.file.unwrap().as_slice()), ("ä b", b"\x89P\r\n\r\n--".as_slice()));
    }

    #[tokio::test]
    async fn what_breaks_off_is_no_form() {
        for body in [b"".as_slice(), b"--x", b"--x\r\n", b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb"]
        {
            assert!(read_in(body).await.is_err());
        }
    }
}
