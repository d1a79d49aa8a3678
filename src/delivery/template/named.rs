//! Templates that ship with Callbox: the bodies of other systems' webhooks, for receivers that were written for those.
//!
//! What each says is what our own provider of the same type reads: a test sends every message through both.

use super::About;

/// A template that is chosen by its name.
#[derive(Debug)]
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// Whose body it makes.
    pub of: &'static str,
    /// Where that is written down.
    pub docs: &'static str,
    incident: &'static str,
    change: Option<&'static str>,
}

/// All of them, in the order in which they are listed to people.
pub static NAMED: &[Named] = &[
    Named {
        name: "coroot",
        of: "Coroot",
        docs: "https://docs.coroot.com/alerting/webhook",
        incident: include_str!("named/coroot.tmpl"),
        change: Some(include_str!("named/coroot.tmpl")),
    },
    Named {
        name: "exosphere",
        of: "Exosphere",
        docs: "https://docs.exosphere.host/",
        incident: include_str!("named/exosphere.tmpl"),
        change: None,
    },
    Named {
        name: "opsknight",
        of: "OpsKnight",
        docs: "https://github.com/opsknight-labs/OpsKnight",
        incident: include_str!("named/opsknight.tmpl"),
        change: None,
    },
    Named {
        name: "pagerduty-v3",
        of: "PagerDuty's webhooks, version 3",
        docs: "https://developer.pagerduty.com/docs/webhooks-overview",
        incident: include_str!("named/pagerduty-v3.tmpl"),
        change: None,
    },
    Named {
        name: "pilot",
        of: "Pilot Protocol",
        docs: "https://pilotprotocol.network/docs/webhooks.html",
        incident: include_str!("named/pilot.tmpl"),
        change: None,
    },
];

impl Named {
    /// The one of this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        NAMED.iter().find(|named| named.name == name)
    }

    /// The template; `None` where that system tells nothing of these.
    pub const fn source(&self, about: About) -> Option<&'static str> {
        match about {
            About::Incident => Some(self.incident),
            About::Change => self.change,
        }
    }
}
