//! Connections to payment providers: at most one of a provider in a program. Of one that was cut, the row stays:
//! it is also what the provider's events take turns by.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
use crate::domain::{id::ProgramId, providers::Provider, time::Time};

row! {
    #[derive(Clone)]
    pub struct Connection {
        pub provider: Provider,
        pub is_test: bool,
        /// Sealed; none once it is cut.
        pub secret: Option<String>,
        pub last_four: String,
        /// Sealed.
        pub previous: Option<String>,
        pub previous_until: Option<Time>,
        pub connected_at: Time,
        pub disconnected_at: Option<Time>,
    }
}

macro_rules! connections {
    ($rest:literal) => {
        concat!(
            "SELECT provider, is_test, secret, last_four, previous, previous_until, connected_at, disconnected_at
             FROM provider_connections WHERE program_id = $1 ",
            $rest
        )
    };
}

pub async fn all(tx: &mut Tx, program: ProgramId) -> Result<Vec<Connection>, Error> {
    fetch_all!(Connection, tx, connections!("ORDER BY provider"), program)
}

pub async fn of(tx: &mut Tx, program: ProgramId, provider: Provider) -> Result<Option<Connection>, Error> {
    fetch_optional!(Connection, tx, connections!("AND provider = $2"), program, provider)
}

/// Writes the connection, whether there was one or not.
pub async fn save(tx: &mut Tx, program: ProgramId, new: &Connection) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO provider_connections (program_id, provider, is_test, secret, last_four, previous, previous_until,
           connected_at, disconnected_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (program_id, provider) DO UPDATE SET is_test = excluded.is_test, secret = excluded.secret,
           last_four = excluded.last_four, previous = excluded.previous, previous_until = excluded.previous_until,
           connected_at = excluded.connected_at, disconnected_at = excluded.disconnected_at",
        program,
        new.provider,
        new.is_test,
        &new.secret,
        &new.last_four,
        &new.previous,
        new.previous_until,
        new.connected_at,
        new.disconnected_at
    )
    .map(drop)
}

/// Keeps the provider's other events waiting until the transaction ends.
pub async fn lock(tx: &mut Tx, program: ProgramId, provider: Provider) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE provider_connections SET provider = provider WHERE program_id = $1 AND provider = $2",
        program,
        provider
    )
    .map(drop)
}
