use super::*;
use crate::retention::disk::HighWater;
use std::io::Write;

fn load(file: Option<&str>, env: &[(&str, &str)], flags: &Flags) -> Result<Config, ConfigError> {
    let written = file.map(|text| {
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    });
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(written.as_ref().map(|file| file.path()), env, flags)
}

/// The problems as text, the file's path shortened to `FILE`.
fn problems(file: Option<&str>, env: &[(&str, &str)]) -> Vec<String> {
    let error = load(file, env, &Flags::default()).unwrap_err();
    let shown = error.problems.into_iter().map(|mut problem| {
        if problem.origin.ends_with(".toml") {
            problem.origin = "FILE".to_owned();
        }
        problem.to_string()
    });
    shown.collect()
}

#[test]
fn the_reference_names_and_explains_every_setting_and_holds_the_defaults() {
    let document: toml::Table = DEFAULT_FILE.parse().unwrap();
    let in_file: Vec<String> = document
        .iter()
        .flat_map(|(section, entries)| entries.as_table().unwrap().keys().map(move |key| format!("{section}.{key}")))
        .collect();
    let mut known = Vec::new();
    for setting in settings::SETTINGS {
        known.push(setting.key.to_owned());
        known.extend(setting.may_be_in_file.then(|| format!("{}_file", setting.key)));
    }
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(in_file), sorted(known));

    let lines: Vec<&str> = DEFAULT_FILE.lines().collect();
    for pair in lines.windows(2).filter(|pair| pair[1].contains(" = ") && !pair[1].starts_with('#')) {
        assert!(pair[0].starts_with('#') || pair[0].contains(" = "), "no explanation above {:?}", pair[1]);
    }

    let config = load(None, &[], &Flags::default()).unwrap();
    assert_eq!(load(Some(DEFAULT_FILE), &[], &Flags::default()).unwrap(), config);
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.store.database, Database::Sqlite("callbox.db".into()));
    assert_eq!((config.limits.native_body, config.limits.rate_per_minute), (8 << 20, 120));
    assert_eq!((config.limits.answer_within, config.shutdown.grace), (Duration::from_millis(800), Duration::from_secs(10)));
    let kept = &config.retention;
    let ages = [kept.ledger, kept.refused, kept.events, kept.incidents, kept.changes, kept.audit, kept.undelivered]
        .map(|age| age.to_string());
    assert_eq!(ages, ["30d", "7d", "90d", "365d", "90d", "off", "7d"]);
    assert_eq!((kept.ledger_bytes, kept.events_bytes, kept.disk_high_water), (0, 0, HighWater::Left(1 << 30)));
    assert_eq!((config.secrets, config.server.tls_cert, config.server.trusted_proxies), (Secrets::default(), None, vec![]));
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let listen = |file, env: &[(&str, &str)], flag: Option<&str>| {
        let flags = Flags { listen: flag.map(str::to_owned), ..Flags::default() };
        load(file, env, &flags).unwrap().server.listen.port()
    };
    let file = Some("[server]\nlisten = \"[::1]:1\"");
    assert_eq!(listen(None, &[], None), 8080);
    assert_eq!(listen(file, &[], None), 1);
    assert_eq!(listen(file, &[("CALLBOX_LISTEN", "[::1]:2")], None), 2);
    assert_eq!(listen(file, &[("CALLBOX_SERVER_LISTEN", "[::1]:2")], None), 2);
    assert_eq!(listen(file, &[("CALLBOX_LISTEN", "")], None), 1);
    assert_eq!(listen(file, &[("CALLBOX_LISTEN", "[::1]:2")], Some("[::1]:3")), 3);
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let file = "[server]\nlisten = 8080\nlisen = \"x\"\n[limits]\nnative_body = \"8 MeB\"\nheader_timeout = 5\nmax_wait = \"1h\"\n\
                [nothing]\nat_all = 1\n[store]\npool_size = 0\nlanes = [1]\n[log]\nlevel = \"3\"";
    let env = [("CALLBOX_LISEN", "x"), ("CALLBOX_LIMITS_QUEUE_REQUESTS", "many"), ("PATH", "/bin")];
    let mut found = problems(Some(file), &env);
    found.sort();
    assert_eq!(
        found,
        [
            "CALLBOX_LIMITS_QUEUE_REQUESTS: \"many\" is not a whole number from 1 to 10000000",
            "CALLBOX_LISEN: unknown setting; did you mean CALLBOX_LISTEN?",
            "FILE:11: store.pool_size: \"0\" is not a whole number from 1 to 1000",
            "FILE:12: store.lanes: must be a text, a number, true, false or a list of texts",
            "FILE:14: log.level: \"3\" is not error, warn, info, debug or trace",
            "FILE:2: server.listen: \"8080\" is not an address and port, such as 127.0.0.1:8080 or [::]:8080",
            "FILE:3: server.lisen: unknown setting; did you mean server.listen?",
            "FILE:5: limits.native_body: \"8 MeB\" is not a size, such as 512KiB or 8MiB",
            "FILE:6: limits.header_timeout: \"5\" is not a time with its unit, such as 800ms or 5s",
            "FILE:7: limits.max_wait: must be more than 0 and at most 60s",
            "FILE:9: nothing.at_all: unknown setting",
        ]
    );
    assert!(problems(Some("[server\nlisten = 1"), &[])[0].starts_with("FILE:1: "));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let found = problems(None, &[("CALLBOX_TLS_CERT", "c.pem"), ("CALLBOX_LIMITS_QUEUE_BYTES", "1MiB")]);
    assert_eq!(
        found,
        [
            "settings: server.tls_cert: TLS needs both tls_cert and tls_key",
            "settings: limits.queue_bytes: is less than limits.native_body"
        ]
    );
    let found = problems(None, &[("CALLBOX_LISTEN", "[::1]:1"), ("CALLBOX_SERVER_LISTEN", "[::1]:2")]);
    assert_eq!(found, ["CALLBOX_SERVER_LISTEN: sets the same as CALLBOX_LISTEN; use one of them"]);
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let mut token = tempfile::NamedTempFile::new().unwrap();
    token.write_all(b"hush-token\n").unwrap();
    let path = token.path().to_str().unwrap();
    let config = load(None, &[("CALLBOX_ADMIN_TOKEN_FILE", path)], &Flags::default()).unwrap();
    assert_eq!(config.secrets.admin_token, Some(Secret::new("hush-token")));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);

    let database = "postgres://u:hush@db/callbox";
    let config = load(None, &[("CALLBOX_DATABASE", database), ("CALLBOX_ADMIN_TOKEN", "hush")], &Flags::default()).unwrap();
    assert_eq!(config.store.database, Database::Postgres(Secret::new(database)));
    assert!(!format!("{config:?}").contains("hush"));

    let found = problems(None, &[("CALLBOX_MASTER_KEY", "hush"), ("CALLBOX_DATABASE", "mysql://u:hush@db/x")]).join("\n");
    assert!(found.contains("CALLBOX_MASTER_KEY: the master key must be 32 bytes"), "{found}");
    assert!(!found.contains("hush"), "{found}");
    let both = problems(None, &[("CALLBOX_ADMIN_TOKEN", "hush"), ("CALLBOX_ADMIN_TOKEN_FILE", path)]);
    assert_eq!(both, ["CALLBOX_ADMIN_TOKEN_FILE: sets the same as CALLBOX_ADMIN_TOKEN; use one of them"]);
    let missing = problems(None, &[("CALLBOX_ADMIN_TOKEN_FILE", "/nonexistent/token")]);
    assert!(missing[0].starts_with("CALLBOX_ADMIN_TOKEN_FILE: /nonexistent/token cannot be read"), "{missing:?}");
}

