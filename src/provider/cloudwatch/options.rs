//! The options of integrations that receive from AWS.

use serde_json::Value;

use crate::event::Severity;
use crate::provider::OptionProblem;

/// What an integration says about AWS's messages.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How alarms are read.
    pub alarms: Alarms,
    /// ARNs of the topics whose subscriptions are confirmed and whose messages count; empty: none is confirmed, all count.
    pub topics: Vec<String>,
    /// Whether messages must be signed by SNS; `None`: where topics are named.
    pub verify: Option<bool>,
}

/// How alarms are read.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    /// What `INSUFFICIENT_DATA` does.
    pub insufficient: Insufficient,
    /// Severities by what an alarm's name begins with; the longest beginning first.
    pub severities: Vec<(String, Severity)>,
}

/// What an alarm without data does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Insufficient {
    /// Nothing.
    #[default]
    Ignore,
    /// It opens.
    Trigger,
    /// It resolves.
    Resolve,
}

const NAMES: &[&str] = &["topics", "verify", "insufficientData", "severityByName"];

impl Options {
    /// Reads the options of an integration of SNS.
    pub(super) fn read(options: &Value) -> Result<Self, Vec<OptionProblem>> {
        let mut read = Self::default();
        each(options, NAMES, |name, value| match name {
            "topics" => topics(value).map(|topics| read.topics = topics),
            "verify" => value.as_bool().map(|verify| read.verify = Some(verify)).ok_or("must be true or false"),
            _ => read.alarms.set(name, value),
        })?;
        Ok(read)
    }

    /// Whether messages must be signed by SNS.
    pub(super) fn verified(&self) -> bool {
        self.verify.unwrap_or(!self.topics.is_empty())
    }

    /// What is said of a subscription that waits.
    pub(super) fn pending(&self, topic: &str) -> String {
        format!(
            "the subscription of {topic} waits: add the topic to this integration's option topics and choose Request confirmation in \
             Amazon SNS, or open the SubscribeURL of this request yourself"
        )
    }
}

impl Alarms {
    /// Reads the options of an integration that receives alarms otherwise.
    pub(in crate::provider) fn read(options: &Value) -> Result<Self, Vec<OptionProblem>> {
        let mut read = Self::default();
        each(options, &["insufficientData", "severityByName"], |name, value| read.set(name, value))?;
        Ok(read)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), &'static str> {
        match name {
            "insufficientData" => {
                self.insufficient = match value.as_str() {
                    Some("ignore") => Insufficient::Ignore,
                    Some("trigger") => Insufficient::Trigger,
                    Some("resolve") => Insufficient::Resolve,
                    _ => return Err("must be `ignore`, `trigger` or `resolve`"),
                };
            }
            _ => {
                let members = value.as_object().ok_or(SEVERITIES)?;
                let one = |(name, word): (&String, &Value)| Some((name.clone(), Severity::parse(word.as_str()?)?));
                self.severities = members.iter().map(one).collect::<Option<_>>().ok_or(SEVERITIES)?;
                self.severities.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
            }
        }
        Ok(())
    }

    /// The severity of the alarm `name`, where its beginning says one.
    pub fn severity(&self, name: &str) -> Option<Severity> {
        self.severities.iter().find(|(start, _)| name.starts_with(start)).map(|(_, severity)| *severity)
    }
}

const SEVERITIES: &str = "must map beginnings of alarm names to critical, error, warning or info";

fn topics(value: &Value) -> Result<Vec<String>, &'static str> {
    let list = value.as_array().ok_or("must be a list of topic ARNs")?;
    let arn = |value: &Value| {
        let text = value.as_str()?;
        (text.starts_with("arn:aws") && text.split(':').nth(2) == Some("sns") && text.split(':').count() == 6)
            .then(|| text.to_owned())
    };
    list.iter().map(arn).collect::<Option<_>>().ok_or("must hold topic ARNs, such as arn:aws:sns:eu-west-1:111122223333:alerts")
}

/// Hands each option that is set to `set`, by its documented name; the same in snake_case is accepted.
fn each(
    options: &Value,
    names: &[&'static str],
    mut set: impl FnMut(&'static str, &Value) -> Result<(), &'static str>,
) -> Result<(), Vec<OptionProblem>> {
    let members = match options {
        Value::Null => return Ok(()),
        Value::Object(members) => members,
        _ => return Err(vec![OptionProblem::new("options", "must be an object")]),
    };
    let mut problems = Vec::new();
    for (given, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        let same = |name: &&&str| given == **name || *given == snake(name);
        match names.iter().find(same) {
            None => problems.push(OptionProblem::unknown(given, names)),
            Some(name) => problems.extend(set(name, value).err().map(|problem| OptionProblem::new(given, problem))),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn snake(name: &str) -> String {
    name.chars().fold(String::new(), |mut snake, c| {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
        snake
    })
}
