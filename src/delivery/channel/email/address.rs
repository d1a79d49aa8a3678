//! Addresses of e-mail, as far as a destination may name them.
//!
//! The usual part of <https://www.rfc-editor.org/rfc/rfc5322#section-3.4>: no quoted local parts, comments or groups, nothing but ASCII.
//! What is left out has no place in a configuration and is where header fields are injected.

use std::fmt;

use super::super::settings::is_word;

/// An address, perhaps with a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mailbox<'a> {
    /// The name.
    pub name: Option<&'a str>,
    /// The address.
    pub address: &'a str,
}

impl<'a> Mailbox<'a> {
    /// Reads `a@example.com` or `Name <a@example.com>`.
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let mailbox = match text.strip_suffix('>').and_then(|rest| rest.split_once('<')) {
            Some((name, address)) => Self { name: Some(name.trim().trim_matches('"')).filter(|name| !name.is_empty()), address },
            None => Self { name: None, address: text },
        };
        let plain = |name: &str| {
            name.len() <= 100 && !name.chars().any(|character| character.is_control() || "<>\",;:@\\()[]".contains(character))
        };
        (is_address(mailbox.address) && mailbox.name.is_none_or(plain)).then_some(mailbox)
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &'a str {
        self.address.split_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => f.write_str(self.address),
        }
    }
}

/// Whether `text` is an address that a mail can go to.
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let atoms = |text: &str, extra: &str| text.split('.').all(|atom| is_word(atom, extra));
    let label = |label: &str| label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
    local.len() <= 64
        && domain.len() <= 253
        && atoms(local, "!#$%&'*+-/=?^_`{|}~")
        && atoms(domain, "-")
        && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_nothing_that_ends_a_field() {
        for good in ["a@example.com", "on-call+db@mail.example.com", "root@localhost", "a.b_c@x-1.example"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@a",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a@b\r\nBcc: c@d",
            "a@b>",
            ".a@b",
            "a..b@c",
            "a@-b",
            "a@b-",
            "a@é.example",
            "\"a\"@b",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn a_name_may_stand_before_it() {
        let parsed = |text| Mailbox::parse(text).map(|mailbox| (mailbox.name, mailbox.to_string()));
        assert_eq!(parsed("a@b.example"), Some((None, "a@b.example".to_owned())));
        assert_eq!(parsed(" \"Call box\" <a@b.example>"), Some((Some("Call box"), "Call box <a@b.example>".to_owned())));
        assert_eq!(parsed("Éva <a@b.example>").map(|(name, _)| name), Some(Some("Éva")));
        for bad in ["A\r\nB <a@b>", "A, B <a@b>", "A <a@b> <c@d>", "A <a>", "<>"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }
}
