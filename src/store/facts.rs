//! Facts about this store: the check value of its master key, and numbers that must not be given twice.

use diesel::prelude::*;

use super::schema::facts;
use super::{Conn, Result, StoreError};
use crate::secret::{Cell, Sealer};

const NAME: &str = "master_key_check";
const PLAIN: &str = "callbox";
/// The highest number of an incident that was removed, on SQLite.
pub const INCIDENT_NUMBER: &str = "incident_number";
const CELL: Cell<'static> = Cell { table: "facts", row: NAME, column: "value" };

/// Makes sure that `sealer` has the key with which this store's secrets were sealed. The first start leaves a sealed constant;
/// every later one must open it. Runs in a transaction of its own.
///
/// # Errors
/// [`StoreError::Refused`] when it is another key; or the query failed.
pub fn check_master_key(conn: &mut Conn, sealer: &Sealer) -> Result<()> {
    match conn.transaction_immediate(|conn| check(conn, sealer)) {
        // Another node made the first start at the same moment: what it left is there now.
        Err(StoreError::Conflict(_)) => conn.transaction_immediate(|conn| check(conn, sealer)),
        result => result,
    }
}

/// Whether a service has started on this store before, and so may have sealed secrets with its master key.
///
/// # Errors
/// The query failed.
pub fn has_master_key(conn: &mut Conn) -> Result<bool> {
    Ok(facts::table.find(NAME).select(facts::name).first::<String>(conn).optional()?.is_some())
}

fn check(conn: &mut Conn, sealer: &Sealer) -> Result<()> {
    let stored: Option<String> = facts::table.find(NAME).select(facts::value).first(conn).optional()?;
    if let Some(sealed) = stored {
        return match sealer.open(CELL, &sealed) {
            Ok(plain) if plain.expose() == PLAIN => Ok(()),
            _ => Err(StoreError::Refused(
                "the master key is not the one this database was made with; give the original key (CALLBOX_MASTER_KEY), \
                 without it the stored keys and secrets cannot be read"
                    .into(),
            )),
        };
    }
    let sealed = sealer.seal(CELL, PLAIN).map_err(|error| StoreError::Environment(error.to_string()))?;
    diesel::insert_into(facts::table).values((facts::name.eq(NAME), facts::value.eq(sealed))).execute(conn)?;
    Ok(())
}

/// Writes a row that says nothing: whether the store can be written is known only by writing. Each time another value, because
/// SQLite writes nothing where nothing changes.
///
/// # Errors
/// It cannot.
pub fn touch(conn: &mut Conn) -> Result<()> {
    use crate::store::schema::facts::dsl;
    let value = uuid::Uuid::now_v7().to_string();
    let touched = diesel::update(dsl::facts.filter(dsl::name.eq(TOUCHED))).set(dsl::value.eq(&value)).execute(conn)?;
    if touched == 0 {
        diesel::insert_into(dsl::facts).values((dsl::name.eq(TOUCHED), dsl::value.eq(&value))).execute(conn)?;
    }
    Ok(())
}

/// The row that [`touch`] writes.
const TOUCHED: &str = "touched";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[test]
    fn d17_another_master_key_is_refused_and_the_right_one_is_not() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let right = testing::sealer();
            let other = Sealer::from_text(&Sealer::generate_text().unwrap()).unwrap();
            assert!(!has_master_key(&mut conn).unwrap());
            check_master_key(&mut conn, &right).unwrap();
            check_master_key(&mut conn, &right).unwrap();
            assert!(has_master_key(&mut conn).unwrap());
            let error = check_master_key(&mut conn, &other).unwrap_err();
            assert!(matches!(&error, StoreError::Refused(text) if text.contains("CALLBOX_MASTER_KEY")), "{error}");
        }
    }
}
