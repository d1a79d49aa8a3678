//! What is written when a destination is made, changed, rotated or deleted: within one transaction, with its audit entry.

use serde_json::{Value, json};

use super::check::Check;
use super::draft::{Creation, Draft};
use super::view::{self, Loaded};
use crate::app::App;
use crate::delivery::channel;
use crate::delivery::destination::Settings;
use crate::duration;
use crate::error::ApiError;
use crate::http::auth::Caller;
use crate::http::manage::change::audited;
use crate::http::manage::fields::Fields;
use crate::http::manage::rotation::OVERLAP_MAX;
use crate::http::manage::{draft, rules};
use crate::id::{self, Kind};
use crate::secret::{Sealer, Secret};
use crate::store::destinations::{self, Destination};
use crate::store::rules::Rule;
use crate::store::signing_secrets::{self, Owner};
use crate::store::{Conn, rules as stored_rules};
use crate::time::Timestamp;

/// The kind whose messages are signed without being asked.
pub const SIGNED: &str = "webhook";

/// What a change is made with.
#[derive(Clone)]
pub struct Maker {
    caller: Caller,
    sealer: Sealer,
    check: Check,
    now: Timestamp,
}

/// A deleted destination.
pub struct Buried {
    /// The rules that still name it.
    pub rules: Vec<Rule>,
    /// How many deliveries were dropped.
    pub dropped: usize,
}

impl Maker {
    /// A change by `caller`, now.
    pub fn of(app: &App, caller: &Caller) -> Self {
        Self { caller: caller.clone(), sealer: app.sealer.clone(), check: Check::of(app), now: app.clock.now() }
    }

    /// Stores a new destination, and the rule that tells it everything where one is wanted.
    ///
    /// # Errors
    /// Its name is taken, nothing can be sent with its settings, or a statement failed.
    pub fn insert(
        &self,
        conn: &mut Conn,
        creation: &Creation,
        secret: Option<&Secret>,
    ) -> Result<(Loaded, Option<Rule>), ApiError> {
        let name = creation.draft.name.clone().unwrap_or_default();
        self.free_name(conn, &name)?;
        let mut row = Destination {
            id: id::new(Kind::Destination),
            tenant_id: self.caller.tenant_id.to_string(),
            live_name: Some(name.clone()),
            name,
            kind: creation.channel.kind().to_owned(),
            sealed: String::new(),
            options: "{}".to_owned(),
            templates: "{}".to_owned(),
            include: "summary".to_owned(),
            enabled: 1,
            disabled_why: None,
            is_default: 0,
            breaker_failures: None,
            breaker_rest: None,
            rate_per_minute: None,
            created_by: self.caller.name.clone(),
            created_at: self.now.0,
            updated_at: self.now.0,
            deleted_at: None,
        };
        let mut settings = Settings::default();
        creation.draft.apply(&mut row);
        creation.draft.apply_secrets(&mut settings);
        self.check.destination(creation.channel, &row, &settings, secret.cloned().into_iter().collect())?;
        row.seal(&self.sealer, &settings)?;
        if creation.draft.is_default == Some(true) {
            self.take_default(conn, &row.id)?;
            row.is_default = 1;
        }
        destinations::insert(conn, &row)?;
        if let Some(secret) = secret {
            signing_secrets::add(conn, &self.sealer, self.owner(&row.id), secret, self.now)?;
        }
        let after = view::settings(&self.sealer, &row);
        self.audit(conn, ("destination.created", &row.id), (None, Some(&after)))?;
        let rule = creation.with_rule.then(|| rules::insert_for(conn, &self.caller, &row, self.now)).transpose()?;
        Ok((view::load_one(conn, row)?, rule))
    }

    /// Changes a destination as a body says.
    ///
    /// # Errors
    /// There is none, the name is taken, nothing can be sent with the settings, or a statement failed.
    pub fn patch(&self, conn: &mut Conn, id: &str, mut draft: Draft) -> Result<Loaded, ApiError> {
        let mut row = self.find(conn, id)?;
        draft.expand(&row.kind).map_err(|problem| ApiError::field("url", problem))?;
        let before = view::settings(&self.sealer, &row);
        let was_enabled = row.enabled != 0;
        draft.apply(&mut row);
        if let Some(name) = draft.name.as_ref().filter(|name| **name != row.name) {
            self.free_name(conn, name)?;
            row.name.clone_from(name);
            row.live_name = Some(name.clone());
        }
        if draft.is_of_sending() {
            self.change_sending(&mut row, &draft)?;
        }
        if draft.is_of_sending() || (row.enabled != 0 && !was_enabled) {
            destinations::begin_anew(conn, &self.caller.tenant_id, id, self.now)?;
        }
        let secret = self.change_secret(conn, id, draft.signing_secret.as_ref())?;
        if let Some(is_default) = draft.is_default {
            if is_default {
                self.take_default(conn, id)?;
            }
            row.is_default = i32::from(is_default);
        }
        destinations::update(conn, &row, self.now)?;
        row.updated_at = self.now.0;
        let mut after = view::settings(&self.sealer, &row);
        if let Some(map) = after.as_object_mut() {
            map.extend(secret.map(|what| ("signing_secret".to_owned(), Value::from(what))));
            let set = draft.secrets();
            map.extend((!set.is_empty()).then(|| ("secrets_set".to_owned(), Value::from(set))));
        }
        self.audit(conn, ("destination.updated", id), (Some(&before), Some(&after)))?;
        Ok(view::load_one(conn, row)?)
    }

