//! One page of a list, newest first. Ids rise with time, so the id alone is the key of the order.

/// What part of a list is wanted.
#[derive(Clone, Debug)]
pub struct Page {
    /// Rows at most.
    pub limit: i64,
    /// Only rows older than the one with this id.
    pub before: Option<String>,
}

impl Page {
    /// How many rows to ask for: one more than wanted, to see whether there are more.
    pub fn fetch(&self) -> i64 {
        self.limit.saturating_add(1)
    }

    /// Cuts what [`Page::fetch`] brought to what was wanted.
    pub fn cut<T>(&self, mut rows: Vec<T>, id: impl Fn(&T) -> &str) -> Listed<T> {
        let limit = usize::try_from(self.limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| id(last).to_owned());
        Listed { items: rows, next }
    }
}

/// A page, and where the next one begins.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The `before` of the next page; `None` at the end.
    pub next: Option<String>,
}

/// A `LIKE` pattern for texts that contain `needle` as it is, to be used with `\` as escape character.
pub fn containing(needle: &str) -> String {
    let mut pattern = String::with_capacity(needle.len() + 2);
    pattern.push('%');
    for character in needle.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_there_are_more() {
        let page = Page { limit: 2, before: None };
        let rows = |n: usize| (0..n).map(|i| format!("r{i}")).collect::<Vec<_>>();
        assert_eq!(page.cut(rows(2), |row| row).next, None);
        let cut = page.cut(rows(3), |row| row);
        assert_eq!((cut.items.len(), cut.next.as_deref()), (2, Some("r1")));
    }

    #[test]
    fn wildcards_of_a_needle_stand_for_themselves() {
        assert_eq!(containing(r"50%_a\"), r"%50\%\_a\\%");
    }
}
