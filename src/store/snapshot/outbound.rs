//! Destinations and rules, read into the snapshot.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;

use crate::delivery::destination::{Destination, Problem, Settings, Signing, Way};
use crate::delivery::rule::Rule;
use crate::delivery::template::{self, Templates};
use crate::delivery::{breaker, channel};
use crate::ingest::snapshot::{Snapshot, StoredRule};
use crate::secret::Sealer;
use crate::secret::reference::References;
use crate::store::schema::{destinations, rules, signing_secrets};
use crate::store::signing_secrets::SigningSecret;
use crate::store::{self, Conn, Result};
use crate::time::Timestamp;

/// Adds every living destination and rule. A destination whose secrets do not open stays, and says so: what is meant for it waits.
///
/// # Errors
/// A query failed.
pub fn load(conn: &mut Conn, sealer: &Sealer, references: &References, snapshot: &mut Snapshot) -> Result<()> {
    let mut signing: HashMap<String, Vec<SigningSecret>> = HashMap::new();
    let newest_first = signing_secrets::table.order(signing_secrets::id.desc());
    for secret in newest_first.select(SigningSecret::as_select()).load(conn)? {
        signing.entry(secret.destination_id.clone()).or_default().push(secret);
    }
    let living = destinations::table.filter(destinations::deleted_at.is_null());
    for row in living.select(store::destinations::Destination::as_select()).load(conn)? {
        let secrets = signing.remove(&row.id).unwrap_or_default();
        let settings = row.open(sealer);
        snapshot.names_files |= settings.iter().flat_map(Settings::values).any(|value| References::is_file(value.expose()));
        let way = way(&row, settings, secrets, sealer, references);
        let destination = Arc::new(destination(row, way));
        snapshot.tenants_to_tell.insert(Arc::clone(&destination.tenant_id));
        snapshot.destinations.insert(Arc::clone(&destination.id), destination);
    }
    let living = rules::table.filter(rules::deleted_at.is_null()).order(rules::id);
    for row in living.select(store::rules::Rule::as_select()).load(conn)? {
        let rule = Arc::new(rule(row));
        snapshot.rules.entry(Arc::clone(&rule.tenant_id)).or_default().push(rule);
    }
    Ok(())
}

fn destination(row: store::destinations::Destination, way: Result<Way, String>) -> Destination {
    let (templates, way) = match templates(&row.templates) {
        Ok(templates) => (templates, way),
        Err(why) => (Templates::default(), way.and(Err(why))),
    };
    if let Err(why) = &way {
        tracing::error!(destination = %row.id, %why, "nothing can be sent to a destination; what is meant for it waits");
    }
    let defaults = breaker::Settings::default();
    let failures = row.breaker_failures.and_then(|failures| u32::try_from(failures).ok());
    let rest = row.breaker_rest.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    Destination {
        id: row.id.into(),
        tenant_id: row.tenant_id.into(),
        name: row.name,
        kind: row.kind,
        enabled: row.enabled != 0,
        is_default: row.is_default != 0,
        include_details: row.include == "details",
        templates,
        breaker: breaker::Settings { failures: failures.unwrap_or(defaults.failures), rest: rest.unwrap_or(defaults.rest) },
        per_minute: row.rate_per_minute.and_then(|limit| u32::try_from(limit).ok()).filter(|limit| *limit > 0),
        way,
    }
}

fn way(
    row: &store::destinations::Destination,
    settings: Result<Settings>,
    secrets: Vec<SigningSecret>,
    sealer: &Sealer,
    references: &References,
) -> Result<Way, String> {
    let channel = channel::by_kind(&row.kind).ok_or_else(|| format!("there is no kind of destination {:?}", row.kind))?;
    let shut = |_| "its secrets do not open with this master key: set them anew".to_owned();
    let settings = settings.map_err(shut)?.resolved(|value| references.resolve(value)).map_err(|problems| told(&problems))?;
    let signing: Result<Vec<Signing>, String> = secrets
        .into_iter()
        .map(|secret| Ok(Signing { secret: secret.open(sealer).map_err(shut)?, expires_at: secret.expires_at.map(Timestamp) }))
        .collect();
    let options = serde_json::from_str(&row.options).unwrap_or_default();
    let way = Way::new(channel, row.name.clone(), settings, signing?, options);
    match way.problems() {
        problems if problems.is_empty() => Ok(way),
        problems => Err(told(&problems)),
    }
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(|(setting, problem)| format!("{setting}: {problem}")).collect::<Vec<_>>().join("; ")
}