    /// Puts what a draft says of secrets and options into the row, if it can be sent with that. Of secrets that do not open nothing is
    /// left: the draft must name all that is needed.
    fn change_sending(&self, row: &mut Destination, draft: &Draft) -> Result<(), ApiError> {
        let gone = || ApiError::conflict(format!("there is no kind of destination {:?} any longer: make a new one", row.kind));
        let channel = channel::by_kind(&row.kind).ok_or_else(gone)?;
        let opened = row.open(&self.sealer);
        if opened.is_err() && draft.secrets().is_empty() {
            return Err(ApiError::conflict("the secrets do not open with this master key: set url, token and the others anew"));
        }
        let mut settings = opened.unwrap_or_default();
        draft.apply_secrets(&mut settings);
        let signing = draft.signing_secret.clone().flatten().into_iter().collect();
        self.check.destination(channel, row, &settings, signing)?;
        Ok(row.seal(&self.sealer, &settings)?)
    }

    /// Sets or takes away the signing secret, and says in one word what it did.
    fn change_secret(
        &self,
        conn: &mut Conn,
        id: &str,
        secret: Option<&Option<Secret>>,
    ) -> Result<Option<&'static str>, ApiError> {
        match secret {
            None => Ok(None),
            Some(Some(secret)) => {
                signing_secrets::rotate(conn, &self.sealer, self.owner(id), secret, 0, self.now)?;
                Ok(Some("set"))
            }
            Some(None) => {
                signing_secrets::remove(conn, self.owner(id))?;
                Ok(Some("removed"))
            }
        }
    }

    /// Takes from the present default destination that it is the default, unless it is `id`.
    fn take_default(&self, conn: &mut Conn, id: &str) -> Result<(), ApiError> {
        let present = destinations::default_of(conn, &self.caller.tenant_id)?;
        let Some(mut present) = present.filter(|present| present.id != id) else { return Ok(()) };
        let before = view::settings(&self.sealer, &present);
        present.is_default = 0;
        destinations::update(conn, &present, self.now)?;
        let after = view::settings(&self.sealer, &present);
        self.audit(conn, ("destination.updated", &present.id), (Some(&before), Some(&after)))
    }

    /// Gives a destination a new signing secret as a body says; returns the secret where it was generated.
    ///
    /// # Errors
    /// There is none, the body is wrong, or a statement failed.
    pub fn rotate(&self, conn: &mut Conn, id: &str, mut fields: Fields) -> Result<(Loaded, Option<Secret>), ApiError> {
        let mut row = self.find(conn, id)?;
        let overlap = fields.duration("overlap", OVERLAP_MAX).flatten().unwrap_or(86_400);
        let given = fields.text("signing_secret", draft::SECRET_MAX).flatten().map(Secret::new);
        if row.kind != SIGNED && given.is_none() {
            fields.problem("signing_secret", "is required: the secret of this kind of destination is made elsewhere");
        }
        fields.finish()?;
        let generated = given.is_none().then(signing_secrets::generate).transpose()?;
        if let Some(secret) = given.as_ref().or(generated.as_ref()) {
            signing_secrets::rotate(conn, &self.sealer, self.owner(id), secret, overlap, self.now)?;
        }
        destinations::update(conn, &row, self.now)?;
        row.updated_at = self.now.0;
        let after = json!({"name": row.name, "overlap": duration::print(overlap), "given": given.is_some()});
        self.audit(conn, ("destination.rotated", id), (None, Some(&after)))?;
        Ok((view::load_one(conn, row)?, generated))
    }

    /// Marks a destination deleted. What is still to be delivered to it stands in the way, or is dropped.
    ///
    /// # Errors
    /// There is none, it has undelivered deliveries, or a statement failed.
    pub fn bury(&self, conn: &mut Conn, id: &str, drops: bool) -> Result<Buried, ApiError> {
        let mut row = self.find(conn, id)?;
        let pending = destinations::undelivered(conn, &self.caller.tenant_id, id)?;
        let total = pending.deliveries + pending.held;
        if total > 0 && !drops {
            let held =
                if pending.held > 0 { format!(", and {} incidents on hold to be told of", pending.held) } else { String::new() };
            let message = format!(
                "{} deliveries to this destination are still to be made{held}; delete with ?pending=drop",
                pending.deliveries
            );
            let details = json!({"pending": total, "deliveries": pending.deliveries, "held": pending.held});
            return Err(ApiError::Conflict { message, details: Some(details) });
        }
        let dropped = destinations::drop_undelivered(conn, &self.caller.tenant_id, id, self.now)?;
        let mut before = view::settings(&self.sealer, &row);
        (row.deleted_at, row.live_name, row.is_default) = (Some(self.now.0), None, 0);
        destinations::update(conn, &row, self.now)?;
        if let Some(map) = before.as_object_mut().filter(|_| dropped > 0) {
            map.insert("dropped_deliveries".into(), dropped.into());
        }
        self.audit(conn, ("destination.deleted", id), (Some(&before), None))?;
        Ok(Buried { rules: stored_rules::telling(conn, &self.caller.tenant_id, id)?, dropped })
    }

    fn find(&self, conn: &mut Conn, id: &str) -> Result<Destination, ApiError> {
        destinations::find(conn, &self.caller.tenant_id, id)?.ok_or(ApiError::NotFound)
    }

    fn free_name(&self, conn: &mut Conn, name: &str) -> Result<(), ApiError> {
        match destinations::find_by_name(conn, &self.caller.tenant_id, name)? {
            Some(_) => Err(ApiError::conflict("a destination of this name exists already")),
            None => Ok(()),
        }
    }

    fn owner<'a>(&'a self, id: &'a str) -> Owner<'a> {
        Owner { tenant_id: &self.caller.tenant_id, destination_id: id }
    }

    fn audit(&self, conn: &mut Conn, what: (&str, &str), states: (Option<&Value>, Option<&Value>)) -> Result<(), ApiError> {
        audited(conn, &self.caller, what, states, self.now)
    }
}
