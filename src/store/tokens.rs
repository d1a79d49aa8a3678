//! API tokens: `cbx_`, the 26 characters of the token's id, 43 random characters of base 62 (256 bits), and 6 of checksum, so that
//! scanners find leaked ones and typing errors fail without a look-up. Only the SHA-256 is stored.

use diesel::prelude::*;
use sha2::{Digest, Sha256};

use super::page::{Listed, Page};
use super::schema::api_tokens;
use super::{Conn, Result, StoreError, snapshot};
use crate::id;
use crate::secret::{CredentialHash, Secret};
use crate::time::Timestamp;

/// What every token begins with.
pub const PREFIX: &str = "cbx_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM: usize = 43;
const CHECKSUM: usize = 6;

/// A token, as stored; times in microseconds.
#[derive(Queryable, Selectable, Debug, Clone)]
#[diesel(table_name = api_tokens)]
pub struct Token {
    /// `tok_…`.
    pub id: String,
    /// Its name, which the audit log shows.
    pub name: String,
    /// What it may do, a JSON array of scopes.
    pub scopes: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: i64,
    /// Until when it holds.
    pub expires_at: Option<i64>,
    /// When it was last used, as far as the store has been told.
    pub last_used_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

/// A token to be made.
#[derive(Debug)]
pub struct New<'a> {
    /// The tenant it speaks for.
    pub tenant_id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it may do.
    pub scopes: &'a [&'a str],
    /// Who makes it.
    pub created_by: &'a str,
    /// Until when it holds.
    pub expires_at: Option<Timestamp>,
}

