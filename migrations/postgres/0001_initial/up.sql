-- Every row belongs to a tenant. Ids are time-ordered: text, and numbers (which the API spells as text) where a row is written for
-- every request. Times are microseconds since 1970 UTC; JSON is text.

-- Each process that starts takes the next: a part of every number that it makes, so that no two make the same.
CREATE SEQUENCE node MINVALUE 0 MAXVALUE 1023 CYCLE;

CREATE TABLE tenants (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE services (
    id         TEXT PRIMARY KEY NOT NULL,
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    name       TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (tenant_id, name)
);

CREATE TABLE integrations (
    id                    TEXT PRIMARY KEY NOT NULL,
    tenant_id             TEXT NOT NULL REFERENCES tenants (id),
    service_id            TEXT NOT NULL REFERENCES services (id),
    type                  TEXT NOT NULL,
    name                  TEXT NOT NULL,
    -- The name while the integration lives, NULL once it is deleted: names are unique among the living.
    live_name             TEXT,
    -- hook, key or signature; NULL: hook, or signature as soon as a secret is set.
    policy                TEXT,
    enabled               INTEGER NOT NULL,
    -- 0: no limit.
    rate_limit_per_minute BIGINT NOT NULL,
    -- Seconds; NULL: the type's default; 0: off.
    auto_resolve_after    BIGINT,
    acknowledge_timeout   BIGINT,
    remind_after          BIGINT,
    -- Bytes; NULL: the service's limit.
    native_body_limit     BIGINT,
    options               TEXT NOT NULL,
    created_by            TEXT NOT NULL,
    created_at            BIGINT NOT NULL,
    updated_at            BIGINT NOT NULL,
    deleted_at            BIGINT,
    UNIQUE (tenant_id, live_name)
);

-- The live hooks, keys and signature secrets of an integration: at most two of a kind.
CREATE TABLE credentials (
    id             TEXT PRIMARY KEY NOT NULL,
    tenant_id      TEXT NOT NULL REFERENCES tenants (id),
    integration_id TEXT NOT NULL REFERENCES integrations (id),
    -- hook, key or secret.
    kind           TEXT NOT NULL,
    -- SHA-256 in hex of a hook or key; NULL for a secret.
    hash           TEXT,
    sealed         TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT,
    last_used_at   BIGINT,
    UNIQUE (kind, hash)
);
CREATE INDEX credentials_by_integration ON credentials (integration_id);

-- Where the outside world is told of incidents and changes.
CREATE TABLE destinations (
    id               TEXT PRIMARY KEY NOT NULL,
    tenant_id        TEXT NOT NULL REFERENCES tenants (id),
    name             TEXT NOT NULL,
    -- The name while the destination lives, NULL once it is deleted: names are unique among the living.
    live_name        TEXT,
    -- The kind of channel.
    kind             TEXT NOT NULL,
    -- Sealed JSON: url, token, headers, basic_auth.
    sealed           TEXT NOT NULL,
    options          TEXT NOT NULL,
    -- JSON: the templates by what they render (incident, change).
    templates        TEXT NOT NULL,
    -- summary or details.
    include          TEXT NOT NULL,
    enabled          INTEGER NOT NULL,
    -- Why it is disabled, where not because somebody wanted it: gone.
    disabled_why     TEXT,
    -- 1 for the destination of what no rule matches.
    is_default       INTEGER NOT NULL,
    -- Failures in a row that open the breaker, 0: never, and the seconds that it rests; NULL: the defaults.
    breaker_failures BIGINT,
    breaker_rest     BIGINT,
    -- NULL: no limit.
    rate_per_minute  BIGINT,
    created_by       TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    deleted_at       BIGINT,
    UNIQUE (tenant_id, live_name)
);
CREATE UNIQUE INDEX destinations_default ON destinations (tenant_id) WHERE is_default = 1;

-- What a destination's messages are signed with: at most two live ones, the newer and the older with an expiry.
CREATE TABLE signing_secrets (
    id             TEXT PRIMARY KEY NOT NULL,
    tenant_id      TEXT NOT NULL REFERENCES tenants (id),
    destination_id TEXT NOT NULL REFERENCES destinations (id),
    sealed         TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT
);
CREATE INDEX signing_secrets_by_destination ON signing_secrets (destination_id);

-- What is told to which destinations, and when.
CREATE TABLE rules (
    id         TEXT PRIMARY KEY NOT NULL,
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    name       TEXT NOT NULL,
    live_name  TEXT,
    -- JSON: what it matches and whom it tells.
    definition TEXT NOT NULL,
    enabled    INTEGER NOT NULL,
    -- The destination that it was made with.
    made_for   TEXT REFERENCES destinations (id),
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    UNIQUE (tenant_id, live_name)
);

-- The ledger: what was posted, and what became of it.
CREATE TABLE requests (
    id              BIGINT PRIMARY KEY NOT NULL,
    tenant_id       TEXT NOT NULL,
    integration_id  TEXT,
    route           TEXT NOT NULL,
    verdict         TEXT NOT NULL,
    status          INTEGER NOT NULL,
    received_at     BIGINT NOT NULL,
    headers         TEXT NOT NULL,
    query           TEXT NOT NULL,
    -- Method and path below the integration's URL; NULL for a POST to the integration itself.
    target          TEXT,
    message         TEXT,
    -- The events of a request lie between these ids; last_event_id is NULL where there is one event only.
    first_event_id  BIGINT,
    last_event_id   BIGINT,
    -- When the body was dropped to make room; the rest of the row stays.
    body_dropped_at BIGINT,
    -- lz4: the body is packed (block format, its length before it); NULL: it is as it was received.
    body_encoding   TEXT,
    -- Last, so that a list need not walk a long body's pages to reach what stands behind it.
    body            BYTEA NOT NULL
);

-- Exact counts of refused requests; integration_id is '' where none is known.
CREATE TABLE refusals (
    tenant_id      TEXT NOT NULL,
    integration_id TEXT NOT NULL,
    verdict        TEXT NOT NULL,
    minute         BIGINT NOT NULL,
    count          BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, integration_id, verdict, minute)
);

