//! A statement of our own that diesel's cache accepts: prepared once a connection, whatever is bound to it.
//!
//! diesel prepares `sql_query`, DSL updates and batch inserts anew at every call; on the writer's path that costs a third of the
//! rate. Each text gets a marker type by [`statement!`](crate::statement), and the marker is the cache key.

use std::marker::PhantomData;

use diesel::RunQueryDsl;
use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text};
use diesel::sqlite::Sqlite;

/// A value for one placeholder of a SQLite statement.
#[derive(Debug)]
pub enum Bind<'a> {
    /// TEXT NOT NULL.
    Text(&'a str),
    /// TEXT.
    OptText(Option<&'a str>),
    /// BIGINT NOT NULL.
    Int(i64),
    /// BIGINT.
    OptInt(Option<i64>),
    /// BLOB NOT NULL.
    Bytes(&'a [u8]),
}

impl Bind<'_> {
    /// Whether it is NULL.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::OptText(None) | Self::OptInt(None))
    }
}

/// A column for one placeholder of a PostgreSQL statement over `unnest`.
#[derive(Debug)]
pub enum Column<'a> {
    /// text[] without NULL.
    Text(Vec<&'a str>),
    /// text[].
    OptText(Vec<Option<&'a str>>),
    /// bigint[] without NULL.
    Int(Vec<i64>),
    /// bigint[].
    OptInt(Vec<Option<i64>>),
    /// bytea[] without NULL.
    Bytes(Vec<&'a [u8]>),
}

/// Text around the placeholders of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// One text more than there are placeholders.
    Parts(&'static [&'static str]),
    /// All placeholders with a comma between them, between two texts.
    List(&'static str, &'static str),
}

/// A statement: its text, what to bind, and the marker `K` that names the text to diesel's cache. `R` is the row type of a
/// statement that loads, `()` of one that does not. Made by [`statement!`](crate::statement).
pub struct Stmt<V, K, R = ()> {
    text: Shape,
    binds: Vec<V>,
    kind: PhantomData<(K, R)>,
}

impl<V, K, R> Stmt<V, K, R> {
    /// Call through [`statement!`](crate::statement), which makes the marker with the text.
    pub fn new(text: Shape, binds: Vec<V>) -> Self {
        Self { text, binds, kind: PhantomData }
    }
}

impl<V, K: 'static, R: 'static> QueryId for Stmt<V, K, R> {
    type QueryId = K;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<V, K, R, C> RunQueryDsl<C> for Stmt<V, K, R> {}

impl<V, K, R> Query for Stmt<V, K, R> {
    type SqlType = R;
}

/// Writes the text with its placeholders, `push` binding each value.
fn walk<'b, V, DB: Backend>(
    text: Shape,
    binds: &'b [V],
    mut out: AstPass<'_, 'b, DB>,
    mut push: impl FnMut(&mut AstPass<'_, 'b, DB>, &'b V) -> QueryResult<()>,
) -> QueryResult<()> {
    match text {
        Shape::Parts(parts) => {
            let mut binds = binds.iter();
            for part in parts {
                out.push_sql(part);
                if let Some(bind) = binds.next() {
                    push(&mut out, bind)?;
                }
            }
        }
        Shape::List(head, tail) => {
            out.push_sql(head);
            for (index, bind) in binds.iter().enumerate() {
                if index > 0 {
                    out.push_sql(", ");
                }
                push(&mut out, bind)?;
            }
            out.push_sql(tail);
        }
    }
    Ok(())
}

impl<K: 'static, R: 'static> QueryFragment<Sqlite> for Stmt<Bind<'_>, K, R> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        walk(self.text, &self.binds, out, |out, bind| match bind {
            Bind::Text(value) => out.push_bind_param::<Text, _>(value),
            Bind::OptText(value) => out.push_bind_param::<Nullable<Text>, _>(value),
            Bind::Int(value) => out.push_bind_param::<BigInt, _>(value),
            Bind::OptInt(value) => out.push_bind_param::<Nullable<BigInt>, _>(value),
            Bind::Bytes(value) => out.push_bind_param::<Binary, _>(value),
        })
    }
}

impl<K: 'static, R: 'static> QueryFragment<Pg> for Stmt<Column<'_>, K, R> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        walk(self.text, &self.binds, out, |out, column| match column {
            Column::Text(values) => out.push_bind_param::<Array<Text>, _>(values),
            Column::OptText(values) => out.push_bind_param::<Array<Nullable<Text>>, _>(values),
            Column::Int(values) => out.push_bind_param::<Array<BigInt>, _>(values),
            Column::OptInt(values) => out.push_bind_param::<Array<Nullable<BigInt>>, _>(values),
            Column::Bytes(values) => out.push_bind_param::<Array<Binary>, _>(values),
        })
    }
}

/// A [`Stmt`] with a marker of its own. `statement!(parts ["UPDATE … SET a = ", " WHERE id = ", ""], binds)` puts a placeholder
/// between each two texts, `statement!(list "INSERT … VALUES (", binds, ")")` all of them with commas between. With `=> Row` after
/// the binds it loads rows of that SQL type.
#[macro_export]
macro_rules! statement {
    (parts [$($part:expr),+ $(,)?], $binds:expr) => { $crate::statement!(parts [$($part),+], $binds => ()) };
    (parts [$($part:expr),+ $(,)?], $binds:expr => $row:ty) => {
        $crate::statement!(@ $crate::store::stmt::Shape::Parts(&[$($part),+]), $binds, $row)
    };
    (list $head:expr, $binds:expr, $tail:expr) => {
        $crate::statement!(@ $crate::store::stmt::Shape::List($head, $tail), $binds, ())
    };
    (@ $text:expr, $binds:expr, $row:ty) => {{
        struct Marker;
        $crate::store::stmt::Stmt::<_, Marker, $row>::new($text, $binds)
    }};
}
