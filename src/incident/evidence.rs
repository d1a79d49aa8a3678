//! The source times that stand behind what an incident shows.
//!
//! Messages of a tool whose times order them may arrive in any order. The state that the ordered run would reach needs little: for
//! each field the time of the newest trigger that set it, and for each severity the newest time at which a trigger had it. When a
//! late resolve shows that an earlier firing had ended, what only that firing said is taken back.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Severity;

/// A field whose newest trigger is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// `custom_details`.
    Details,
    /// `source`.
    Source,
    /// `component`.
    Component,
    /// `group`.
    Group,
    /// `class`.
    Class,
    /// `client`.
    Client,
    /// `client_url`.
    ClientUrl,
}

/// Source times in microseconds; `i64::MIN` for a trigger whose time is unknown and that nothing came before. Written as three lists, all
/// but `newest` as the time before that: most of it is 0 in most incidents.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    /// The newest trigger; the title is its summary.
    pub newest: i64,
    /// The newest trigger of each severity, `info` first.
    severities: [Option<i64>; 4],
    /// The newest trigger that set each [`Field`], in the order of the enum.
    fields: [Option<i64>; 7],
}

type Written = (i64, [Option<i64>; 4], [Option<i64>; 7]);

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let before = |at: Option<i64>| at.map(|at| self.newest.wrapping_sub(at));
        let written: Written = (self.newest, self.severities.map(before), self.fields.map(before));
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Evidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (newest, severities, fields) = Written::deserialize(deserializer)?;
        let at = |before: Option<i64>| before.map(|before| newest.wrapping_sub(before));
        Ok(Self { newest, severities: severities.map(at), fields: fields.map(at) })
    }
}

impl Evidence {
    /// Evidence of nothing yet, to be filled by the trigger at `order`.
    pub fn starting(order: i64) -> Self {
        Self { newest: order, ..Self::default() }
    }

    /// Notes a trigger of `severity` at `order`.
    pub fn saw(&mut self, severity: Severity, order: i64) {
        self.newest = self.newest.max(order);
        if let Some(seen) = self.severities.get_mut(severity as usize) {
            *seen = (*seen).max(Some(order));
        }
    }

    /// Whether a trigger at `order` is the newest to set `field`; if so, notes it. Ties go to the later arrival.
    pub fn sets(&mut self, field: Field, order: i64) -> bool {
        match self.fields.get_mut(field as usize) {
            Some(at) if at.is_none_or(|at| at <= order) => {
                *at = Some(order);
                true
            }
            _ => false,
        }
    }

    /// Takes back what was said at or before `order`; calls `forgotten` for each field that only such a trigger had set.
    pub fn forget_until(&mut self, order: i64, mut forgotten: impl FnMut(Field)) {
        for seen in &mut self.severities {
            *seen = seen.filter(|at| *at > order);
        }
        let fields =
            [Field::Details, Field::Source, Field::Component, Field::Group, Field::Class, Field::Client, Field::ClientUrl];
        for (at, field) in self.fields.iter_mut().zip(fields) {
            if at.is_some_and(|at| at <= order) {
                *at = None;
                forgotten(field);
            }
        }
    }

    /// The worst severity that still stands.
    pub fn severity(&self) -> Option<Severity> {
        Severity::ALL.into_iter().zip(self.severities).rev().find_map(|(severity, at)| at.map(|_| severity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut seen = Evidence::starting(1_795_336_666_960_537);
        seen.saw(Severity::Critical, 1_795_336_666_960_537);
        seen.saw(Severity::Info, 1_795_336_600_000_000);
        assert!(seen.sets(Field::Details, 1_795_336_666_960_537) && seen.sets(Field::ClientUrl, i64::MIN));
        let unknown = Evidence { fields: [Some(i64::MAX); 7], ..Evidence::starting(i64::MIN) };
        for evidence in [seen, unknown, Evidence::default()] {
            let text = serde_json::to_string(&evidence).unwrap();
            assert_eq!(serde_json::from_str::<Evidence>(&text).unwrap(), evidence, "{text}");
        }
        let text = serde_json::to_string(&Evidence { severities: [Some(7), None, None, Some(9)], ..Evidence::starting(9) });
        assert_eq!(text.unwrap(), "[9,[2,null,null,0],[null,null,null,null,null,null,null]]");
    }
}
