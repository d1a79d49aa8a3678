//! What is told later: quiet hours, dedupe windows, and the limits of rules.

use std::sync::Arc;

use super::Planner;
use crate::delivery::message::Occasion;
use crate::delivery::rule::quiet_until;
use crate::id;
use crate::ingest::snapshot::StoredRule;
use crate::store::incidents;
use crate::store::outbox::Page;
use crate::time::Timestamp;

impl Planner<'_, '_> {
    /// Until when a rule puts off what it would tell now.
    pub(super) fn hold(
        &mut self,
        rule: &Arc<StoredRule>,
        row: Option<&incidents::Incident>,
    ) -> Option<(Timestamp, &'static str)> {
        let now = self.facts.now;
        let quiet = quiet_until(&rule.rule.quiet_windows, now).map(|until| (until, "quiet"));
        quiet.or_else(|| self.deduped(rule, row).map(|until| (until, "dedupe"))).or_else(|| {
            let pace = self.paces.entry(Arc::clone(&rule.id)).or_default();
            let limit = rule.rule.rate_limit?;
            pace.admit(limit, now).err().map(|until| (until, "limit"))
        })
    }

    /// Whether an incident is a page too many of its key, and until when; notes the page otherwise.
    fn deduped(&mut self, rule: &Arc<StoredRule>, row: Option<&incidents::Incident>) -> Option<Timestamp> {
        rule.rule.dedupe_window?;
        let row = row.filter(|_| self.occasion == Occasion::Triggered)?;
        let known = self
            .facts
            .threads
            .get(&id::number(&row.id))
            .is_some_and(|threads| threads.iter().any(|thread| thread.rule_id.as_deref() == Some(&*rule.id)));
        if known {
            return None;
        }
        let key = (Arc::clone(&rule.id), row.integration_id.clone(), row.dedup_key.clone());
        let until = rule.rule.deduped_until(self.facts.paged.get(&key).copied(), self.facts.now);
        if until.is_none() {
            self.facts.paged.insert(key, self.facts.now);
            self.planned.plan.pages.push(Page {
                rule_id: rule.id.to_string(),
                integration_id: row.integration_id.clone(),
                dedup_key: row.dedup_key.clone(),
                paged_at: self.facts.now.0,
            });
        }
        until
    }
}
