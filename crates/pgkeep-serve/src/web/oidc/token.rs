//! Whether an ID token is good (OpenID Connect Core, 3.1.3.7), and what it says.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::signature::{ALGORITHMS, install};
use crate::web::sessions::same;

/// Characters of a name that are kept.
const LONGEST_NAME: usize = 100;

/// What a token says, if it is one of this issuer for this client, answers this nonce, is valid now, and is signed by one
/// of the keys.
///
/// # Errors
/// In words, what is wrong with it.
pub(super) fn claims(
    token: &str,
    keys: &[Jwk],
    issuer: &str,
    client: &str,
    nonce: &str,
) -> Result<Map<String, Value>, String> {
    install();
    let header = decode_header(token).map_err(|_| "the ID token makes no sense".to_owned())?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(format!(
            "the ID token is signed by {:?}\n  hint: let the provider sign by RS256, ES256 or EdDSA",
            header.alg
        ));
    }
    let mut rules = Validation::new(header.alg);
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[client]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.validate_nbf = true;
    let named = |key: &&Jwk| {
        let id = key.common.key_id.as_ref();
        header.kid.is_none() || id.is_none() || id == header.kid.as_ref()
    };
    let mut refused = "none of the provider's keys has signed the ID token".to_owned();
    for key in keys.iter().filter(named) {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match decode::<Map<String, Value>>(token, &key, &rules) {
            Ok(good) => return answers(good.claims, client, nonce),
            // The next key may be the one.
            Err(e) if matches!(e.kind(), ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm) => {}
            Err(e) => refused = wrong(e.kind(), issuer, client),
        }
    }
    Err(refused)
}

fn answers(claims: Map<String, Value>, client: &str, nonce: &str) -> Result<Map<String, Value>, String> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if !text("nonce").is_some_and(|its| same(its, nonce)) {
        return Err("the ID token answers another sign-in (nonce)".into());
    }
    if claims.contains_key("azp") && text("azp") != Some(client) {
        return Err("the ID token was made for another client (azp)".into());
    }
    Ok(claims)
}

fn wrong(kind: &ErrorKind, issuer: &str, client: &str) -> String {
    match kind {
        ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => {
            "the ID token is not valid at this time\n  hint: compare the clocks of this machine and of the provider"
                .into()
        }
        ErrorKind::InvalidIssuer => format!("the ID token is not of {issuer} (iss)"),
        ErrorKind::InvalidAudience => format!("the ID token is not for the client {client} (aud)"),
        ErrorKind::MissingRequiredClaim(claim) => format!("the ID token has no {claim}"),
        other => format!("the ID token makes no sense: {other:?}"),
    }
}

/// The strings of a claim: one, or a list. A dot leads into an object, as in Keycloak's `realm_access.roles`. An address
/// that nobody has verified says nothing.
pub(super) fn values<'c>(claims: &'c Map<String, Value>, path: &str) -> Vec<&'c str> {
    if path == "email" && !is_verified(claims) {
        return Vec::new();
    }
    let inside = || {
        let mut steps = path.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    };
    match claims.get(path).or_else(inside) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What somebody is called: a verified address, else a name, else the subject.
pub(super) fn name(claims: &Map<String, Value>) -> String {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let email = text("email").filter(|_| is_verified(claims));
    let name = email.or(text("preferred_username")).or(text("sub")).unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

/// Who somebody is to the provider.
pub(super) fn subject(claims: &Map<String, Value>) -> String {
    claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn is_verified(claims: &Map<String, Value>) -> bool {
    claims.get("email_verified") == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn groups_are_found_wherever_a_provider_puts_them() {
        let claims = of(json!({
            "groups": ["a", "b", 3], "role": "one", "realm_access": { "roles": ["deep"] },
            "https://example.com/groups": ["named"],
        }));
        for (path, found) in [
            ("groups", vec!["a", "b"]),
            ("role", vec!["one"]),
            ("realm_access.roles", vec!["deep"]),
            ("https://example.com/groups", vec!["named"]),
            ("realm_access", vec![]),
            ("groups.a", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(values(&claims, path), found, "{path}");
        }
    }

    #[test]
    fn an_address_counts_only_when_it_was_verified() {
        let claims = |verified: Value| {
            of(json!({ "sub": "7", "email": "ann@example.com", "email_verified": verified }))
        };
        assert_eq!(values(&claims(json!(true)), "email"), ["ann@example.com"]);
        assert_eq!(name(&claims(json!(true))), "ann@example.com");
        for verified in [json!(false), json!(null), json!("true")] {
            assert_eq!(values(&claims(verified.clone()), "email"), [""; 0]);
            assert_eq!(name(&claims(verified)), "7");
        }
        assert_eq!(name(&of(json!({ "sub": "7", "preferred_username": "an\u{7}n" }))), "ann");
    }
}