CREATE TABLE events (
    id                BIGINT PRIMARY KEY NOT NULL,
    tenant_id         TEXT NOT NULL,
    request_id        BIGINT,
    integration_id    TEXT NOT NULL,
    incident_id       BIGINT,
    -- The incident's event before this one: a timeline is read along this chain, newest first, without an index.
    previous_event_id BIGINT,
    action            TEXT NOT NULL,
    dedup_key         TEXT NOT NULL,
    outcome           TEXT NOT NULL,
    severity          TEXT NOT NULL,
    summary           TEXT NOT NULL,
    source            TEXT NOT NULL,
    -- Who did it, where it was a person or a timer.
    actor             TEXT,
    note              TEXT,
    occurred_at       BIGINT,
    received_at       BIGINT NOT NULL
);

CREATE SEQUENCE incident_number;
CREATE TABLE incidents (
    id                   BIGINT PRIMARY KEY NOT NULL,
    tenant_id            TEXT NOT NULL,
    number               BIGINT NOT NULL DEFAULT nextval('incident_number'),
    service_id           TEXT NOT NULL,
    integration_id       TEXT NOT NULL,
    dedup_key            TEXT NOT NULL,
    -- The key while the incident is open, NULL once it is resolved: at most one open incident a key.
    open_key             TEXT,
    status               TEXT NOT NULL,
    title                TEXT NOT NULL,
    -- NULL while it is the title.
    first_summary        TEXT,
    severity             TEXT NOT NULL,
    source               TEXT NOT NULL,
    -- JSON: component, group, class, custom_details, links, images, client, client_url.
    shown                TEXT NOT NULL,
    -- JSON: which source times stand behind what is shown (only for tools whose times order their messages).
    evidence             TEXT,
    event_count          BIGINT NOT NULL,
    first_seen           BIGINT NOT NULL,
    last_seen            BIGINT NOT NULL,
    acknowledged_at      BIGINT,
    acknowledged_by      TEXT,
    resolved_at          BIGINT,
    resolved_by          TEXT,
    expires_at           BIGINT,
    reminded_at          BIGINT,
    previous_incident_id BIGINT,
    last_event_id        BIGINT NOT NULL
);
CREATE UNIQUE INDEX incidents_open_key ON incidents (integration_id, open_key) WHERE open_key IS NOT NULL;
CREATE INDEX incidents_open ON incidents (tenant_id, id) WHERE open_key IS NOT NULL;

