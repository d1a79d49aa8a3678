//! The tables, for diesel: one schema for both databases. A test compares it with the migrations.

#![allow(missing_docs)]

diesel::table! {
    tenants (id) { id -> Text, name -> Text, created_at -> BigInt, }
}

diesel::table! {
    services (id) {
        id -> Text, tenant_id -> Text, name -> Text, created_by -> Text, created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    integrations (id) {
        id -> Text,
        tenant_id -> Text,
        service_id -> Text,
        #[sql_name = "type"]
        kind -> Text,
        name -> Text,
        live_name -> Nullable<Text>,
        policy -> Nullable<Text>,
        enabled -> Integer,
        rate_limit_per_minute -> BigInt,
        auto_resolve_after -> Nullable<BigInt>,
        acknowledge_timeout -> Nullable<BigInt>,
        remind_after -> Nullable<BigInt>,
        native_body_limit -> Nullable<BigInt>,
        options -> Text,
        created_by -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    credentials (id) {
        id -> Text,
        tenant_id -> Text,
        integration_id -> Text,
        kind -> Text,
        hash -> Nullable<Text>,
        sealed -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    destinations (id) {
        id -> Text,
        tenant_id -> Text,
        name -> Text,
        live_name -> Nullable<Text>,
        kind -> Text,
        sealed -> Text,
        options -> Text,
        templates -> Text,
        include -> Text,
        enabled -> Integer,
        disabled_why -> Nullable<Text>,
        is_default -> Integer,
        breaker_failures -> Nullable<BigInt>,
        breaker_rest -> Nullable<BigInt>,
        rate_per_minute -> Nullable<BigInt>,
        created_by -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    signing_secrets (id) {
        id -> Text,
        tenant_id -> Text,
        destination_id -> Text,
        sealed -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    rules (id) {
        id -> Text,
        tenant_id -> Text,
        name -> Text,
        live_name -> Nullable<Text>,
        definition -> Text,
        enabled -> Integer,
        made_for -> Nullable<Text>,
        created_by -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    requests (id) {
        id -> BigInt,
        tenant_id -> Text,
        integration_id -> Nullable<Text>,
        route -> Text,
        verdict -> Text,
        status -> Integer,
        received_at -> BigInt,
        headers -> Text,
        query -> Text,
        target -> Nullable<Text>,
        message -> Nullable<Text>,
        first_event_id -> Nullable<BigInt>,
        last_event_id -> Nullable<BigInt>,
        body_dropped_at -> Nullable<BigInt>,
        body_encoding -> Nullable<Text>,
        body -> Binary,
    }
}

diesel::table! {
    refusals (tenant_id, integration_id, verdict, minute) {
        tenant_id -> Text, integration_id -> Text, verdict -> Text, minute -> BigInt, count -> BigInt,
    }
}

diesel::table! {
    events (id) {
        id -> BigInt,
        tenant_id -> Text,
        request_id -> Nullable<BigInt>,
        integration_id -> Text,
        incident_id -> Nullable<BigInt>,
        previous_event_id -> Nullable<BigInt>,
        action -> Text,
        dedup_key -> Text,
        outcome -> Text,
        severity -> Text,
        summary -> Text,
        source -> Text,
        actor -> Nullable<Text>,
        note -> Nullable<Text>,
        occurred_at -> Nullable<BigInt>,
        received_at -> BigInt,
    }
}

diesel::table! {
    incidents (id) {
        id -> BigInt,
        tenant_id -> Text,
        number -> BigInt,
        service_id -> Text,
        integration_id -> Text,
        dedup_key -> Text,
        open_key -> Nullable<Text>,
        status -> Text,
        title -> Text,
        first_summary -> Nullable<Text>,
        severity -> Text,
        source -> Text,
        shown -> Text,
        evidence -> Nullable<Text>,
        event_count -> BigInt,
        first_seen -> BigInt,
        last_seen -> BigInt,
        acknowledged_at -> Nullable<BigInt>,
        acknowledged_by -> Nullable<Text>,
        resolved_at -> Nullable<BigInt>,
        resolved_by -> Nullable<Text>,
        expires_at -> Nullable<BigInt>,
        reminded_at -> Nullable<BigInt>,
        previous_incident_id -> Nullable<BigInt>,
        last_event_id -> BigInt,
    }
}

diesel::table! {
    tombstones (integration_id, dedup_key) {
        integration_id -> Text,
        dedup_key -> Text,
        tenant_id -> Text,
        incident_id -> Nullable<BigInt>,
        order_at -> Nullable<BigInt>,
        resolved_at -> Nullable<BigInt>,
        updated_at -> BigInt,
    }
}

diesel::table! {
    changes (id) {
        id -> BigInt,
        tenant_id -> Text,
        integration_id -> Text,
        service_id -> Text,
        request_id -> Nullable<BigInt>,
        summary -> Text,
        source -> Nullable<Text>,
        details -> Text,
        occurred_at -> Nullable<BigInt>,
        received_at -> BigInt,
    }
}

diesel::table! {
    outbox (id) {
        id -> BigInt,
        tenant_id -> Text,
        event -> Text,
        incident_id -> Nullable<BigInt>,
        change_id -> Nullable<BigInt>,
        event_id -> Nullable<BigInt>,
        created_at -> BigInt,
        severity -> Nullable<Text>,
    }
}

diesel::table! {
    deliveries (id) {
        id -> BigInt,
        tenant_id -> Text,
        destination_id -> Text,
        subject -> Text,
        rule_id -> Nullable<Text>,
        incident_id -> Nullable<BigInt>,
        event_id -> Nullable<BigInt>,
        event -> Text,
        status -> Text,
        reason -> Nullable<Text>,
        message -> Text,
        attempts -> Integer,
        failures -> Integer,
        created_at -> BigInt,
        tried_since -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    attempts (delivery_id, number) {
        delivery_id -> BigInt,
        number -> Integer,
        started_at -> BigInt,
        took -> BigInt,
        result -> Text,
        status -> Nullable<Integer>,
        error -> Nullable<Text>,
        request -> Text,
        answer -> Nullable<Text>,
    }
}

diesel::table! {
    threads (destination_id, subject) {
        destination_id -> Text,
        subject -> Text,
        tenant_id -> Text,
        incident_id -> Nullable<BigInt>,
        rule_id -> Nullable<Text>,
        wants -> Text,
        due_at -> Nullable<BigInt>,
        lease -> Nullable<Text>,
        held_until -> Nullable<BigInt>,
        held_by -> Nullable<Text>,
        told_status -> Nullable<Text>,
        told_severity -> Nullable<Text>,
        in_doubt -> Integer,
        remembered -> Nullable<Text>,
        updated_at -> BigInt,
    }
}

diesel::table! {
    breakers (destination_id) {
        destination_id -> Text,
        failures -> Integer,
        open_until -> Nullable<BigInt>,
        probing_until -> Nullable<BigInt>,
        paused_until -> Nullable<BigInt>,
        recovered_at -> Nullable<BigInt>,
        gone_at -> Nullable<BigInt>,
        paced_at -> Nullable<BigInt>,
        skipped -> BigInt,
        opened_at -> Nullable<BigInt>,
        delivered_at -> Nullable<BigInt>,
        failed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    pages (rule_id, integration_id, dedup_key) {
        rule_id -> Text, integration_id -> Text, dedup_key -> Text, paged_at -> BigInt,
    }
}

diesel::table! {
    watches (rule_id, incident_id) {
        rule_id -> Text, incident_id -> BigInt, tenant_id -> Text, started_at -> BigInt, due_at -> BigInt, state -> Text,
    }
}

diesel::table! {
    seen_deliveries (integration_id, delivery_id, body_hash) {
        integration_id -> Text,
        delivery_id -> Text,
        body_hash -> Text,
        tenant_id -> Text,
        request_id -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    replays (request_id, mark) {
        request_id -> BigInt,
        mark -> Text,
        tenant_id -> Text,
        event_id -> Nullable<BigInt>,
        incident_id -> Nullable<BigInt>,
        replayed_at -> BigInt,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> Text,
        tenant_id -> Text,
        name -> Text,
        hash -> Text,
        scopes -> Text,
        created_by -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    audit (id) {
        id -> Text,
        tenant_id -> Text,
        actor -> Text,
        action -> Text,
        object_type -> Text,
        object_id -> Text,
        before -> Nullable<Text>,
        after -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    config_version (id) { id -> Integer, version -> BigInt, }
}

diesel::table! {
    facts (name) { name -> Text, value -> Text, }
}

diesel::allow_tables_to_appear_in_same_query!(integrations, credentials, services);
diesel::allow_tables_to_appear_in_same_query!(requests, events);
diesel::allow_tables_to_appear_in_same_query!(replays, events);
diesel::allow_tables_to_appear_in_same_query!(incidents, threads, outbox);

#[cfg(test)]
mod tests {
    use diesel::prelude::*;
    use diesel::sql_types::Text;
    use diesel::sqlite::Sqlite;
    use diesel::{debug_query, sql_query};

    use super::*;
    use crate::store::{Conn, testing};

    #[derive(QueryableByName)]
    struct Name {
        #[diesel(sql_type = Text)]
        name: String,
    }

    macro_rules! columns {
        ($($table:ident),* $(,)?) => {
            vec![$((stringify!($table), debug_query::<Sqlite, _>(&$table::table.select($table::all_columns)).to_string())),*]
        };
    }

    /// The column names of a select of all columns, in its order: every second text in quotes.
    fn names(select: &str) -> Vec<String> {
        let list = select.split(" FROM ").next().unwrap();
        list.split(", ").map(|column| column.split('`').nth(3).unwrap().to_owned()).collect()
    }

    fn query(conn: &mut Conn, sqlite: String, postgres: String) -> Vec<String> {
        let rows: Vec<Name> = match conn {
            Conn::Sqlite(conn) => sql_query(sqlite).load(conn).unwrap(),
            Conn::Pg(conn) => sql_query(postgres).load(conn).unwrap(),
        };
        rows.into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn the_schema_is_that_of_the_migrations_of_both_databases() {
        let declared = columns![
            api_tokens,
            attempts,
            audit,
            breakers,
            changes,
            config_version,
            credentials,
            deliveries,
            destinations,
            events,
            facts,
            incidents,
            integrations,
            outbox,
            pages,
            refusals,
            replays,
            requests,
            rules,
            seen_deliveries,
            services,
            signing_secrets,
            tenants,
            threads,
            tombstones,
            watches,
        ];
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let mut tables = query(
                &mut conn,
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'".into(),
                "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'".into(),
            );
            tables.retain(|table| !table.starts_with("__diesel"));
            tables.sort();
            assert_eq!(tables, declared.iter().map(|(table, _)| *table).collect::<Vec<_>>());
            for (table, select) in &declared {
                let stored = query(
                    &mut conn,
                    format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
                    format!(
                        "SELECT column_name::text AS name FROM information_schema.columns WHERE table_name = '{table}' \
                         ORDER BY ordinal_position"
                    ),
                );
                assert_eq!(stored, names(select), "{table}");
            }
        }
    }
}