fn templates(json: &str) -> Result<Templates, String> {
    let settings: template::Settings =
        serde_json::from_str(json).map_err(|error| format!("its templates cannot be read: {error}"))?;
    settings.compile()
}

fn rule(row: store::rules::Rule) -> StoredRule {
    let (rule, problems) = Rule::stored(&row.definition());
    if !problems.is_empty() {
        tracing::error!(rule = %row.id, ?problems, "parts of a rule can no longer be read; where in doubt it tells");
    }
    StoredRule { id: row.id.into(), tenant_id: row.tenant_id.into(), rule }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Registry;
    use crate::secret::Secret;
    use crate::store::signing_secrets::Owner;
    use crate::store::testing::{self, plant_destination};
    use crate::store::{snapshot, tenants};

    fn load(conn: &mut Conn) -> Snapshot {
        load_with(conn, &References::default())
    }

    fn load_with(conn: &mut Conn, references: &References) -> Snapshot {
        snapshot::load(conn, &testing::sealer(), Registry::built_in(), references).unwrap()
    }

    #[test]
    fn a_tenant_is_told_from_its_first_destination_on() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let tenant = tenants::ensure(&mut conn, "default", Timestamp(1)).unwrap();
            let other = tenants::ensure(&mut conn, "other", Timestamp(1)).unwrap();
            assert!(!load(&mut conn).tells(&tenant));
            let mut row = plant_destination(&mut conn, &tenant, "ops");
            let snapshot = load(&mut conn);
            assert!(snapshot.tells(&tenant) && !snapshot.tells(&other));
            let told = |tenant: &str| snapshot.own[tenant].tells;
            assert!(told(&tenant) && !told(&other));
            let destination = &snapshot.destinations[row.id.as_str()];
            let (channel, target) = destination.open(Timestamp(5)).unwrap();
            assert_eq!((channel.kind(), target.url.expose()), ("webhook", "https://hooks.example/one"));
            row.enabled = 0;
            store::destinations::update(&mut conn, &row, Timestamp(2)).unwrap();
            assert!(load(&mut conn).tells(&tenant), "what is meant for one that is disabled can still be noted");
            (row.deleted_at, row.live_name) = (Some(3), None);
            store::destinations::update(&mut conn, &row, Timestamp(3)).unwrap();
            assert!(!load(&mut conn).tells(&tenant));
        }
    }

    #[test]
    fn a_destination_whose_secrets_do_not_open_stays() {
        for database in testing::databases() {
            let (mut conn, sealer) = (database.store.writer().unwrap(), testing::sealer());
            let tenant = tenants::ensure(&mut conn, "default", Timestamp(1)).unwrap();
            let one = plant_destination(&mut conn, &tenant, "one");
            let mut two = plant_destination(&mut conn, &tenant, "two");
            two.sealed = one.sealed.clone();
            store::destinations::update(&mut conn, &two, Timestamp(2)).unwrap();
            let three = plant_destination(&mut conn, &tenant, "three");
            let owner = Owner { tenant_id: &tenant, destination_id: &three.id };
            store::signing_secrets::add(&mut conn, &sealer, owner, &Secret::new("hush"), Timestamp(2)).unwrap();
            let planted = plant_destination(&mut conn, &tenant, "four");
            diesel::update(destinations::table.find(&planted.id))
                .set(destinations::kind.eq("pigeon"))
                .execute(&mut conn)
                .unwrap();
            let snapshot = load(&mut conn);
            let why = |id: &str| snapshot.destinations[id].open(Timestamp(5)).map(|(_, target)| target.signing.len());
            assert_eq!(why(&one.id), Ok(0));
            assert!(why(&two.id).unwrap_err().contains("do not open"), "moved from another row");
            assert_eq!(why(&three.id), Ok(1));
            assert!(why(&planted.id).unwrap_err().contains("pigeon"));
        }
    }

    #[test]
    fn settings_come_back_as_they_were_sealed_and_rules_in_order() {
        for database in testing::databases() {
            let (mut conn, sealer) = (database.store.writer().unwrap(), testing::sealer());
            let tenant = tenants::ensure(&mut conn, "default", Timestamp(1)).unwrap();
            let mut row = plant_destination(&mut conn, &tenant, "ops");
            let settings = Settings {
                url: Secret::new("https://hooks.example/two"),
                token: Some(Secret::new("tok")),
                headers: vec![("x-team".to_owned(), Secret::new("ops"))],
                basic_auth: Some(("user".to_owned(), Secret::new("pass"))),
            };
            row.seal(&sealer, &settings).unwrap();
            assert!(!row.sealed.contains("hooks.example"));
            assert_eq!(row.open(&sealer).unwrap(), settings);
            for name in ["b", "a"] {
                testing::plant_rule(&mut conn, &tenant, name, &row.id);
            }
            let snapshot = load(&mut conn);
            let [two, one] = snapshot.rules[tenant.as_str()].as_slice() else { panic!("two rules") };
            assert_eq!((two.rule.reaches(), one.rule.reaches()), (vec![row.id.as_str()], vec![row.id.as_str()]));
            let names: Vec<_> = snapshot.rules[tenant.as_str()].iter().map(|rule| rule.rule.name.as_str()).collect();
            assert_eq!(names, ["b", "a"]);
        }
    }
    #[test]
    fn what_settings_name_is_looked_up_when_they_are_loaded() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let tenant = tenants::ensure(&mut conn, "default", Timestamp(1)).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let variables = [("HOST".to_owned(), Some(Secret::new("hooks.example")))];
            let references = References::new(variables.into(), Some(folder.path().to_owned()));
            let mut row = plant_destination(&mut conn, &tenant, "ops");
            let plain = row.open(&testing::sealer()).unwrap();
            let mut set = |conn: &mut Conn, settings: Settings| {
                row.seal(&testing::sealer(), &settings).unwrap();
                store::destinations::update(conn, &row, Timestamp(2)).unwrap();
                row.id.clone()
            };
            let id = set(&mut conn, Settings { url: Secret::new("https://${HOST}/x"), ..plain.clone() });
            let snapshot = load_with(&mut conn, &references);
            assert_eq!(snapshot.destinations[id.as_str()].open(Timestamp(5)).unwrap().1.url.expose(), "https://hooks.example/x");
            assert!(!snapshot.names_files);
            let unset = load(&mut conn);
            assert!(
                unset.destinations[id.as_str()].open(Timestamp(5)).err().unwrap().starts_with("url: ${HOST} may not be used")
            );

            let headers = vec![("x-team".to_owned(), Secret::new("file:team"))];
            set(&mut conn, Settings { headers, ..plain });
            for (content, told) in
                [(None, "cannot be read"), (Some("a\u{7}b"), "no header field may hold"), (Some("ops\n"), "ops")]
            {
                content.into_iter().for_each(|content| std::fs::write(folder.path().join("team"), content).unwrap());
                let snapshot = load_with(&mut conn, &references);
                assert!(snapshot.names_files);
                let seen = match snapshot.destinations[id.as_str()].open(Timestamp(5)) {
                    Ok((_, target)) => target.headers[0].1.expose().to_owned(),
                    Err(why) => why.to_owned(),
                };
                assert!(seen.contains(told), "{seen}");
            }
        }
    }
}
