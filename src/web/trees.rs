//! Where a request goes: `/v1`, affiliates' links, or everything else.
//!
//! What is asked for by the thousand, `/v1` and links, passes one router and no layer. A layer around axum's routes
//! boxes a future and copies the request once more for each of them, a fifth of what such a request costs.

use std::{convert::Infallible, future::ready};

use axum::{
    Router,
    body::Body,
    extract::{OriginalUri, Request, State},
    http::{
        HeaderValue, Uri, header,
        uri::{Parts, PathAndQuery},
    },
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use hyper::body::Body as _;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::{CompressionLevel, compression::CompressionLayer};

use super::{api, failure::Failure, guard, json, links, portal, public};
use crate::app::App;

const API: &str = "/v1";
/// An answer of so many bytes fits into a packet, and takes longer to compress than to send.
const SMALL: u64 = 1_024;

/// Everything that is served.
#[derive(Clone)]
pub struct Trees {
    app: App,
    /// Its routes are those below [`API`].
    api: Router,
    links: Router,
    rest: Router,
}

impl Trees {
    pub fn new(app: App) -> Self {
        let api = Router::from(api())
            .fallback(async || Failure::no_route())
            .method_not_allowed_fallback(async || Failure::wrong_method());
        let public = public().layer(from_fn_with_state(app.clone(), plain));
        Self {
            api: api.with_state(app.clone()),
            links: links().with_state(app.clone()),
            rest: public.merge(portal(&app)).with_state(app.clone()),
            app,
        }
    }

    pub async fn answer(&self, mut request: Request) -> Response {
        let uri = request.uri();
        if let Some(below) = below_api(uri) {
            let whole = std::mem::replace(request.uri_mut(), below);
            request.extensions_mut().insert(OriginalUri(whole));
            return self.api(request).await;
        }
        if is_link(uri.path()) {
            return guard::front(&self.app, request, |request| routed(&self.links, request)).await;
        }
        routed(&self.rest, request).await
    }

    async fn api(&self, request: Request) -> Response {
        let accepted: Vec<HeaderValue> = request.headers().get_all(header::ACCEPT_ENCODING).iter().cloned().collect();
        let response = json::front(&self.app, request, |request| routed(&self.api, request)).await;
        let is_small = response.body().size_hint().upper().is_some_and(|length| length <= SMALL);
        if is_small || accepted.is_empty() { response } else { Box::pin(compressed(response, accepted)).await }
    }
}

/// The answer in a form that its reader accepts, made as quickly as may be.
async fn compressed(response: Response, accepted: Vec<HeaderValue>) -> Response {
    let mut asked = Request::default();
    for value in accepted {
        asked.headers_mut().append(header::ACCEPT_ENCODING, value);
    }
    let mut response = Some(response);
    let given = service_fn(move |_: Request| ready(Ok::<_, Infallible>(response.take().unwrap_or_default())));
    let Ok(response) = CompressionLayer::new().quality(CompressionLevel::Fastest).layer(given).oneshot(asked).await;
    response.map(Body::new)
}

async fn routed(router: &Router, request: Request) -> Response {
    let Ok(response) = router.clone().oneshot(request).await;
    response
}

/// The guards of addresses outside both trees, as a layer.
async fn plain(State(app): State<App>, request: Request, next: Next) -> Response {
    guard::front(&app, request, |request| next.run(request)).await
}

/// The address as `/v1`'s own routes name it, if it is one of theirs.
fn below_api(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_prefix(API)?;
    if !path.is_empty() && !path.starts_with('/') {
        return None;
    }
    let mut below = if path.is_empty() { String::from("/") } else { path.to_owned() };
    if let Some(query) = uri.query() {
        below.push('?');
        below.push_str(query);
    }
    let mut parts = Parts::default();
    parts.path_and_query = Some(PathAndQuery::try_from(below).ok()?);
    Uri::from_parts(parts).ok()
}

/// Whether it is one of [`links`]'s.
fn is_link(path: &str) -> bool {
    let mut below = path.strip_prefix("/r/").unwrap_or_default().split('/');
    let has = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
    has(below.next()) && has(below.next()) && below.next().is_none()
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::Body,
        http::{Request, StatusCode, header},
        middleware::from_fn_with_state,
        routing::get,
    };
    use http_body_util::BodyExt as _;

    use super::{
        super::{html, sessions},
        Trees, below_api, is_link, plain,
    };
    use crate::{
        app::App,
        clock::Clock,
        config::{Config, Given},
        domain::time::Time,
        secret::SecretKey,
    };

    const PLAIN: &str = "text/plain; charset=utf-8";

    async fn app(folder: &std::path::Path) -> App {
        let database_url = format!("sqlite://{}", folder.join("offshoot.db").display());
        let given = Given { listen: "127.0.0.1:0".into(), database_url };
        let config = Config::read(&given, |_| None).unwrap();
        App::open(config, SecretKey::new([7; 32]), Clock::set_to(Time::from_ms(1_772_366_400_000))).await.unwrap()
    }

    async fn panics() -> StatusCode {
        panic!("a secret of the handler's")
    }

    /// Behind each tree's own layers, as the real routes are.
    #[tokio::test]
    async fn a_panic_is_answered_in_the_form_of_its_tree_and_tells_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path()).await;
        let portal = Router::new()
            .route("/page", get(panics))
            .layer(from_fn_with_state(app.clone(), html::front))
            .layer(sessions::layer(&app));
        let public = Router::new().route("/file", get(panics)).layer(from_fn_with_state(app.clone(), plain));
        let trees = Trees {
            // Where no key is needed, so that the request gets as far as the handler.
            api: Router::new().route("/openapi.json", get(panics)),
            links: Router::new().route("/r/{program}/{code}", get(panics)),
            rest: public.merge(portal).with_state(app.clone()),
            app,
        };

        for (path, kind) in [
            ("/v1/openapi.json", "application/json"),
            ("/page", "text/html; charset=utf-8"),
            ("/file", PLAIN),
            ("/r/a/b", PLAIN),
        ] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = trees.answer(request).await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            let text = |name: &str| {
                response.headers().get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
            };
            let (id, told) = (text("x-request-id"), text(header::CONTENT_TYPE.as_str()));
            assert!(told == kind, "{path}: {told}");
            assert_eq!(text("x-content-type-options"), "nosniff", "{path}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8_lossy(&body).into_owned();
            assert!(id.starts_with("req_") && body.contains(&id), "{path} names the request: {body}");
            assert!(!body.contains("secret"), "{path}: {body}");
            if kind == "application/json" {
                let json: serde_json::Value = serde_json::from_str(&body).unwrap();
                assert_eq!((&json["success"], &json["error"]["code"]), (&false.into(), &"server_error".into()));
            }
        }
    }

    #[test]
    fn an_address_is_of_one_tree() {
        let below = |address: &str| below_api(&address.parse().unwrap()).map(|uri| uri.to_string());
        for (address, expected) in [
            ("/v1", "/"),
            ("/v1/", "/"),
            ("/v1?a=b", "/?a=b"),
            ("/v1/affiliates?limit=2&q=%20/v1", "/affiliates?limit=2&q=%20/v1"),
            ("http://host/v1/program", "/program"),
        ] {
            assert_eq!(below(address).as_deref(), Some(expected), "{address}");
        }
        for address in ["/", "/v10", "/v1x/affiliates", "/V1/affiliates", "/m/v1/", "*"] {
            assert_eq!(below(address), None, "{address}");
        }
        assert!(is_link("/r/acme/ANNA") && is_link("/r/%20/%"));
        for path in ["/r", "/r/", "/r/acme", "/r/acme/", "/r//ANNA", "/r/acme/ANNA/", "/r/acme/ANNA/x", "/m/r/acme", ""]
        {
            assert!(!is_link(path), "{path}");
        }
    }
}