-- What is remembered of a key that was resolved.
CREATE TABLE tombstones (
    integration_id TEXT NOT NULL,
    dedup_key      TEXT NOT NULL,
    tenant_id      TEXT NOT NULL,
    -- The key's newest incident, if it had one.
    incident_id    BIGINT,
    -- The newest source time of a resolve that the tool itself sent, and when that was received.
    order_at       BIGINT,
    resolved_at    BIGINT,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (integration_id, dedup_key)
);

CREATE TABLE changes (
    id             BIGINT PRIMARY KEY NOT NULL,
    tenant_id      TEXT NOT NULL,
    integration_id TEXT NOT NULL,
    service_id     TEXT NOT NULL,
    request_id     BIGINT,
    summary        TEXT NOT NULL,
    source         TEXT,
    details        TEXT NOT NULL,
    occurred_at    BIGINT,
    received_at    BIGINT NOT NULL
);

-- What the outside world must be told; written with what caused it.
CREATE TABLE outbox (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   TEXT NOT NULL,
    -- incident.triggered, incident.acknowledged, incident.resolved, incident.updated, change.created.
    event       TEXT NOT NULL,
    incident_id BIGINT,
    change_id   BIGINT,
    event_id    BIGINT,
    created_at  BIGINT NOT NULL,
    -- How severe the incident was then.
    severity    TEXT
);

-- What is told to one destination: once for each thing that happened, in order for each subject.
CREATE TABLE deliveries (
    id             BIGINT PRIMARY KEY NOT NULL,
    tenant_id      TEXT NOT NULL,
    destination_id TEXT NOT NULL,
    -- The incident or change event that it is about.
    subject        TEXT NOT NULL,
    -- The rule by which it goes there; NULL: to the default destination, or by hand.
    rule_id        TEXT,
    incident_id    BIGINT,
    event_id       BIGINT,
    -- incident.triggered, …, change.created, test.
    event          TEXT NOT NULL,
    -- pending, retrying, delivered, dead or skipped.
    status         TEXT NOT NULL,
    -- Why it is where it is, for people.
    reason         TEXT,
    -- JSON: what is told, as things were when it happened.
    message        TEXT NOT NULL,
    attempts       INTEGER NOT NULL,
    -- Attempts that the receiver did not merely put off.
    failures       INTEGER NOT NULL,
    created_at     BIGINT NOT NULL,
    -- From when its age counts: when it was made, or last taken out of the dead letters.
    tried_since    BIGINT NOT NULL,
    -- When it was delivered, given up or left out; NULL: it is still to be told.
    finished_at    BIGINT
);
CREATE INDEX deliveries_unfinished ON deliveries (destination_id, subject, id) WHERE finished_at IS NULL;
CREATE INDEX deliveries_dead ON deliveries (tenant_id, id) WHERE status = 'dead';
CREATE INDEX deliveries_by_incident ON deliveries (incident_id) WHERE incident_id IS NOT NULL;

-- What was sent and what came back, secrets masked.
CREATE TABLE attempts (
    delivery_id BIGINT NOT NULL,
    number      INTEGER NOT NULL,
    started_at  BIGINT NOT NULL,
    -- Microseconds.
    took        BIGINT NOT NULL,
    -- delivered, later, refused or gone.
    result      TEXT NOT NULL,
    -- The HTTP status; NULL: there was no answer.
    status      INTEGER,
    error       TEXT,
    -- JSON: method, url, headers, body.
    request     TEXT NOT NULL,
    -- The beginning of what was answered.
    answer      TEXT,
    PRIMARY KEY (delivery_id, number)
);

