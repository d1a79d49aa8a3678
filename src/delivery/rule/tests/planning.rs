use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::super::{Delivery, Page, Progress, Rule, Step};
use super::rule;
use crate::time::Timestamp;

const SINCE: Timestamp = Timestamp::from_seconds(1_750_000_000);

fn at(seconds: i64) -> Timestamp {
    SINCE.plus_seconds(seconds)
}

fn page<'a>(deliveries: &'a [Delivery<'a>]) -> Page<'a> {
    Page { since: SINCE, acknowledged_at: None, resolved_at: None, deliveries }
}

fn told(destination: &str, seconds: i64, progress: Progress) -> Delivery<'_> {
    Delivery { destination, at: at(seconds), progress }
}

/// Who is due, and in how many seconds from the page to ask again.
fn due<'a>(rule: &'a Rule, page: &Page<'_>, seconds: i64) -> (Vec<&'a str>, Option<i64>) {
    let due = rule.due(page, at(seconds));
    (due.destinations, due.next.map(|next| next.seconds() - SINCE.seconds()))
}

#[test]
fn steps_go_on_until_somebody_acknowledges() {
    let rule = rule(json!({"name": "x", "steps": [
        {"after": "0s", "destinations": ["push"]},
        {"after": "10m", "destinations": ["slack"]},
        {"after": "30m", "destinations": ["sms", "ops"]},
    ]}));
    assert_eq!(due(&rule, &page(&[]), 0), (vec!["dst_push"], Some(600)));
    let first = [told("dst_push", 0, Progress::Delivered)];
    assert_eq!(due(&rule, &page(&first), 599), (vec![], Some(600)));
    assert_eq!(due(&rule, &page(&first), 600), (vec!["dst_slack"], Some(1_800)));
    assert_eq!(
        due(&rule, &page(&first), 5_000),
        (vec!["dst_slack", "dst_sms", "dst_ops"], None),
        "asked late, told all the same"
    );
    let acknowledged = Page { acknowledged_at: Some(at(300)), ..page(&first) };
    assert_eq!(due(&rule, &acknowledged, 600), (vec![], None));
    let resolved = Page { resolved_at: Some(at(300)), ..page(&first) };
    assert_eq!(due(&rule, &resolved, 600), (vec![], None));
    let before = Page { acknowledged_at: Some(at(-1)), ..page(&first) };
    assert_eq!(due(&rule, &before, 600), (vec!["dst_slack"], Some(1_800)), "it was acknowledged before it became worse");
}

#[test]
fn fallback_goes_on_when_a_place_fails_or_is_late() {
    use Progress::{Delivered, Failed, Underway};
    let rule = rule(
        json!({"name": "x", "always": ["email"], "fallback": [["push", "slack"], ["sms"], ["ops"]], "fallback_after": "2m"}),
    );
    assert_eq!(due(&rule, &page(&[]), 0), (vec!["dst_email", "dst_push", "dst_slack"], Some(120)));
    let with = |push, slack| [told("dst_email", 0, Delivered), told("dst_push", 0, push), told("dst_slack", 0, slack)];
    let on = |deliveries: &[Delivery<'_>], seconds| {
        let (who, next) = due(&rule, &page(deliveries), seconds);
        (who.join(" "), next)
    };
    assert_eq!(on(&with(Underway, Underway), 60), (String::new(), Some(120)));
    assert_eq!(on(&with(Failed, Underway), 60), (String::new(), Some(120)), "the other may still");
    assert_eq!(on(&with(Failed, Failed), 60), ("dst_sms".to_owned(), Some(180)));
    assert_eq!(on(&with(Underway, Failed), 120), ("dst_sms".to_owned(), Some(240)));
    assert_eq!(on(&with(Failed, Delivered), 500), (String::new(), None), "one of them is enough");
    let mut late = with(Underway, Failed).to_vec();
    late.push(told("dst_sms", 120, Underway));
    assert_eq!(on(&late, 239), (String::new(), Some(240)), "the second has its time too");
    assert_eq!(on(&late, 240), ("dst_ops".to_owned(), Some(360)));
    late[1].progress = Delivered;
    assert_eq!(on(&late, 240), (String::new(), None), "the first was late, but arrived");
    late[1].progress = Failed;
    late[3].progress = Failed;
    assert_eq!(on(&late, 121), ("dst_ops".to_owned(), Some(241)));
    late.push(told("dst_ops", 121, Failed));
    assert_eq!(on(&late, 122), (String::new(), None), "there is nobody left");
    let acknowledged = Page { acknowledged_at: Some(at(1)), ..page(&[]) };
    assert_eq!(due(&rule, &acknowledged, 1).0, ["dst_email"], "who is told at once is told, if only of the acknowledgement");
}

