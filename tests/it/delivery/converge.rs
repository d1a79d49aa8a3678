//! Convergence: whatever happens, and however long it is held back or fails to arrive, in the end each destination knows how things stand.
//!
//! A random life of some incidents, rules and receivers, drawn from a seed that a failure prints. `CALLBOX_TEST_SEED` runs one life again;
//! `CALLBOX_TEST_LIVES` runs more of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{destination_from, start_with};
use crate::support::receiver::{Receiver, Request, Way};
use crate::support::{Callbox, Database, Integration};

on_both!(in_the_end_each_destination_knows_how_things_stand);

/// Short, so that every hold and every wait happens within a few seconds.
const SETTINGS: &[(&str, &str)] = &[("CALLBOX_DELIVERY_TIMEOUT", "400ms"), ("CALLBOX_DELIVERY_LEASE", "2s")];
const STEPS: usize = 90;
const KEYS: usize = 5;

async fn in_the_end_each_destination_knows_how_things_stand(database: Database) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let fresh = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let first = number("CALLBOX_TEST_SEED").unwrap_or(fresh);
    for life in 0..number("CALLBOX_TEST_LIVES").unwrap_or(1) {
        let seed = first.wrapping_add(life);
        eprintln!("CALLBOX_TEST_SEED={seed}");
        Life::begin(&database, seed).await.run().await;
    }
}

/// What a receiver made of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It knows, and said so.
    Taken,
    /// It may know: it said nothing, or too late.
    Perhaps,
    /// It does not know.
    Refused,
}

/// One thing told to a destination.
#[derive(Clone, Debug)]
struct Told {
    fate: Fate,
    event: String,
    incident: i64,
    status: String,
    severity: String,
}

/// How the receivers of a destination behave at the moment, and what they were told, at whichever URL.
#[derive(Default)]
struct Ear {
    mood: u64,
    told: Vec<Told>,
}

struct Place {
    id: String,
    ear: Arc<Mutex<Ear>>,
    /// Two receivers: the destination's URL leads to one of them.
    receivers: [Receiver; 2],
}

struct Life {
    service: Option<Callbox>,
    tool: Integration,
    places: Vec<Place>,
    /// Told of nothing by any rule.
    nobody: Receiver,
    rules: Vec<String>,
    random: u64,
    seed: u64,
    did: Vec<String>,
    /// The last incident that there was when the process was killed: what was on its way to be told of it, nobody knows.
    killed_at: i64,
}

impl Life {
    async fn begin(database: &Database, seed: u64) -> Self {
        let service = start_with(database, SETTINGS).await;
        let mut places = Vec::new();
        for index in 0..4 {
            places.push(place(&service, &format!("place-{seed}-{index}"), index).await);
        }
        let nobody = Receiver::start().await;
        let fields = json!({"name": format!("nobody-{seed}"), "kind": "webhook", "url": nobody.url(), "no_rule": true});
        destination_from(&service, fields).await;
        let fields = json!({"type": "events", "name": format!("tool-{seed}"), "rate_limit_per_minute": 0});
        let tool = service.api().integration_from(fields).await;
        let mut life = Self {
            service: Some(service),
            tool,
            places,
            nobody,
            rules: Vec::new(),
            random: seed | 1,
            seed,
            did: Vec::new(),
            killed_at: 0,
        };
        // The first place is told everything at once; the others by rules that hold back, and that change.
        let retry = json!({"first_delay": "1s", "max_delay": "1s"});
        let all = |index: usize| life.places[index].id.clone();
        let own = [life.tool.id.clone()];
        let rules = [
            json!({"name": "all", "destinations": [all(0)], "integrations": own, "retry": retry}),
            json!({"name": "quiet", "destinations": [all(1)], "integrations": own, "retry": retry}),
            json!({"name": "calm", "destinations": [all(2)], "integrations": own, "retry": retry, "dedupe_window": "2s"}),
            json!({"name": "slow", "destinations": [all(3)], "integrations": own, "retry": retry, "rate_limit": 30}),
            json!({"name": "bad", "destinations": [all(1), all(3)], "integrations": own, "retry": retry, "severity_floor": "error"}),
        ];
        for mut rule in rules {
            rule["name"] = json!(format!("{}-{seed}", rule["name"].as_str().unwrap()));
            let answer = life.service().api().post("/api/v1/rules", &rule).await;
            assert_eq!(answer.status, 201, "{}", answer.body);
            life.rules.push(answer.body["id"].as_str().unwrap().to_owned());
        }
        life
    }

    fn service(&self) -> &Callbox {
        self.service.as_ref().unwrap()
    }

    /// A number below `end`: xorshift, so that a seed is a life.
    fn draw(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % end
    }

