//! Where a request comes from, whatever its headers claim.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};

use super::{failure::Failure, input, referrals::USER_AGENT_LENGTH};
use crate::app::App;

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The client's address: the other end, or, behind trusted proxies, the last address they did not add
/// themselves.
pub fn address(app: &App, headers: &HeaderMap, peer: Option<Peer>) -> Option<IpAddr> {
    let is_trusted = |ip: IpAddr| app.config.trusted_proxies.iter().any(|network| network.contains(ip));
    let mut ip = peer?.0.ip();
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    for hop in hops.into_iter().rev() {
        if !is_trusted(ip) {
            break;
        }
        match hop.parse() {
            Ok(further) => ip = further,
            Err(_) => break,
        }
    }
    Some(ip)
}

/// Who signs in from where, for throttling and for the list of sessions.
#[derive(Debug, Clone)]
pub struct Client {
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
}

impl Client {
    /// The address as it is stored.
    pub fn ip_hash(&self, app: &App) -> Option<i64> {
        self.address.map(|ip| app.secret.short_hash("ip", &ip.to_canonical().to_string()))
    }
}

impl FromRequestParts<App> for Client {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let user_agent = input::header_text(&parts.headers, "user-agent");
        Ok(Self {
            address: address(app, &parts.headers, parts.extensions.get::<Peer>().copied()),
            user_agent: input::cut(user_agent, USER_AGENT_LENGTH),
        })
    }
}