#[test]
fn a_destination_of_both_is_told_by_the_first() {
    let rule = rule(json!({"name": "x", "fallback": [["push"], ["sms"]], "steps": [{"after": "10m", "destinations": ["sms"]}]}));
    assert_eq!(due(&rule, &page(&[]), 0), (vec!["dst_push"], Some(60)));
    let failed = [told("dst_push", 0, Progress::Failed)];
    assert_eq!(due(&rule, &page(&failed), 5).0, ["dst_sms"]);
    let worked = [told("dst_push", 0, Progress::Delivered)];
    assert_eq!(due(&rule, &page(&worked), 5), (vec![], Some(600)));
    let both = [told("dst_push", 0, Progress::Failed), told("dst_sms", 5, Progress::Underway)];
    assert_eq!(due(&rule, &page(&both), 600).0, Vec::<&str>::new());
}

/// What a destination does with what it is told: after how many seconds it ends, and how.
type Fate = (i64, Progress);

#[derive(Clone, Debug)]
struct World {
    rule: Rule,
    fates: BTreeMap<String, Fate>,
    acknowledged: Option<i64>,
    resolved: Option<i64>,
}

fn ids(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("d{number}")).collect()
}

fn a_world() -> impl Strategy<Value = World> {
    let fate = (1_i64..400, prop_oneof![Just(Progress::Delivered), Just(Progress::Failed), Just(Progress::Underway)]);
    let fates = proptest::collection::vec(fate, 12);
    let steps = proptest::collection::vec(0_u64..600, 0..4);
    let places = proptest::collection::vec(1_usize..3, 0..4);
    let moment = || proptest::option::weighted(0.4, 0_i64..900);
    (fates, steps, places, 0_usize..3, 1_u64..300, moment(), moment()).prop_map(
        |(fates, steps, places, at_once, patience, acknowledged, resolved)| {
            let mut rule = Rule::everything("x", ids(0..at_once));
            rule.always = ids(2..3);
            // The destinations of the steps are 3 to 6, one of which stands in the fallback too.
            let mut steps: Vec<Step> = steps
                .into_iter()
                .enumerate()
                .map(|(number, after)| Step {
                    after: std::time::Duration::from_secs(after),
                    destinations: ids(3 + number..4 + number),
                })
                .collect();
            steps.sort_by_key(|step| step.after);
            rule.steps = steps;
            let mut first = 6;
            for size in places {
                rule.fallback.push(ids(first..(first + size).min(12)));
                first = (first + size).min(11);
            }
            rule.fallback_after = std::time::Duration::from_secs(patience);
            World { rule, fates: ids(0..12).into_iter().zip(fates).collect(), acknowledged, resolved }
        },
    )
}

impl World {
    fn end(&self, id: &str, told: i64) -> (i64, Progress) {
        let (after, progress) = self.fates[id];
        (told + after, progress)
    }

