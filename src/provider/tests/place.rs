//! Places in bodies, as tests change them: JSON pointers (RFC 6901); behind a `#` a pointer into JSON that a text holds
//! (`/Message#/AlarmArn`), behind a `?` a parameter of the address that a text is (`/url?incident`).

use serde_json::Value;

/// Pointers to every value below `value`, itself included.
pub(super) fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(n, element)| pointers(element, &format!("{at}/{n}"), out))
        }
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            pointers(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), out);
        }),
        _ => {}
    }
}

/// The places of every text, number, boolean and null, those inside of text included.
pub(super) fn scalars(body: &Value) -> Vec<String> {
    let mut all = Vec::new();
    pointers(body, "", &mut all);
    let mut out = Vec::new();
    for place in all {
        match body.pointer(&place).unwrap() {
            Value::Array(_) | Value::Object(_) => {}
            value => match inner(value) {
                Some(inner) => out.extend(scalars(&inner).into_iter().map(|below| format!("{place}#{below}"))),
                None => out.push(place),
            },
        }
    }
    out
}

fn inner(value: &Value) -> Option<Value> {
    serde_json::from_str(value.as_str()?).ok().filter(Value::is_object)
}

/// The value at `place`.
pub(super) fn get(body: &Value, place: &str) -> Option<Value> {
    if let Some((pointer, below)) = place.split_once('#') {
        return get(&inner(body.pointer(pointer)?)?, below);
    }
    if let Some((pointer, name)) = place.split_once('?') {
        let address = url::Url::parse(body.pointer(pointer)?.as_str()?).ok()?;
        return address.query_pairs().find(|(have, _)| have == name).map(|(_, value)| value.into());
    }
    body.pointer(place).cloned()
}

/// `body` with `value` at `place`, which is there.
pub(super) fn put(body: &Value, place: &str, value: &Value) -> Value {
    let mut body = body.clone();
    let (pointer, behind) = place.split_at(place.find(['#', '?']).unwrap_or(place.len()));
    let there = body.pointer_mut(pointer).unwrap_or_else(|| panic!("there is nothing at {place}"));
    *there = match behind.split_at_checked(1) {
        Some(("#", below)) => Value::String(put(&inner(there).unwrap(), below, value).to_string()),
        Some((_, name)) => {
            let mut address = url::Url::parse(there.as_str().unwrap()).unwrap();
            let pairs: Vec<_> =
                address.query_pairs().filter(|(have, _)| have != name).map(|(a, b)| (a.into_owned(), b.into_owned())).collect();
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            address.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, &value);
            Value::String(address.into())
        }
        None => value.clone(),
    };
    body
}

/// `body` without what is at the pointer; `None` for the whole.
pub(super) fn without(body: &Value, pointer: &str) -> Option<Value> {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/')?;
    match body.pointer_mut(parent)? {
        Value::Array(elements) => {
            elements.remove(name.parse().ok()?);
        }
        Value::Object(members) => {
            members.remove(&name.replace("~1", "/").replace("~0", "~"))?;
        }
        _ => return None,
    }
    Some(body)
}

/// The body as another program could have written it: members in the opposite order, white space between everything.
pub(super) fn rewritten(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            format!("[ {} ]", elements.iter().map(rewritten).collect::<Vec<_>>().join("\r\n , "))
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .rev()
                .map(|(name, member)| format!("\t{} : {}", Value::from(name.as_str()), rewritten(member)))
                .collect();
            format!("{{\n{}\n}}", members.join(" ,\n"))
        }
        scalar => scalar.to_string(),
    }
}
