//! What waits for a destination: which threads are due, which a worker has, and what is still to be told of them.
//!
//! These are asked at every turn of a lane, over tables that may hold much that waits for a receiver in trouble: none reads more than it
//! returns, whatever PostgreSQL's planner knows of them.

use diesel::dsl::{AsSelect, SqlTypeOf};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::rows::{Delivery, Thread};
use crate::statement;
use crate::store::schema::{deliveries, threads};
use crate::store::stmt::Column;
use crate::store::{Conn, Result};

/// A destination with something to do.
#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    due_at: Option<i64>,
}

/// The destinations with something to do, and when the first of it is due.
///
/// # Errors
/// The query failed.
pub fn due(conn: &mut Conn) -> Result<Vec<(String, i64)>> {
    // From one destination to the next: of all that waits, only the first of each is looked at.
    let first_of_each = sql_query(
        "WITH RECURSIVE with_work(id) AS ( \
             SELECT min(destination_id) FROM threads WHERE due_at IS NOT NULL \
             UNION ALL \
             SELECT (SELECT min(destination_id) FROM threads WHERE due_at IS NOT NULL AND destination_id > with_work.id) \
             FROM with_work WHERE with_work.id IS NOT NULL \
         ) \
         SELECT id, (SELECT min(due_at) FROM threads WHERE destination_id = with_work.id AND due_at IS NOT NULL) AS due_at \
         FROM with_work WHERE id IS NOT NULL",
    );
    let rows: Vec<Due> = match conn {
        Conn::Sqlite(conn) => first_of_each.load(conn)?,
        Conn::Pg(conn) => first_of_each.load(conn)?,
    };
    Ok(rows.into_iter().filter_map(|row| Some((row.id, row.due_at?))).collect())
}

/// When the first thread of a destination is due.
///
/// # Errors
/// The query failed.
pub fn next_due(conn: &mut Conn, destination_id: &str) -> Result<Option<i64>> {
    let of = threads::table.filter(threads::destination_id.eq(destination_id)).filter(threads::due_at.is_not_null());
    // Not `min`, for which a planner that knows nothing of the table yet reads all of them.
    let first: Option<Option<i64>> = of.order(threads::due_at).select(threads::due_at).first(conn).optional()?;
    Ok(first.flatten())
}

/// The threads of these subjects as they are now, locked on PostgreSQL, where a worker still has them under one of these leases.
///
/// # Errors
/// The query failed.
pub fn held(conn: &mut Conn, destination_id: &str, leases: &[&str], subjects: &[&str]) -> Result<Vec<Thread>> {
    Ok(match conn {
        Conn::Sqlite(conn) => {
            let of = threads::table
                .filter(threads::destination_id.eq(destination_id))
                .filter(threads::subject.eq_any(subjects))
                .filter(threads::lease.eq_any(leases));
            of.select(threads::all_columns).load(conn)?
        }
        Conn::Pg(conn) => {
            let [destinations, subjects] = one_by_one(destination_id, subjects);
            statement!(parts [
                "SELECT t.destination_id, t.subject, t.tenant_id, t.incident_id, t.rule_id, t.wants, t.due_at, t.lease, t.held_until, \
                 t.held_by, t.told_status, t.told_severity, t.in_doubt, t.remembered, t.updated_at FROM unnest(", ", ",
                ") AS k(destination_id, subject) CROSS JOIN LATERAL ( \
                     SELECT * FROM threads w WHERE w.destination_id = k.destination_id AND w.subject = k.subject AND w.lease = ANY(",
                ") OFFSET 0 FOR UPDATE \
                 ) t",
            ], vec![destinations, subjects, Column::Text(leases.to_vec())] => SqlTypeOf<AsSelect<Thread, Pg>>)
            .load(conn)?
        }
    })
}

