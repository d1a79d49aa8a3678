//! Rules: what is told to which destinations. Deleted ones stay, so that what was delivered by them can be read.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use serde_json::{Map, Value};

use super::page::{Listed, Page};
use super::schema::{destinations, integrations, rules, services};
use super::{Conn, Result};
use crate::delivery::rule;
use crate::time::Timestamp;

/// A rule, as stored; times in microseconds.
#[derive(Queryable, Selectable, Insertable, Debug, Clone)]
#[diesel(table_name = rules)]
pub struct Rule {
    /// `rul_…`.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant_id: String,
    /// Its name.
    pub name: String,
    /// The name while it lives; unique in its tenant.
    pub live_name: Option<String>,
    /// JSON: what it matches and whom it tells, by ids.
    pub definition: String,
    /// 1: it counts.
    pub enabled: i32,
    /// The destination that it was made with.
    pub made_for: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
    /// When it was deleted.
    pub deleted_at: Option<i64>,
}

/// What can be changed, with the values to hold afterwards.
#[derive(AsChangeset, Debug, Clone)]
#[diesel(table_name = rules, treat_none_as_null = true)]
struct Changes<'a> {
    name: &'a str,
    live_name: Option<&'a str>,
    definition: &'a str,
    enabled: i32,
    updated_at: i64,
    deleted_at: Option<i64>,
}

impl Rule {
    /// What it says, as the API has it.
    pub fn definition(&self) -> Map<String, Value> {
        serde_json::from_str(&self.definition).unwrap_or_default()
    }

    /// Takes over what `rule` says.
    pub fn say(&mut self, rule: &rule::Rule) {
        self.name.clone_from(&rule.name);
        self.live_name = Some(rule.name.clone());
        self.enabled = i32::from(rule.enabled);
        self.definition = Value::Object(rule.to_json()).to_string();
    }
}

/// Stores a new rule.
///
/// # Errors
/// [`super::StoreError::Conflict`] when the name is taken; or the insert failed.
pub fn insert(conn: &mut Conn, rule: &Rule) -> Result<()> {
    diesel::insert_into(rules::table).values(rule).execute(conn)?;
    Ok(())
}

/// Writes everything that can be changed of a rule; `updated_at` becomes `now`.
///
/// # Errors
/// As [`insert`].
pub fn update(conn: &mut Conn, rule: &Rule, now: Timestamp) -> Result<()> {
    let changes = Changes {
        name: &rule.name,
        live_name: rule.live_name.as_deref(),
        definition: &rule.definition,
        enabled: rule.enabled,
        updated_at: now.0,
        deleted_at: rule.deleted_at,
    };
    let row = rules::table.filter(rules::tenant_id.eq(&rule.tenant_id)).filter(rules::id.eq(&rule.id));
    diesel::update(row).set(changes).execute(conn)?;
    Ok(())
}

/// The living rule with this id.
///
/// # Errors
/// The query failed.
pub fn find(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Rule>> {
    Ok(rules::table
        .filter(rules::tenant_id.eq(tenant_id))
        .filter(rules::id.eq(id))
        .filter(rules::deleted_at.is_null())
        .select(Rule::as_select())
        .first(conn)
        .optional()?)
}

/// The living rule of this name.
///
/// # Errors
/// The query failed.
pub fn find_by_name(conn: &mut Conn, tenant_id: &str, name: &str) -> Result<Option<Rule>> {
    Ok(rules::table
        .filter(rules::tenant_id.eq(tenant_id))
        .filter(rules::live_name.eq(name))
        .select(Rule::as_select())
        .first(conn)
        .optional()?)
}

/// The living rules that may ever tell this destination, newest first.
///
/// # Errors
/// The query failed.
pub fn telling(conn: &mut Conn, tenant_id: &str, destination_id: &str) -> Result<Vec<Rule>> {
    let named = rules::table.filter(rules::definition.like(format!("%{destination_id}%")));
    let rows = named.filter(rules::tenant_id.eq(tenant_id)).filter(rules::deleted_at.is_null()).order(rules::id.desc());
    let mut rows = rows.select(Rule::as_select()).load(conn)?;
    rows.retain(|row: &Rule| rule::Rule::stored(&row.definition()).0.reaches().contains(&destination_id));
    Ok(rows)
}

/// The living rules of a tenant, newest first; with `name`, the one of that name.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, name: Option<&str>, page: &Page) -> Result<Listed<Rule>> {
    let mut query = rules::table
        .filter(rules::tenant_id.eq(tenant_id))
        .filter(rules::deleted_at.is_null())
        .select(Rule::as_select())
        .into_boxed();
    if let Some(name) = name {
        query = query.filter(rules::name.eq(name.to_owned()));
    }
    if let Some(before) = &page.before {
        query = query.filter(rules::id.lt(before));
    }
    let rows = query.order(rules::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}

/// What the rules of a tenant can name.
#[derive(Debug, Default)]
pub struct Named {
    ids: HashSet<(rule::Kind, String)>,
    names: HashMap<(rule::Kind, String), String>,
}

impl Named {
    /// Everything that lives.
    ///
    /// # Errors
    /// A query failed.
    pub fn load(conn: &mut Conn, tenant_id: &str) -> Result<Self> {
        let mut named = Self::default();
        let living = destinations::table.filter(destinations::tenant_id.eq(tenant_id)).filter(destinations::deleted_at.is_null());
        named.add(rule::Kind::Destination, living.select((destinations::id, destinations::live_name)).load(conn)?);
        let living = integrations::table.filter(integrations::tenant_id.eq(tenant_id)).filter(integrations::deleted_at.is_null());
        named.add(rule::Kind::Integration, living.select((integrations::id, integrations::live_name)).load(conn)?);
        let all = services::table.filter(services::tenant_id.eq(tenant_id));
        named.add(rule::Kind::Service, all.select((services::id, services::name.nullable())).load(conn)?);
        Ok(named)
    }

    fn add(&mut self, kind: rule::Kind, rows: Vec<(String, Option<String>)>) {
        for (id, name) in rows {
            self.names.extend(name.map(|name| ((kind, name), id.clone())));
            self.ids.insert((kind, id));
        }
    }

    /// With all that `rule` names by its id.
    #[must_use]
    pub fn and_ids_of(mut self, rule: &rule::Rule) -> Self {
        self.ids.extend(rule.reaches().into_iter().map(|id| (rule::Kind::Destination, id.to_owned())));
        self.ids.extend(rule.services.iter().map(|id| (rule::Kind::Service, id.clone())));
        self.ids.extend(rule.integrations.iter().map(|id| (rule::Kind::Integration, id.clone())));
        self
    }
}

impl rule::Lookup for Named {
    fn id(&self, kind: rule::Kind, word: &str) -> Result<String, String> {
        let asked = (kind, word.to_owned());
        if self.ids.contains(&asked) {
            return Ok(asked.1);
        }
        self.names.get(&asked).cloned().ok_or_else(|| format!("no {} has the name or id {word:?}", kind.as_str()))
    }
}
