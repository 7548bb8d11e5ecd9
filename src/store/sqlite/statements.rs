//! Statements on one connection: prepared once, their values bound by number.

use rusqlite::{Connection, ToSql};

use super::super::Error;

/// What a row of SQLite's can be read into.
pub trait FromLite: Sized {
    fn from_lite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self>;
}

macro_rules! tuples {
    ($($name:ident $index:tt),*) => {
        impl<$($name: rusqlite::types::FromSql),*> FromLite for ($($name,)*) {
            fn from_lite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                Ok(($(row.get::<_, $name>($index)?,)*))
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);

/// The text with `?1` for `$1`.
pub const fn numbered<const LENGTH: usize>(sql: &str) -> [u8; LENGTH] {
    let (sql, mut out, mut at) = (sql.as_bytes(), [0; LENGTH], 0);
    while at < LENGTH {
        let is_place = sql[at] == b'$' && at + 1 < LENGTH && sql[at + 1].is_ascii_digit();
        out[at] = if is_place { b'?' } else { sql[at] };
        at += 1;
    }
    out
}

fn bind(statement: &mut rusqlite::CachedStatement<'_>, values: &[&dyn ToSql]) -> Result<(), Error> {
    for (place, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(place + 1, value)?;
    }
    Ok(())
}

pub fn fetch_optional<T: FromLite>(lite: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Option<T>, Error> {
    let mut statement = lite.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let mut rows = statement.raw_query();
    let first = rows.next()?.map(T::from_lite).transpose()?;
    // Run to the end: an INSERT … RETURNING that is left in the middle has not happened.
    while rows.next()?.is_some() {}
    Ok(first)
}

pub fn fetch_all<T: FromLite>(lite: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<T>, Error> {
    let mut statement = lite.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(T::from_lite(row)?);
    }
    Ok(all)
}

pub fn execute(lite: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<u64, Error> {
    let mut statement = lite.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    Ok(statement.raw_execute()? as u64)
}

/// Several statements, for migrations.
pub fn execute_script(lite: &Connection, sql: &str) -> Result<(), Error> {
    Ok(lite.execute_batch(sql)?)
}
