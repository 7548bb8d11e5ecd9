//! The domain's values as columns, on both engines. The domain itself knows no SQL.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use sqlx::{
    Decode, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef},
};

use crate::domain::{
    affiliate, attribution, claim, commission, id::Id, imports, key, locale, look, message, money::Currency,
    one_time_link, payout, providers, role, rules, standing, tax, time::Time, tracking,
};

/// A type that is stored as another: how it becomes that, and how it comes back.
macro_rules! stored {
    ([$($generics:tt)*] $type:ty as $column:ty, $out:expr, $back:expr) => {
        impl<$($generics)*> rusqlite::ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from($out(self)))
            }
        }
        impl<$($generics)*> FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let column = <$column as FromSql>::column_result(value)?;
                $back(column).map_err(|error| FromSqlError::Other(Box::new(error)))
            }
        }
        impl<$($generics)*> Type<Postgres> for $type {
            fn type_info() -> PgTypeInfo {
                <$column as Type<Postgres>>::type_info()
            }
            fn compatible(info: &PgTypeInfo) -> bool {
                <$column as Type<Postgres>>::compatible(info)
            }
        }
        impl<'q, $($generics)*> Encode<'q, Postgres> for $type {
            fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                Encode::<Postgres>::encode_by_ref(&$out(self), buffer)
            }
        }
        impl<'r, $($generics)*> Decode<'r, Postgres> for $type {
            fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
                let column = <$column as Decode<'r, Postgres>>::decode(value)?;
                $back(column).map_err(Into::into)
            }
        }
    };
}

type Sure<T> = Result<T, std::convert::Infallible>;

stored!([K] Id<K> as i64, |id: &Id<K>| id.raw(), |raw: i64| Sure::Ok(Id::new(raw)));
stored!([] Time as i64, |time: &Time| time.ms(), |ms: i64| Sure::Ok(Time::from_ms(ms)));
stored!([] Currency as String, |currency: &Currency| currency.code(), |code: String| Currency::parse(&code));

macro_rules! words {
    ($($type:ty),*) => { $(
        stored!([] $type as String, |word: &$type| word.as_str(), |word: String| <$type>::parse(&word));
    )* };
}
words!(
    affiliate::Status,
    affiliate::PaymentMethod,
    attribution::By,
    attribution::Touch,
    claim::Status,
    commission::Status,
    commission::Kind,
    commission::Entry,
    imports::Kind,
    imports::Status,
    imports::tool::Tool,
    key::Scope,
    locale::NumberStyle,
    locale::Theme,
    look::Visibility,
    message::Kind,
    one_time_link::Purpose,
    payout::LineStatus,
    payout::Schedule,
    payout::Status,
    providers::Provider,
    providers::State,
    providers::reversal::Kind,
    role::Role,
    rules::Sales,
    standing::BlockedAs,
    tax::Form,
    tax::settings::Asks,
    tax::vat::Treatment,
    tracking::Sign
);