    async fn run(mut self) {
        let restart = usize::try_from(self.draw(STEPS as u64)).unwrap();
        for step in 0..STEPS {
            if step == restart {
                self.did.push("killed".to_owned());
                let service = self.service.take().unwrap();
                let newest = service.api().get("/api/v1/incidents?limit=1").await.body;
                self.killed_at = newest["items"][0]["number"].as_i64().unwrap_or(0);
                self.service = Some(service.kill_and_restart().await);
            }
            self.step().await;
            let pause = self.draw(60);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        self.heal().await;
        let result = self.settled().await;
        assert!(result.is_ok(), "CALLBOX_TEST_SEED={}: {}\n{}", self.seed, result.unwrap_err(), self.did.join("\n"));
    }

    /// One thing happens.
    async fn step(&mut self) {
        match self.draw(20) {
            0..=12 => self.event().await,
            13..=15 => self.mood(),
            16 => self.swap().await,
            _ => self.change_a_rule().await,
        }
    }

    async fn event(&mut self) {
        let key = format!("key-{}", self.draw(KEYS as u64));
        let action = ["trigger", "trigger", "trigger", "acknowledge", "resolve"][self.draw(5) as usize];
        let severity = ["info", "warning", "error", "critical"][self.draw(4) as usize];
        self.did.push(format!("{action} {key} {severity}"));
        super::send_with(self.service(), &self.tool, action, &key, severity).await;
    }

    /// A place behaves otherwise from now on.
    fn mood(&mut self) {
        let (place, mood) = (self.draw(4) as usize, self.draw(9));
        self.did.push(format!("place {place} is in mood {mood}"));
        self.places[place].ear.lock().unwrap().mood = mood;
    }

    async fn swap(&mut self) {
        let (place, to) = (self.draw(4) as usize, self.draw(2) as usize);
        self.did.push(format!("place {place} leads to its receiver {to}"));
        let place = &self.places[place];
        self.patch("destinations", &place.id, json!({"url": place.receivers[to].url()})).await;
    }

    async fn change_a_rule(&mut self) {
        let rule = self.draw(4) as usize + 1;
        let fields = match self.draw(5) {
            0 => json!({"severity_floor": "critical"}),
            1 => json!({"severity_floor": null}),
            2 => json!({"enabled": false}),
            3 => {
                let until = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(2500);
                json!({"enabled": true, "quiet_windows": [{"from": "2020-01-01T00:00:00Z", "until": until.to_string()}]})
            }
            _ => json!({"enabled": true, "severity_floor": null}),
        };
        self.did.push(format!("rule {rule}: {fields}"));
        if rule == 4 && self.draw(3) == 0 {
            let path = format!("/api/v1/rules/{}", self.rules[rule]);
            let status = self.service().api().delete(&path).await.status;
            assert!(status / 100 == 2 || status == 404, "{status}");
            return;
        }
        let id = self.rules[rule].clone();
        self.patch("rules", &id, fields).await;
    }

    async fn patch(&self, what: &str, id: &str, fields: Value) {
        let answer = self.service().api().patch(&format!("/api/v1/{what}/{id}"), &fields).await;
        assert!(answer.status == 200 || (what == "rules" && answer.status == 404), "{} {}", answer.status, answer.body);
    }

    /// All receivers are well again, and what was given up is taken up again.
    async fn heal(&mut self) {
        self.did.push("all are well".to_owned());
        for place in &self.places {
            place.ear.lock().unwrap().mood = 0;
        }
    }

    /// Waits until nothing is left to tell; then whether all know how things stand.
    async fn settled(&self) -> Result<(), String> {
        let api = self.service().api();
        let start = std::time::Instant::now();
        loop {
            let wrong = match self.left(&api).await {
                Some(left) => left,
                None => match self.lies(&api).await {
                    Ok(()) => return self.never(),
                    Err(lie) => lie,
                },
            };
            if start.elapsed() > Duration::from_secs(45) {
                return Err(wrong);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What is still to be told; dead letters are taken up again by hand.
    async fn left(&self, api: &crate::support::Api) -> Option<String> {
        for place in &self.places {
            api.post("/api/v1/deliveries/retry", &json!({"destination_id": place.id})).await;
        }
        let left = api.get("/api/v1/deliveries?status=pending&status=retrying&status=dead&limit=500").await.body;
        // Of this life: the receivers of one before it are gone, and what a hold of its rules let go since goes nowhere.
        let ours = |row: &Value| self.places.iter().any(|place| row["destination_id"] == place.id.as_str());
        let left: Vec<Value> = left["items"].as_array().unwrap().iter().filter(|row| ours(row)).cloned().collect();
        (!left.is_empty()).then(|| format!("{} are left: {}", left.len(), left[0]))
    }

    /// Whether the last thing that each place was told of each incident is how that stands.
    async fn lies(&self, api: &crate::support::Api) -> Result<(), String> {
        let incidents = api.all(&format!("/api/v1/incidents?integration_id={}", self.tool.id)).await;
        let present: HashMap<i64, &Value> =
            incidents.iter().map(|incident| (incident["number"].as_i64().unwrap(), incident)).collect();
        for (index, place) in self.places.iter().enumerate() {
            let told = place.ear.lock().unwrap().told.clone();
            let mut last: HashMap<i64, &Told> = HashMap::new();
            for told in told.iter().filter(|told| told.fate != Fate::Refused) {
                // What may have arrived counts, unless something that certainly did came after it.
                last.insert(told.incident, told);
            }
            for (number, told) in &last {
                let Some(incident) = present.get(number) else { continue };
                if told.status != incident["status"] || (told.severity != incident["severity"] && told.status != "resolved") {
                    let all: Vec<_> =
                        place.ear.lock().unwrap().told.iter().filter(|told| told.incident == *number).cloned().collect();
                    let deliveries =
                        api.get(&format!("/api/v1/deliveries?incident_id={}", incident["id"].as_str().unwrap())).await;
                    return Err(format!(
                        "place {index} was told {all:#?}\nand the incident is {incident:#}\n{:#}",
                        deliveries.body
                    ));
                }
            }
            // The first place has a rule that never changes: it is told of all that is open.
            for (number, incident) in &present {
                if index == 0 && incident["status"] != "resolved" && !last.contains_key(number) {
                    return Err(format!("nobody was told of {incident:#}"));
                }
            }
        }
        Ok(())
    }

    /// What must not have happened at any time.
    fn never(&self) -> Result<(), String> {
        if self.nobody.count() > 0 {
            return Err("a destination was told something that no rule names".to_owned());
        }
        for (index, place) in self.places.iter().enumerate() {
            let told = place.ear.lock().unwrap().told.clone();
            let (mut opened, mut over): (HashSet<i64>, HashSet<i64>) = Default::default();
            for told in &told {
                let begins = told.event == "incident.triggered";
                let unknowable = told.incident <= self.killed_at && told.status == "resolved";
                if !begins && !unknowable && !opened.contains(&told.incident) {
                    return Err(format!("place {index} was told {told:?}, and never that it began"));
                }
                if begins && told.fate != Fate::Refused {
                    opened.insert(told.incident);
                }
                if over.contains(&told.incident) && told.status != "resolved" {
                    return Err(format!("place {index} was told {told:?} after the end"));
                }
                if told.status == "resolved" && told.fate == Fate::Taken {
                    over.insert(told.incident);
                }
            }
        }
        Ok(())
    }
}

/// A destination without a rule of its own.
async fn place(service: &Callbox, name: &str, index: usize) -> Place {
    let ear = Arc::new(Mutex::new(Ear::default()));
    let receivers = [hearing(&ear).await, hearing(&ear).await];
    let mut fields = json!({
        "name": name, "kind": "webhook", "url": receivers[0].url(), "no_rule": true, "breaker_failures": 4, "breaker_rest": "1s",
    });
    if index == 2 {
        fields["rate_limit_per_minute"] = json!(60);
    }
    Place { id: destination_from(service, fields).await, ear, receivers }
}

async fn hearing(ear: &Arc<Mutex<Ear>>) -> Receiver {
    let ear = Arc::clone(ear);
    let mut turn = 0_u64;
    Receiver::deciding(move |request| {
        turn += 1;
        let mut ear = ear.lock().unwrap();
        let (fate, way) = match ear.mood {
            0..=2 => (Fate::Taken, Way::status(200)),
            3 => (Fate::Refused, Way::status(500)),
            4 => (Fate::Perhaps, Way::Stall),
            5 => (Fate::Perhaps, Way::Reset),
            6 => (Fate::Refused, Way::with(429, "retry-after", "1")),
            7 => (Fate::Perhaps, Way::Late(Duration::from_millis(600))),
            // Most of what it is told, it takes.
            _ if turn.is_multiple_of(3) => (Fate::Refused, Way::status(400)),
            _ => (Fate::Taken, Way::Late(Duration::from_millis(30))),
        };
        ear.told.push(heard(request, fate));
        way
    })
    .await
}

fn heard(request: &Request, fate: Fate) -> Told {
    let body = request.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Told {
        fate,
        event: text(&body["event"]),
        incident: body["incident"]["number"].as_i64().unwrap_or(0),
        status: text(&body["incident"]["status"]),
        severity: text(&body["incident"]["severity"]),
    }
}