#[test]
fn of_the_environment_destinations_may_name_what_is_listed() {
    let file = "[outbound]\nsecrets_env = [\"SLACK_URL\", \"UNSET\"]";
    let env = [("SLACK_URL", "https://hooks.example/hush"), ("OTHER", "hush")];
    let outbound = load(Some(file), &env, &Flags::default()).unwrap().outbound;
    assert!(!format!("{outbound:?}").contains("hush"));
    let resolve = |text: &str| outbound.references().resolve(&Secret::new(text)).map(|found| found.expose().to_owned());
    assert_eq!(resolve("${SLACK_URL}").as_deref(), Ok("https://hooks.example/hush"));
    assert!(resolve("${OTHER}").unwrap_err().to_string().contains("may not be used"));
    assert!(resolve("${UNSET}").unwrap_err().to_string().contains("is not set"));
    let found =
        problems(None, &[("CALLBOX_OUTBOUND_SECRETS_ENV", "CALLBOX_MASTER_KEY"), ("CALLBOX_MASTER_KEY", &"07".repeat(32))]);
    assert!(found[0].contains("is a setting of Callbox"), "{found:?}");
    assert_eq!(problems(None, &[("CALLBOX_OUTBOUND_SECRETS_ENV", "A-B")]).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_file_with_secrets_that_all_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let warnings = |file: &tempfile::NamedTempFile, mode: u32| {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        Config::load(Some(file.path()), std::iter::empty(), &Flags::default()).unwrap().warnings.len()
    };
    file.write_all(b"[store]\ndatabase = \"sqlite:x.db\"\n").unwrap();
    assert_eq!(warnings(&file, 0o644), 0);
    file.write_all(b"[secrets]\nadmin_token = \"hush\"\n").unwrap();
    assert_eq!(warnings(&file, 0o644), 1);
    assert_eq!(warnings(&file, 0o640), 0);
}

#[test]
fn variables_of_others_are_left_alone() {
    let env = [
        ("CALLBOX_URL", "http://x"),
        ("CALLBOX_TOKEN", "x"),
        ("CALLBOX_PORT", "tcp://10.0.0.1:80"),
        ("CALLBOX_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("CALLBOX_SERVICE_HOST", "10.0.0.1"),
    ];
    assert!(load(None, &env, &Flags::default()).is_ok());
}

#[test]
fn values_are_read_in_the_forms_people_write() {
    let env = [
        ("CALLBOX_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("CALLBOX_PUBLIC_URL", "https://alerts.example.com/"),
        ("CALLBOX_LIMITS_BODY_BUDGET", "1 GiB"),
        ("CALLBOX_LIMITS_QUEUE_BYTES", "67108864"),
        ("CALLBOX_STORE_UNSAFE", "true"),
        ("CALLBOX_LOG_LEVEL", "debug"),
        ("CALLBOX_LOG_FORMAT", "text"),
    ];
    let config = load(None, &env, &Flags { database: Some("sqlite:///var/lib/x.db".to_owned()), ..Flags::default() }).unwrap();
    assert_eq!(config.server.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "::1/128".parse::<IpNet>().unwrap()]);
    assert_eq!(config.server.public_url.as_deref(), Some("https://alerts.example.com"));
    assert_eq!((config.limits.body_budget, config.limits.queue_bytes), (1 << 30, 64 << 20));
    assert!(config.store.allow_unsafe);
    assert_eq!(config.log, Log { format: LogFormat::Text, level: tracing::Level::DEBUG });
    assert_eq!(config.store.database, Database::Sqlite("/var/lib/x.db".into()));
    let env = [
        ("CALLBOX_RETENTION_LEDGER", "12h"),
        ("CALLBOX_RETENTION_EVENTS", "off"),
        ("CALLBOX_RETENTION_LEDGER_BYTES", "20GiB"),
        ("CALLBOX_RETENTION_DISK_HIGH_WATER", "90%"),
    ];
    let kept = load(None, &env, &Flags::default()).unwrap().retention;
    assert_eq!(
        (kept.ledger.to_string(), kept.events.to_string(), kept.undelivered.to_string()),
        ("12h".into(), "off".into(), "7d".into())
    );
    assert_eq!((kept.ledger_bytes, kept.events_bytes, kept.disk_high_water), (20 << 30, 0, HighWater::Used(90)));
    for (name, bad) in [
        ("LEDGER", "30"),
        ("LEDGER", "59m"),
        ("INCIDENTS", "for ever"),
        ("UNDELIVERED", "off"),
        ("LEDGER_BYTES", "-1"),
        ("DISK_HIGH_WATER", "0"),
        ("DISK_HIGH_WATER", "100%"),
        ("DISK_HIGH_WATER", "0.5"),
    ] {
        assert_eq!(problems(None, &[(&format!("CALLBOX_RETENTION_{name}"), bad)]).len(), 1, "{name} {bad}");
    }
    for bad in ["ftp://x", "https://u:p@x", "https://x/?q", "x"] {
        assert_eq!(problems(None, &[("CALLBOX_PUBLIC_URL", bad)]).len(), 1, "{bad}");
    }
}