    fn page_at<T>(&self, told: &BTreeMap<String, i64>, second: i64, ask: impl FnOnce(&Page<'_>) -> T) -> T {
        let deliveries: Vec<Delivery<'_>> = told
            .iter()
            .map(|(id, begun)| {
                let (end, progress) = self.end(id, *begun);
                let progress = if end <= second { progress } else { Progress::Underway };
                Delivery { destination: id, at: at(*begun), progress }
            })
            .collect();
        let past = |moment: Option<i64>| moment.filter(|moment| *moment <= second).map(at);
        ask(&Page {
            since: SINCE,
            acknowledged_at: past(self.acknowledged),
            resolved_at: past(self.resolved),
            deliveries: &deliveries,
        })
    }

    /// When each is told, if asked at the moments that `wakes` gives after each answer.
    fn run(&self, mut wake: impl FnMut(i64, Option<i64>, &BTreeMap<String, i64>) -> Option<i64>) -> BTreeMap<String, i64> {
        let (mut told, mut now) = (BTreeMap::new(), Some(0));
        while let Some(second) = now.filter(|second| *second <= 4_000) {
            let (ids, next) = self.page_at(&told, second, |page| {
                let (ids, next) = due(&self.rule, page, second);
                (ids.into_iter().map(str::to_owned).collect::<Vec<_>>(), next)
            });
            for id in ids {
                assert_eq!(told.insert(id.clone(), second), None, "{id} was told before");
            }
            assert!(next.is_none_or(|next| next > second), "it is asked again at once");
            now = wake(second, next, &told);
        }
        told
    }
}

proptest! {
    #[test]
    fn the_promises_of_steps_and_fallback_hold(world in a_world()) {
        let slowly = world.run(|second, _, _| Some(second + 1));
        let quickly = world.run(|second, next, told| {
            let ends = told.iter().map(|(id, begun)| world.end(id, *begun).0);
            let acts = world.acknowledged.into_iter().chain(world.resolved);
            ends.chain(acts).chain(next).filter(|moment| *moment > second).min()
        });
        prop_assert_eq!(&slowly, &quickly, "asking when it says so is enough");
        let rule = &world.rule;
        let ended = world.resolved.unwrap_or(i64::MAX);
        let closed = world.acknowledged.unwrap_or(i64::MAX).min(ended);
        for id in rule.destinations.iter().chain(&rule.always) {
            prop_assert_eq!(slowly.get(id).copied(), (ended > 0).then_some(0));
        }
        for id in rule.steps.iter().flat_map(|step| &step.destinations).chain(rule.fallback.iter().flatten()) {
            prop_assert!(slowly.get(id).is_none_or(|told| *told < closed), "{} was told after the end", id);
        }
        for step in &rule.steps {
            let after = i64::try_from(step.after.as_secs()).unwrap();
            for id in step.destinations.iter().filter(|id| !rule.fallback.iter().flatten().any(|other| other == *id)) {
                prop_assert_eq!(slowly.get(id).copied(), (after < closed).then_some(after));
            }
        }
        check_fallback(&world, &slowly, closed)?;
    }
}

/// Each place is told exactly when the one before has failed or its time is over, unless something has arrived by then.
fn check_fallback(world: &World, told: &BTreeMap<String, i64>, closed: i64) -> Result<(), TestCaseError> {
    let patience = i64::try_from(world.rule.fallback_after.as_secs()).unwrap();
    let stepped = |id: &String| world.rule.steps.iter().any(|step| step.destinations.contains(id));
    let all: Vec<&String> = world.rule.fallback.iter().flatten().collect();
    // Where steps tell the same destinations, or one stands twice, the simple account below does not hold.
    let mut once = all.clone();
    once.dedup();
    if all.iter().any(|id| stepped(id)) || once.len() != all.len() {
        return Ok(());
    }
    let arrived = all.iter().filter_map(|id| told.get(*id).map(|begun| world.end(id, *begun)));
    let arrived = arrived.filter(|(_, progress)| *progress == Progress::Delivered).map(|(end, _)| end).min().unwrap_or(i64::MAX);
    let mut begin = Some(0);
    for place in &world.rule.fallback {
        let begins = begin.filter(|begin| *begin < closed && *begin < arrived);
        for id in place {
            prop_assert_eq!(told.get(id).copied(), begins, "{}", id);
        }
        begin = begins.map(|begins| {
            let ends = place.iter().map(|id| world.end(id, begins));
            let failed = ends.map(|(end, progress)| if progress == Progress::Failed { end } else { i64::MAX }).max();
            failed.unwrap_or(i64::MAX).min(begins + patience)
        });
    }
    Ok(())
}

#[test]
fn what_lies_ahead_of_a_page_is_known_before() {
    let rule = rule(json!({"name": "x", "destinations": ["ops"], "fallback": [["push"], ["sms"]], "fallback_after": "1m",
        "steps": [{"after": "10m", "destinations": ["slack"]}]}));
    let seconds: Vec<(u64, &str)> = rule.ahead().into_iter().map(|(after, id)| (after.as_secs(), id)).collect();
    assert_eq!(seconds, [(0, "dst_ops"), (0, "dst_push"), (60, "dst_sms"), (600, "dst_slack")]);
    assert!(rule.is_step("dst_slack") && !rule.is_step("dst_sms"));
}
