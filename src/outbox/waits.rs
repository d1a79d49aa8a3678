//! Why a destination is told nothing just now, for people.

use crate::delivery::destination::Destination;
use crate::store::outbox::Breaker;
use crate::time::Timestamp;

/// Why what is meant for a destination waits at `now`; `None`: it does not.
pub fn waits(destination: &Destination, breaker: Option<&Breaker>, now: Timestamp) -> Option<String> {
    if !destination.enabled {
        return Some("the destination is disabled: it waits until it is enabled".to_owned());
    }
    if let Err(why) = &destination.way {
        return Some(format!("{why}; it waits"));
    }
    let breaker = breaker?;
    let after = |at: Option<i64>| at.filter(|at| *at > now.0).map(Timestamp);
    let left_alone =
        |until: Timestamp| format!("the destination is left alone until {until}, after {} failures in a row", breaker.failures);
    let paused = |until: Timestamp| format!("the destination asked for time until {until}");
    after(breaker.open_until).map(left_alone).or_else(|| after(breaker.paused_until).map(paused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::destination::{Settings, Way};
    use crate::delivery::template::Templates;
    use crate::delivery::{breaker, channel};
    use crate::secret::Secret;

    #[test]
    fn who_is_told_nothing_now_says_why() {
        let settings = Settings { url: Secret::new("https://a.example"), ..Settings::default() };
        let webhook = channel::by_kind("webhook").unwrap();
        let well = Destination {
            id: "dst_1".into(),
            tenant_id: "ten_1".into(),
            name: "ops".into(),
            kind: "webhook".into(),
            enabled: true,
            is_default: false,
            include_details: false,
            templates: Templates::default(),
            breaker: breaker::Settings::default(),
            per_minute: None,
            way: Ok(Way::new(webhook, "ops".into(), settings, Vec::new(), serde_json::Map::new())),
        };
        let now = Timestamp(50);
        let says = |destination: &Destination, breaker: Breaker| waits(destination, Some(&breaker), now).unwrap_or_default();
        assert_eq!((waits(&well, None, now), says(&well, Breaker::default()).as_str()), (None, ""));
        let open = Breaker { failures: 5, open_until: Some(51), ..Breaker::default() };
        assert!(says(&well, open.clone()).contains("after 5 failures"));
        assert_eq!(says(&well, Breaker { open_until: Some(50), ..open.clone() }), "", "one delivery may try");
        assert!(says(&well, Breaker { paused_until: Some(51), ..Breaker::default() }).contains("asked for time"));
        assert!(says(&Destination { enabled: false, ..well.clone() }, open).contains("disabled"));
        assert!(
            says(&Destination { way: Err("its key is gone".into()), ..well }, Breaker::default()).starts_with("its key is gone")
        );
    }
}