/// Makes a token; the text is to be shown once. Inside a transaction; bumps no version.
///
/// # Errors
/// The insert or the random source failed.
pub fn create(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> Result<(Token, Secret)> {
    let id = id::new(id::Kind::Token);
    let text = text_for(&id)?;
    let token = Token {
        id,
        name: new.name.to_owned(),
        scopes: serde_json::to_string(new.scopes).unwrap_or_default(),
        created_by: new.created_by.to_owned(),
        created_at: now.0,
        expires_at: new.expires_at.map(|at| at.0),
        last_used_at: None,
        revoked_at: None,
    };
    diesel::insert_into(api_tokens::table)
        .values((
            api_tokens::id.eq(&token.id),
            api_tokens::tenant_id.eq(new.tenant_id),
            api_tokens::name.eq(&token.name),
            api_tokens::hash.eq(CredentialHash::of(text.expose()).to_hex()),
            api_tokens::scopes.eq(&token.scopes),
            api_tokens::created_by.eq(&token.created_by),
            api_tokens::created_at.eq(now.0),
            api_tokens::expires_at.eq(token.expires_at),
        ))
        .execute(conn)?;
    Ok((token, text))
}

/// Makes a token with every scope, for whoever can reach the database itself; audited, and known to running processes within a
/// second. Runs in a transaction of its own.
///
/// # Errors
/// The store cannot be written.
pub fn create_admin(conn: &mut Conn, tenant_id: &str, name: &str, now: Timestamp) -> Result<Secret> {
    conn.transaction_immediate(|conn| {
        let new = New { tenant_id, name, scopes: &["admin"], created_by: super::tenants::SYSTEM, expires_at: None };
        let (token, text) = create(conn, &new, now)?;
        let after = serde_json::json!({"id": token.id, "name": token.name, "scopes": ["admin"]});
        let record = super::audit::Record {
            tenant_id,
            actor: "database access",
            action: "token.created",
            object_type: "token",
            object_id: &token.id,
            before: None,
            after: Some(&after),
        };
        super::audit::record(conn, &record, now)?;
        snapshot::bump(conn)?;
        Ok(text)
    })
}

/// Whether a token exists that can still be used.
///
/// # Errors
/// The query failed.
pub fn any_live(conn: &mut Conn, tenant_id: &str, now: Timestamp) -> Result<bool> {
    let count: i64 = api_tokens::table
        .filter(api_tokens::tenant_id.eq(tenant_id))
        .filter(api_tokens::revoked_at.is_null())
        .filter(api_tokens::expires_at.is_null().or(api_tokens::expires_at.gt(now.0)))
        .count()
        .get_result(conn)?;
    Ok(count > 0)
}

/// Whether a token that is not revoked has this name: names stand for their tokens in the audit log.
///
/// # Errors
/// The query failed.
pub fn name_taken(conn: &mut Conn, tenant_id: &str, name: &str) -> Result<bool> {
    let count: i64 = api_tokens::table
        .filter(api_tokens::tenant_id.eq(tenant_id))
        .filter(api_tokens::revoked_at.is_null())
        .filter(api_tokens::name.eq(name))
        .count()
        .get_result(conn)?;
    Ok(count > 0)
}

/// The token with this id, if it is not revoked.
///
/// # Errors
/// The query failed.
pub fn find(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Token>> {
    Ok(api_tokens::table
        .filter(api_tokens::tenant_id.eq(tenant_id))
        .filter(api_tokens::id.eq(id))
        .filter(api_tokens::revoked_at.is_null())
        .select(Token::as_select())
        .first(conn)
        .optional()?)
}

/// The tokens of a tenant that are not revoked, newest first.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, page: &Page) -> Result<Listed<Token>> {
    let mut query = api_tokens::table
        .filter(api_tokens::tenant_id.eq(tenant_id))
        .filter(api_tokens::revoked_at.is_null())
        .select(Token::as_select())
        .into_boxed();
    if let Some(before) = &page.before {
        query = query.filter(api_tokens::id.lt(before));
    }
    let rows = query.order(api_tokens::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}

/// Takes a token's powers away for good.
///
/// # Errors
/// The update failed.
pub fn revoke(conn: &mut Conn, tenant_id: &str, id: &str, now: Timestamp) -> Result<()> {
    diesel::update(api_tokens::table.filter(api_tokens::tenant_id.eq(tenant_id)).filter(api_tokens::id.eq(id)))
        .set(api_tokens::revoked_at.eq(now.0))
        .execute(conn)?;
    Ok(())
}

/// Writes back when a token was last used.
///
/// # Errors
/// The update failed.
pub fn touch(conn: &mut Conn, id: &str, at: Timestamp) -> Result<()> {
    diesel::update(api_tokens::table.filter(api_tokens::id.eq(id))).set(api_tokens::last_used_at.eq(at.0)).execute(conn)?;
    Ok(())
}

/// Whether `text` can be a token of ours: prefix, length and checksum hold. Not whether it exists.
pub fn well_formed(text: &str) -> bool {
    let Some(at) = text.len().checked_sub(CHECKSUM) else { return false };
    let Some((body, sum)) = text.split_at_checked(at) else { return false };
    body.starts_with(PREFIX) && body.len() == PREFIX.len() + 26 + RANDOM && checksum(body) == sum
}

fn text_for(id: &str) -> Result<Secret> {
    let mut text = String::with_capacity(PREFIX.len() + 26 + RANDOM + CHECKSUM);
    text.push_str(PREFIX);
    text.push_str(id.trim_start_matches(id::Kind::Token.prefix()));
    push_random(&mut text)?;
    let sum = checksum(&text);
    text.push_str(&sum);
    Ok(Secret::new(text))
}

/// Appends [`RANDOM`] characters, each of the 62 equally likely: bytes from 248 up are thrown away.
fn push_random(text: &mut String) -> Result<()> {
    let mut left = RANDOM;
    while left > 0 {
        let mut bytes = [0u8; 64];
        getrandom::fill(&mut bytes).map_err(|error| StoreError::Environment(error.to_string()))?;
        for byte in bytes.into_iter().filter(|byte| *byte < 248).take(left) {
            text.push(digit(u32::from(byte)));
            left -= 1;
        }
    }
    Ok(())
}

/// The first 32 bits of the SHA-256, in base 62, lowest digit first.
fn checksum(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    let mut value = digest.iter().take(4).fold(0u32, |value, byte| (value << 8) | u32::from(*byte));
    let mut text = String::with_capacity(CHECKSUM);
    for _ in 0..CHECKSUM {
        text.push(digit(value));
        value /= 62;
    }
    text
}

fn digit(value: u32) -> char {
    char::from(ALPHABET.get(value as usize % 62).copied().unwrap_or(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::reference::References;
    use crate::store::{tenants, testing};

    #[test]
    fn a_token_carries_its_checksum() {
        let text = text_for("tok_01234567890123456789012345").unwrap();
        let text = text.expose();
        assert_eq!(text.len(), 79);
        assert!(text.starts_with("cbx_01234567890123456789012345") && well_formed(text));
        for position in [0, 5, 40, 78] {
            let mut typo = text.to_owned().into_bytes();
            typo[position] = if typo[position] == b'x' { b'y' } else { b'x' };
            assert!(!well_formed(&String::from_utf8(typo).unwrap()), "{position}");
        }
        assert!(!well_formed("") && !well_formed("cbx_") && !well_formed("ääääääääääääää"));
    }

    #[test]
    fn a_token_is_stored_as_a_hash_and_known_until_revoked() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let tenant = tenants::ensure_default(&mut conn, Timestamp(1)).unwrap();
            assert!(!any_live(&mut conn, &tenant, Timestamp(2)).unwrap());
            let text = create_admin(&mut conn, &tenant, "first", Timestamp(2)).unwrap();
            assert!(any_live(&mut conn, &tenant, Timestamp(2)).unwrap());
            let hash = CredentialHash::of(text.expose());
            let load = |conn: &mut Conn| {
                snapshot::load(conn, &testing::sealer(), crate::provider::Registry::built_in(), &References::default()).unwrap()
            };
            let token = load(&mut conn).tokens.get(&hash).cloned().unwrap();
            assert_eq!((token.name.as_str(), token.scopes.as_slice()), ("first", ["admin".to_owned()].as_slice()));
            revoke(&mut conn, &tenant, &token.id, Timestamp(3)).unwrap();
            assert!(!load(&mut conn).tokens.contains_key(&hash));
            assert!(!any_live(&mut conn, &tenant, Timestamp(4)).unwrap());
        }
    }
}
