//! What a user's JSONPath may ask of the engine: nothing that could cost more than the document is large.

use std::borrow::Cow;

use jsonpath_rust::parser::model::{
    Comparable, Comparison, Filter, FilterAtom, FnArg, JpQuery, Segment, Selector, SingularQuery, SingularQuerySegment, Test,
    TestFunction,
};

use super::SEGMENTS_MAX;

/// Selectors between one pair of brackets; at most one segment may have more than one.
const UNION_MAX: usize = 16;
type Checked = Result<(), Cow<'static, str>>;

/// Whether `query`, parsed from `text`, is within the limits; the error says which one it breaks.
pub(super) fn check(text: &str, query: &JpQuery) -> Checked {
    Limits { text, descendants: 0, segments: 0, unions: 0 }.segments(&query.segments)
}

pub(super) fn too_many_segments() -> Cow<'static, str> {
    format!("has more than {SEGMENTS_MAX} segments").into()
}

/// Looks through a parsed path for what could cost more than the document is large.
struct Limits<'a> {
    text: &'a str,
    descendants: usize,
    segments: usize,
    unions: usize,
}

impl Limits<'_> {
    fn segments(&mut self, segments: &[Segment]) -> Checked {
        segments.iter().try_for_each(|segment| self.segment(segment))
    }

    fn segment(&mut self, segment: &Segment) -> Checked {
        self.count()?;
        match segment {
            Segment::Descendant(inner) => {
                self.descendants += 1;
                if self.descendants > 1 {
                    return Err("has more than one `..`".into());
                }
                self.segment(inner)
            }
            Segment::Selector(selector) => self.selector(selector),
            Segment::Selectors(selectors) => {
                self.unions += 1;
                if self.unions > 1 || selectors.len() > UNION_MAX {
                    return Err(format!("lists several selectors more than once, or more than {UNION_MAX}").into());
                }
                selectors.iter().try_for_each(|selector| self.selector(selector))
            }
        }
    }

    fn count(&mut self) -> Checked {
        self.segments += 1;
        if self.segments > SEGMENTS_MAX { Err(too_many_segments()) } else { Ok(()) }
    }

    fn selector(&mut self, selector: &Selector) -> Checked {
        match selector {
            Selector::Name(name) => self.name(name),
            Selector::Filter(filter) => self.filter(filter),
            Selector::Wildcard | Selector::Index(_) | Selector::Slice(..) => Ok(()),
        }
    }

    /// The parser takes `$.x.y z` for a member named `y z`; a name with white space must stand between quotes.
    fn name(&self, name: &str) -> Checked {
        let quoted = name.trim_matches(['\'', '"']);
        let spaced = quoted.contains(char::is_whitespace);
        if spaced && ["'", "\""].iter().all(|quote| !self.text.contains(&format!("{quote}{quoted}{quote}"))) {
            return Err("has white space in a name: write `['like this']`".into());
        }
        Ok(())
    }

    fn filter(&mut self, filter: &Filter) -> Checked {
        match filter {
            Filter::Or(filters) | Filter::And(filters) => filters.iter().try_for_each(|filter| self.filter(filter)),
            Filter::Atom(FilterAtom::Filter { expr, .. }) => self.filter(expr),
            Filter::Atom(FilterAtom::Test { expr, .. }) => self.test(expr),
            Filter::Atom(FilterAtom::Comparison(comparison)) => self.comparison(comparison),
        }
    }

    fn comparison(&mut self, comparison: &Comparison) -> Checked {
        let (left, right) = comparison.vals();
        [left, right].into_iter().try_for_each(|side| match side {
            Comparable::Literal(_) => Ok(()),
            Comparable::Function(function) => self.function(function),
            Comparable::SingularQuery(SingularQuery::Root(_)) => Err(root_in_filter()),
            Comparable::SingularQuery(SingularQuery::Current(segments)) => segments.iter().try_for_each(|segment| {
                self.count()?;
                match segment {
                    SingularQuerySegment::Name(name) => self.name(name),
                    SingularQuerySegment::Index(_) => Ok(()),
                }
            }),
        })
    }

    fn test(&mut self, test: &Test) -> Checked {
        match test {
            Test::RelQuery(segments) => self.segments(segments),
            Test::AbsQuery(_) => Err(root_in_filter()),
            Test::Function(function) => self.function(function),
        }
    }

    fn function(&mut self, function: &TestFunction) -> Checked {
        match function {
            TestFunction::Length(argument) => self.argument(argument),
            TestFunction::Value(argument) | TestFunction::Count(argument) => self.argument(argument),
            TestFunction::Search(..) | TestFunction::Match(..) | TestFunction::Custom(..) => {
                Err("calls a function other than length, count and value".into())
            }
        }
    }

    fn argument(&mut self, argument: &FnArg) -> Checked {
        match argument {
            FnArg::Literal(_) => Ok(()),
            FnArg::Test(test) => self.test(test),
            FnArg::Filter(filter) => self.filter(filter),
        }
    }
}

fn root_in_filter() -> Cow<'static, str> {
    "looks from `$` inside a filter: only `@` may be used there".into()
}