-- One subject at one destination: what was told there, and when there is something to do.
CREATE TABLE threads (
    destination_id TEXT NOT NULL,
    subject        TEXT NOT NULL,
    tenant_id      TEXT NOT NULL,
    incident_id    BIGINT,
    -- The route that its first message took, which those after it follow.
    rule_id        TEXT,
    -- The event types that the route asked for, with commas between them.
    wants          TEXT NOT NULL,
    -- When it is looked at; while a worker has it, when it may be taken from that worker. NULL: there is nothing to do.
    due_at         BIGINT,
    -- Which worker has it.
    lease          TEXT,
    -- Nothing is told before this; then how things stand, if that is news. NULL: it is not on hold.
    held_until     BIGINT,
    held_by        TEXT,
    -- The status and severity that the receiver knows; NULL: it was told nothing.
    told_status    TEXT,
    told_severity  TEXT,
    -- 1: something was sent there of which it is not known whether it arrived.
    in_doubt       INTEGER NOT NULL DEFAULT 0,
    -- JSON: what the channel needs to change its message in place.
    remembered     TEXT,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (destination_id, subject)
);
CREATE INDEX threads_due ON threads (destination_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX threads_held ON threads (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX threads_by_incident ON threads (incident_id) WHERE incident_id IS NOT NULL;

-- How the receiver of a destination is doing.
CREATE TABLE breakers (
    destination_id TEXT PRIMARY KEY NOT NULL,
    -- In a row.
    failures       INTEGER NOT NULL,
    open_until     BIGINT,
    probing_until  BIGINT,
    -- It asked for time until then.
    paused_until   BIGINT,
    -- When it last came back: what was made before that waited, and may be merged.
    recovered_at   BIGINT,
    -- When it first said that it is gone; said again, the destination is disabled.
    gone_at        BIGINT,
    -- How far ahead its limit of messages a minute is spent.
    paced_at       BIGINT,
    -- Deliveries that were put off because the breaker was open.
    skipped        BIGINT NOT NULL,
    -- When the breaker opened; NULL: it is closed.
    opened_at      BIGINT,
    -- When something last arrived, and when something last did not; to about a second.
    delivered_at   BIGINT,
    failed_at      BIGINT
);

-- When a rule last paged for a key, for its dedupe window.
CREATE TABLE pages (
    rule_id        TEXT NOT NULL,
    integration_id TEXT NOT NULL,
    dedup_key      TEXT NOT NULL,
    paged_at       BIGINT NOT NULL,
    PRIMARY KEY (rule_id, integration_id, dedup_key)
);

-- Open incidents that a rule looks at again as time goes by: its steps, its fallback, how long one is open.
CREATE TABLE watches (
    rule_id     TEXT NOT NULL,
    incident_id BIGINT NOT NULL,
    tenant_id   TEXT NOT NULL,
    started_at  BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    -- JSON: what was done so far.
    state       TEXT NOT NULL,
    PRIMARY KEY (rule_id, incident_id)
);
CREATE INDEX watches_due ON watches (due_at);
CREATE INDEX watches_by_incident ON watches (incident_id);

-- Delivery ids that a sender guarantees, of requests that had an effect.
CREATE TABLE seen_deliveries (
    integration_id TEXT NOT NULL,
    delivery_id    TEXT NOT NULL,
    body_hash      TEXT NOT NULL,
    tenant_id      TEXT NOT NULL,
    request_id     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (integration_id, delivery_id, body_hash)
);
-- Retention asks whether a request is remembered.
CREATE INDEX seen_deliveries_by_request ON seen_deliveries (request_id);

-- What replays have done, so that none does it twice; gone with the request.
CREATE TABLE replays (
    request_id  BIGINT NOT NULL,
    -- Which event of the request (action, key, and its place among equals), or, where event_id is NULL, which one it stands for that
    -- was not understood and is now.
    mark        TEXT NOT NULL,
    tenant_id   TEXT NOT NULL,
    -- The event that was made.
    event_id    BIGINT,
    incident_id BIGINT,
    replayed_at BIGINT NOT NULL,
    PRIMARY KEY (request_id, mark)
);
CREATE INDEX replays_by_incident ON replays (incident_id);

CREATE TABLE api_tokens (
    id           TEXT PRIMARY KEY NOT NULL,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    name         TEXT NOT NULL,
    hash         TEXT NOT NULL UNIQUE,
    scopes       TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT
);

CREATE TABLE audit (
    id          TEXT PRIMARY KEY NOT NULL,
    tenant_id   TEXT NOT NULL,
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL,
    object_type TEXT NOT NULL,
    object_id   TEXT NOT NULL,
    before      TEXT,
    after       TEXT,
    created_at  BIGINT NOT NULL
);

CREATE TABLE config_version (
    id      INTEGER PRIMARY KEY NOT NULL,
    version BIGINT NOT NULL
);
INSERT INTO config_version (id, version) VALUES (1, 1);

-- Facts about this store: the check value of its master key.
CREATE TABLE facts (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);

-- What a batch of ingest writes, one array a table: a composite costs the server a fifteenth of an array a column. The sender
-- spells the attributes in this order, so a type is never changed: a row that needs more gets a new one.
CREATE TYPE request_row AS (
    id BIGINT, tenant_id TEXT, integration_id TEXT, route TEXT, verdict TEXT, status INTEGER, received_at BIGINT, headers TEXT,
    query TEXT, target TEXT, message TEXT, first_event_id BIGINT, last_event_id BIGINT, body_encoding TEXT,
    body BYTEA
);
CREATE TYPE event_row AS (
    id BIGINT, tenant_id TEXT, request_id BIGINT, integration_id TEXT, incident_id BIGINT, previous_event_id BIGINT, action TEXT,
    dedup_key TEXT, outcome TEXT, severity TEXT, summary TEXT, source TEXT, actor TEXT, note TEXT, occurred_at BIGINT,
    received_at BIGINT
);
CREATE TYPE incident_row AS (
    id BIGINT, tenant_id TEXT, service_id TEXT, integration_id TEXT, dedup_key TEXT, open_key TEXT, status TEXT, title TEXT,
    first_summary TEXT, severity TEXT, source TEXT, shown TEXT, evidence TEXT, event_count BIGINT, first_seen BIGINT,
    last_seen BIGINT, acknowledged_at BIGINT, acknowledged_by TEXT, resolved_at BIGINT, resolved_by TEXT, expires_at BIGINT,
    reminded_at BIGINT, previous_incident_id BIGINT, last_event_id BIGINT
);
-- met_event_id: its last event when it was read. Another one by now: somebody else was faster.
CREATE TYPE incident_state AS (
    id BIGINT, met_event_id BIGINT, status TEXT, title TEXT, first_summary TEXT, severity TEXT, source TEXT, shown TEXT,
    evidence TEXT, event_count BIGINT, last_seen BIGINT, acknowledged_at BIGINT, acknowledged_by TEXT, resolved_at BIGINT,
    resolved_by TEXT, expires_at BIGINT, reminded_at BIGINT, last_event_id BIGINT
);
CREATE TYPE tombstone_row AS (
    integration_id TEXT, dedup_key TEXT, tenant_id TEXT, incident_id BIGINT, order_at BIGINT, resolved_at BIGINT, updated_at BIGINT
);
CREATE TYPE change_row AS (
    id BIGINT, tenant_id TEXT, integration_id TEXT, service_id TEXT, request_id BIGINT, summary TEXT, source TEXT, details TEXT,
    occurred_at BIGINT, received_at BIGINT
);
CREATE TYPE outbox_row AS (
    tenant_id TEXT, event TEXT, incident_id BIGINT, change_id BIGINT, event_id BIGINT, created_at BIGINT, severity TEXT
);
CREATE TYPE seen_row AS (
    integration_id TEXT, delivery_id TEXT, body_hash TEXT, tenant_id TEXT, request_id BIGINT, expires_at BIGINT
);
CREATE TYPE replay_row AS (
    request_id BIGINT, mark TEXT, tenant_id TEXT, event_id BIGINT, incident_id BIGINT, replayed_at BIGINT
);

-- Called by a statement that finds that somebody else was faster: nothing of it is kept, and its sender reads and tries again.
CREATE FUNCTION lost_race() RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an incident changed after it was read' USING ERRCODE = 'serialization_failure';
END
$$;
