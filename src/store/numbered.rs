//! Numbered ids: a BIGINT in the database, text everywhere else ([`crate::id`]).

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use super::schema::{changes, deliveries, events, incidents, requests};
use super::{Conn, Result};
use crate::id::{self, Kind};

/// Makes this process one that may number rows of this database: on PostgreSQL it takes the next node's place (which comes around
/// after 1,024 starts), and on both its numbers go on after the greatest that is stored.
///
/// # Errors
/// A query failed.
pub fn join(conn: &mut Conn) -> Result<()> {
    let node = match conn {
        Conn::Sqlite(_) => 0,
        Conn::Pg(conn) => diesel::select(diesel::dsl::sql::<BigInt>("nextval('node')")).get_result(conn)?,
    };
    let newest: [Option<i64>; 5] = [
        requests::table.select(diesel::dsl::max(requests::id)).first(conn)?,
        events::table.select(diesel::dsl::max(events::id)).first(conn)?,
        incidents::table.select(diesel::dsl::max(incidents::id)).first(conn)?,
        changes::table.select(diesel::dsl::max(changes::id)).first(conn)?,
        deliveries::table.select(diesel::dsl::max(deliveries::id)).first(conn)?,
    ];
    id::join(node, newest.into_iter().flatten().max().unwrap_or(0));
    Ok(())
}

/// Makes the numbers of this process go on after the deliveries that are stored: another node may have made them by a clock that is ahead.
///
/// # Errors
/// The query failed.
pub fn advance(conn: &mut Conn) -> Result<()> {
    let newest: Option<i64> = deliveries::table.select(diesel::dsl::max(deliveries::id)).first(conn)?;
    id::after(newest.unwrap_or(0));
    Ok(())
}

/// A type for `#[diesel(deserialize_as = …)]` that reads a number as the text of its kind, and one for columns that may be NULL.
macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident / $optional:ident: $kind:expr;)+) => {$(
        $(#[$doc])*
        pub struct $name(String);
        /// The same where there may be none.
        pub struct $optional(Option<String>);

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<$optional> for Option<String> {
            fn from(id: $optional) -> Self {
                id.0
            }
        }

        impl<DB: Backend> Queryable<BigInt, DB> for $name
        where
            i64: FromSql<BigInt, DB>,
        {
            type Row = i64;
            fn build(number: i64) -> deserialize::Result<Self> {
                Ok(Self(id::text($kind, number)))
            }
        }

        impl<DB: Backend> Queryable<Nullable<BigInt>, DB> for $optional
        where
            Option<i64>: FromSql<Nullable<BigInt>, DB>,
        {
            type Row = Option<i64>;
            fn build(number: Option<i64>) -> deserialize::Result<Self> {
                Ok(Self(number.map(|number| id::text($kind, number))))
            }
        }
    )+};
}

numbered! {
    /// A request's id.
    RequestId / OptRequestId: Kind::Request;
    /// An event's id.
    EventId / OptEventId: Kind::Event;
    /// An incident's id.
    IncidentId / OptIncidentId: Kind::Incident;
    /// A change event's id.
    ChangeId / OptChangeId: Kind::Change;
    /// A delivery's id.
    DeliveryId / OptDeliveryId: Kind::Delivery;
}