/// What is still to be told of these subjects, in order.
///
/// # Errors
/// The query failed.
pub fn unfinished(conn: &mut Conn, destination_id: &str, subjects: &[&str]) -> Result<Vec<Delivery>> {
    Ok(match conn {
        Conn::Sqlite(conn) => {
            let of = deliveries::table
                .filter(deliveries::destination_id.eq(destination_id))
                .filter(deliveries::subject.eq_any(subjects))
                .filter(deliveries::finished_at.is_null());
            of.order(deliveries::id).select(Delivery::as_select()).load(conn)?
        }
        Conn::Pg(conn) => statement!(parts [
                "SELECT d.id, d.tenant_id, d.destination_id, d.subject, d.rule_id, d.incident_id, d.event_id, d.event, d.status, \
                 d.reason, d.message, d.attempts, d.failures, d.created_at, d.tried_since, d.finished_at FROM unnest(", ", ",
                ") AS k(destination_id, subject) CROSS JOIN LATERAL ( \
                     SELECT * FROM deliveries w WHERE w.destination_id = k.destination_id AND w.subject = k.subject \
                     AND w.finished_at IS NULL OFFSET 0 \
                 ) d ORDER BY d.id",
            ], one_by_one(destination_id, subjects).into() => SqlTypeOf<AsSelect<Delivery, Pg>>)
        .load(conn)?,
    })
}

/// Keys for a PostgreSQL statement that looks subject by subject, in order, so that two that lock do not wait for each other. It does so in
/// a `LATERAL` that `OFFSET 0` keeps the planner from undoing: as long as that knows nothing of the table, it would rather read all that
/// there is of the destination.
fn one_by_one<'a>(destination_id: &'a str, subjects: &[&'a str]) -> [Column<'a>; 2] {
    let mut subjects = subjects.to_vec();
    subjects.sort_unstable();
    subjects.dedup();
    [Column::Text(vec![destination_id; subjects.len()]), Column::Text(subjects)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outbox::lane::claim;
    use crate::store::outbox::lane::tests::due;
    use crate::store::testing;

    const NOW: i64 = 1_000;

    /// What PostgreSQL reads by statements of our own has its columns in the order of the row.
    #[test]
    fn a_row_is_read_as_it_is() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let (_, destination) = due(&mut conn, &["a", "b", "c"]);
            let mut taken = claim(&mut conn, &destination, "w1", NOW, NOW + 10, 2).unwrap();
            for thread in &mut taken {
                let text = |what: &str| Some(format!("{what} of {}", thread.subject));
                let (told, severity) = (text("status"), text("severity"));
                let whole = (
                    threads::rule_id.eq(text("rule")),
                    threads::held_by.eq(text("hold")),
                    threads::held_until.eq(Some(7)),
                    threads::told_status.eq(&told),
                    threads::told_severity.eq(&severity),
                    threads::remembered.eq(text("memory")),
                );
                let row = threads::table.find((&thread.destination_id, &thread.subject));
                diesel::update(row).set(whole).execute(&mut conn).unwrap();
            }
            let all: Vec<Thread> = threads::table.order(threads::subject).select(threads::all_columns).load(&mut conn).unwrap();
            let mut held = held(&mut conn, &destination, &["w1", "w0"], &["c", "b", "a"]).unwrap();
            held.sort_by(|one, other| one.subject.cmp(&other.subject));
            assert_eq!(held.len(), 2);
            assert!(held.iter().all(|thread| all.contains(thread)), "{held:?}, {all:?}");
            let every = deliveries::table.order(deliveries::id).select(Delivery::as_select()).load(&mut conn).unwrap();
            let read = unfinished(&mut conn, &destination, &["c", "a", "b", "c"]).unwrap();
            assert_eq!(format!("{read:?}"), format!("{every:?}"));
            assert!(unfinished(&mut conn, "another", &["a"]).unwrap().is_empty());
            assert_eq!(super::due(&mut conn).unwrap(), [(destination, NOW)]);
        }
    }
}
