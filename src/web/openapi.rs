//! The OpenAPI 3.1 document. Paths and answers are written on the handlers; here is what they share.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    IntoParams, IntoResponses, Modify, OpenApi, ToSchema,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::failure::{Code, Details};
use crate::{
    app::App,
    domain::{
        affiliate::{PaymentMethod, Status},
        commission,
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Offshoot API",
        description = "Affiliates, clicks, conversions and commissions of one program. Authenticate with `Authorization: Bearer YOUR_API_KEY`."
    ),
    servers((url = "/v1")),
    security(("key" = [])),
    modifiers(&Key),
    // What only the shared error responses name is not found by the routes.
    components(schemas(ErrorEnvelope)),
    tags(
        (name = "Affiliates", description = "Who earns"),
        (name = "Referrals", description = "Clicks and conversions as they happen"),
        (name = "Commissions", description = "What was earned, and its decisions"),
        (name = "Conversions", description = "Sales, their evidence and their refunds"),
        (name = "Coupons", description = "Codes of your shop that credit affiliates without a click"),
        (name = "Payouts", description = "What is paid, to whom, and how it went"),
        (name = "Program", description = "The program's settings and this document")
    )
)]
pub struct Document;

struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// Get this document. Needs no key.
#[utoipa::path(get, operation_id = "getOpenapi", path = "/openapi.json", tag = "Program", security(()), responses((status = 200, description = "This document", body = Object, content_type = "application/json")))]
pub async fn show(State(_): State<App>) -> Response {
    let mut response = super::document_json().clone().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[derive(Serialize, ToSchema)]
pub struct Envelope<T> {
    #[schema(example = true)]
    success: bool,
    data: T,
}

#[derive(Serialize, ToSchema)]
pub struct ErrorEnvelope {
    #[schema(example = false)]
    success: bool,
    error: Error,
}

#[derive(Serialize, ToSchema)]
struct Error {
    code: Code,
    message: String,
    /// Left out when there is no field to name.
    #[schema(nullable = false)]
    details: Option<Details>,
}

#[derive(IntoResponses)]
pub enum Errors {
    #[response(status = 400, description = "invalid_request: something sent is not valid; `details` names it")]
    Invalid(ErrorEnvelope),
    #[response(status = 401, description = "authentication_error: no valid key")]
    Unauthenticated(ErrorEnvelope),
    #[response(status = 403, description = "permission_denied: the key's scope is too small")]
    Forbidden(ErrorEnvelope),
    #[response(status = 404, description = "resource_not_found")]
    NotFound(ErrorEnvelope),
    #[response(status = 413, description = "invalid_request: the body is larger than 256 KiB")]
    TooLarge(ErrorEnvelope),
    #[response(status = 415, description = "invalid_request: the body is not application/json")]
    NotJson(ErrorEnvelope),
    #[response(status = 429, description = "rate_limit_exceeded: see Retry-After")]
    Limited(ErrorEnvelope),
    #[response(status = 500, description = "server_error: the message names the request")]
    Internal(ErrorEnvelope),
    #[response(status = 503, description = "server_error: the database is not available; see Retry-After")]
    Unavailable(ErrorEnvelope),
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described: web::input reads it")]
pub struct Window {
    /// How many to answer; more than 100 is taken as 100.
    #[param(minimum = 1, default = 20)]
    limit: Option<i64>,
    /// How many to skip.
    #[param(minimum = 0, default = 0)]
    offset: Option<i64>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described: web::once reads it")]
pub struct IdempotencyKey {
    /// The first successful answer to a key is given again for 24 hours.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

macro_rules! bodies {
    ($($(#[$meta:meta])* struct $name:ident { $($fields:tt)* })*) => { $(
        #[derive(ToSchema)]
        #[schema(rename_all = "camelCase")]
        $(#[$meta])*
        #[expect(dead_code, reason = "only described: the handlers read bodies strictly, field by field")]
        pub struct $name { $($fields)* }
    )* };
}

bodies! {
    #[schema(as = NewAffiliateBody)]
    struct NewAffiliate {
        #[schema(example = "affiliate@example.com", max_length = 254)]
        email: String,
        #[schema(example = "John Doe", min_length = 1, max_length = 200)]
        name: String,
        /// Made from the name when left out.
        #[schema(example = "JOHNDOE10", pattern = "^[A-Za-z0-9_-]{3,32}$")]
        referral_code: Option<String>,
        /// At most 50 keys and 10240 bytes.
        #[schema(value_type = Option<Object>)]
        custom_fields: Option<()>,
    }

    #[schema(as = EditAffiliateBody)]
    struct EditAffiliate {
        #[schema(max_length = 254, nullable = false)]
        email: Option<String>,
        #[schema(min_length = 1, max_length = 200, nullable = false)]
        name: Option<String>,
        #[schema(nullable = false)]
        status: Option<Status>,
        #[schema(pattern = "^[A-Za-z0-9_-]{3,32}$", nullable = false)]
        referral_code: Option<String>,
        payment_method: Option<PaymentMethod>,
        #[schema(min_length = 1, max_length = 500)]
        payment_details: Option<String>,
        #[schema(value_type = Option<Object>)]
        custom_fields: Option<()>,
    }

    #[schema(as = TrackBody)]
    struct Track {
        #[schema(example = "JOHNDOE10")]
        referral_code: String,
        /// Cut at 2048 characters.
        source_url: Option<String>,
        /// Cut at 512 characters.
        user_agent: Option<String>,
        /// Kept as a keyed hash only.
        ip_address: Option<String>,
    }

    /// Either `clickId` or `referralCode` is required. Where both are sent and disagree, the click wins.
    #[schema(as = ConvertBody)]
    struct Convert {
        #[schema(example = "click_abcdef12345")]
        click_id: Option<String>,
        #[schema(example = "JOHNDOE10")]
        referral_code: Option<String>,
        /// In the program's currency, with no more decimals than it has.
        #[schema(example = 99.99, minimum = 0)]
        amount: f64,
        /// Unique in the program: the same order again is not recorded twice.
        #[schema(example = "order_123456", min_length = 1, max_length = 255)]
        order_id: Option<String>,
        /// A coupon of your shop; one that is no affiliate's is ignored.
        #[schema(example = "SUMMER10")]
        coupon_code: Option<String>,
        /// The renewal of something bought before.
        renewal: Option<bool>,
        /// `id` or else `email` tell one customer from another; a known one is credited to who brought them when
        /// nothing else came with the sale.
        #[schema(value_type = Option<Object>)]
        customer: Option<()>,
        #[schema(value_type = Option<Vec<Object>>)]
        products: Option<()>,
    }

    #[schema(as = NewCouponBody)]
    struct NewCoupon {
        #[schema(example = "aff_123456")]
        affiliate_id: String,
        #[schema(example = "SUMMER10", min_length = 3, max_length = 32)]
        code: String,
    }

    #[schema(as = CouponStatusBody)]
    struct CouponStatus {
        /// active or archived.
        status: Option<String>,
    }

    #[schema(as = NewStatusBody)]
    struct NewStatus {
        /// approved, paid or rejected.
        status: commission::Status,
        /// Shown to the affiliate.
        #[schema(max_length = 500)]
        reason: Option<String>,
    }

    #[schema(as = NewStatusesBody)]
    struct NewStatuses {
        #[schema(min_items = 1, max_items = 100)]
        ids: Vec<String>,
        /// approved, paid or rejected.
        status: commission::Status,
        #[schema(max_length = 500)]
        reason: Option<String>,
    }

    #[schema(as = NewPayoutBody)]
    struct NewPayout {
        /// A day that has begun: what was payable by its end. Now when left out.
        #[schema(example = "2026-03-31")]
        until: Option<String>,
        /// paypal, wise, bank or other: only those who are paid this way.
        method: Option<String>,
        /// Only these.
        #[schema(max_items = 1000)]
        affiliate_ids: Option<Vec<String>>,
    }

    #[schema(as = NewPayoutStatusBody)]
    struct NewPayoutStatus {
        /// paid, failed or cancelled.
        status: String,
        /// Shown to the affiliate.
        #[schema(max_length = 500)]
        reason: Option<String>,
    }

    #[schema(as = NewAdjustmentBody)]
    struct NewAdjustment {
        /// Negative to take off.
        #[schema(example = -12.50)]
        amount: f64,
        /// Shown to the affiliate.
        #[schema(min_length = 1, max_length = 500)]
        reason: String,
    }

    #[schema(as = NewRefundBody)]
    struct NewRefund {
        /// All that is left when left out.
        amount: Option<f64>,
        /// Your own id of the refund: the same again is not recorded twice.
        #[schema(min_length = 1, max_length = 255)]
        refund_id: Option<String>,
        #[schema(max_length = 500)]
        reason: Option<String>,
    }
}
