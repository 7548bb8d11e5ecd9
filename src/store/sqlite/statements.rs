//! Statements on one connection: prepared once, their values bound by name.

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

/// SQLite numbers `$2` by where it first stands, not by its name, so values are bound by name.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, values: &[&dyn ToSql]) -> Result<(), Error> {
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).and_then(|name| name.strip_prefix('$'));
        let place = name.and_then(|number| number.parse::<usize>().ok()).unwrap_or(index);
        let value = values.get(place - 1).ok_or(rusqlite::Error::InvalidParameterCount(values.len(), place))?;
        statement.raw_bind_parameter(index, value)?;
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
