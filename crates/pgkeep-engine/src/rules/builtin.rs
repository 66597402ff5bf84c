//! Masks that have a name. Each is an SQL expression on the server, so that nothing need be created there; equal values
//! have equal masks, in every table and, with the same salt, in every backup. What is NULL stays NULL.

use super::catalog::Column;
use super::salt::SETTING;

/// Days by which dates are shifted at most, where the rule does not say it.
const DAYS: u32 = 365;

const FIRST_NAMES: &[&str] = &[
    "Ada", "Alan", "Amara", "Anna", "Ben", "Carla", "Chen", "Clara", "Dana", "David", "Elena", "Emil",
    "Farid", "Fatima", "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jana", "Jonas", "Kofi", "Lena", "Luis",
    "Maya", "Mina", "Noor", "Olga", "Omar", "Priya", "Rosa", "Tomas",
];
const LAST_NAMES: &[&str] = &[
    "Abel", "Adler", "Bauer", "Berg", "Castro", "Chen", "Costa", "Diaz", "Eriksen", "Fischer", "Garcia",
    "Haas", "Hansen", "Ito", "Jensen", "Kaya", "Keller", "Khan", "Kim", "Lang", "Lopez", "Martin", "Meyer",
    "Moreau", "Novak", "Okafor", "Patel", "Rossi", "Sato", "Silva", "Weber", "Wolf",
];

/// A mask by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin<'t> {
    Hash,
    FakeName,
    FakeEmail,
    FakePhone,
    Null,
    Redact,
    Constant(&'t str),
    ShiftDates { days: u32 },
}

impl<'t> Builtin<'t> {
    /// The mask that a rule names; `None` for an expression.
    ///
    /// # Errors
    /// A name with something behind it that makes no sense.
    pub(super) fn parse(rule: &'t str) -> Result<Option<Self>, String> {
        let rule = rule.trim();
        Ok(Some(match rule {
            "hash" => Builtin::Hash,
            "fake name" => Builtin::FakeName,
            "fake email" => Builtin::FakeEmail,
            "fake phone" => Builtin::FakePhone,
            "null" => Builtin::Null,
            "redact" => Builtin::Redact,
            "shift dates" => Builtin::ShiftDates { days: DAYS },
            _ => match (rule.strip_prefix("constant:"), rule.strip_prefix("shift dates:")) {
                (Some(text), _) => Builtin::Constant(text),
                (_, Some(days)) => match days.trim().parse() {
                    Ok(days @ 1..=30_000) => Builtin::ShiftDates { days },
                    _ => return Err("write shift dates:30, with a number of days from 1 to 30000".into()),
                },
                _ => return Ok(None),
            },
        }))
    }

    /// Whether it needs the salt.
    pub(super) fn is_salted(self) -> bool {
        !matches!(self, Builtin::Null | Builtin::Redact | Builtin::Constant(_))
    }

    /// Whether it makes of two values two masks, by any chance that counts.
    pub(super) fn keeps_apart(self, column: &Column) -> bool {
        match self {
            Builtin::Hash => column.is_text() || matches!(column.base.as_str(), "uuid" | "bytea" | "int8"),
            Builtin::FakeEmail | Builtin::ShiftDates { .. } => true,
            _ => false,
        }
    }

    /// The expression for a column, in which the column's name stands as it is quoted.
    ///
    /// # Errors
    /// Why it is not for this column.
    pub(super) fn expression(self, column: &Column) -> Result<Vec<u8>, String> {
        let at_least = |length: u32| match column.length {
            Some(n) if n < length => Err(format!("it needs {length} characters, and the column holds {n}")),
            _ => Ok(()),
        };
        let is_text = || match column.is_text() {
            true => Ok(()),
            false => Err(format!("it makes text, and the column is {}", column.type_name)),
        };
        let c = &column.quoted;
        // What citext takes for equal must have equal masks.
        let digest = || match column.base.as_str() {
            "citext" => digest_of(&cat(&[b"lower(", c, b"::pg_catalog.text)"])),
            _ => digest_of(&cat(&[c, b"::pg_catalog.text"])),
        };
        Ok(match self {
            Builtin::Hash => {
                let hex = cat(&[b"encode(", &digest(), b", 'hex')"]);
                let number = |most: &str| {
                    cat(&[b"1 + (('x' || left(", &hex, b", 15))::bit(60)::int8 % ", most.as_bytes(), b")"])
                };
                match column.base.as_str() {
                    _ if column.is_text() => at_least(16).map(|()| hex)?,
                    "uuid" => cat(&[b"left(", &hex, b", 32)"]),
                    "bytea" => digest(),
                    "int2" => number("32767"),
                    "int4" => number("2147483647"),
                    "int8" => number("1152921504606846975"),
                    _ => {
                        return Err(format!(
                            "it is for text, whole numbers, uuid and bytea, and the column is {}",
                            column.type_name
                        ));
                    }
                }
            }
            Builtin::FakeName => {
                is_text()?;
                let d = digest();
                cat(&[&pick(FIRST_NAMES, &d, 0), b" || ' ' || ", &pick(LAST_NAMES, &d, 1)])
            }
            Builtin::FakeEmail => {
                is_text()?;
                at_least(33)?;
                // example.com is nobody's (RFC 2606).
                cat(&[b"'user-' || left(encode(", &digest(), b", 'hex'), 16) || '@example.com'"])
            }
            Builtin::FakePhone => {
                is_text()?;
                at_least(15)?;
                // 555-0100 to 555-0199 are nobody's, in any area (North American Numbering Plan).
                let byte = |i: u8| cat(&[b"get_byte(", &digest(), format!(", {i})").as_bytes()]);
                cat(&[
                    b"'+1-' || (200 + (",
                    &byte(0),
                    b" * 256 + ",
                    &byte(1),
                    b") % 800) || '-555-01' || lpad((",
                    &byte(2),
                    b" % 100)::pg_catalog.text, 2, '0')",
                ])
            }
            Builtin::Null => match column.not_null {
                true => return Err("the column is NOT NULL".into()),
                false => b"NULL".to_vec(),
            },
            Builtin::Redact => {
                is_text()?;
                cat(&[b"regexp_replace(", c, b"::pg_catalog.text, '[[:alnum:]]', 'x', 'g')"])
            }
            Builtin::Constant(text) => {
                let text = crate::conn::quote_literal(text.as_bytes());
                cat(&[b"CASE WHEN ", c, b" IS NOT NULL THEN ", &text, b" END"])
            }
            Builtin::ShiftDates { days } => {
                if !matches!(column.base.as_str(), "date" | "timestamp" | "timestamptz") {
                    return Err(format!(
                        "it is for dates and timestamps, and the column is {}",
                        column.type_name
                    ));
                }
                let digest = digest_of(b"'shift dates'");
                let byte = |i: u8| cat(&[b"get_byte(", &digest, format!(", {i})").as_bytes()]);
                // From 1 to `days`, forwards or backwards: never not at all.
                let shift = cat(&[
                    b"(1 + (",
                    &byte(0),
                    b" * 256 + ",
                    &byte(1),
                    format!(") % {days}) * (1 - 2 * (").as_bytes(),
                    &byte(2),
                    b" % 2))",
                ]);
                match column.base.as_str() {
                    "date" => cat(&[c, b" + ", &shift]),
                    _ => cat(&[c, b" + make_interval(days => ", &shift, b")"]),
                }
            }
        })
    }
}

/// SHA-256 over the salt and a text.
fn digest_of(text: &[u8]) -> Vec<u8> {
    cat(&[
        format!("sha256(convert_to(current_setting('{SETTING}') || ").as_bytes(),
        text,
        b", getdatabaseencoding()))",
    ])
}

/// One of the words, by a byte of the digest.
fn pick(words: &[&str], digest: &[u8], byte: u8) -> Vec<u8> {
    let list = words.iter().map(|w| format!("'{w}'")).collect::<Vec<_>>().join(",");
    let of = format!(", {byte}) % {}]", words.len());
    cat(&[b"(ARRAY[", list.as_bytes(), b"])[1 + get_byte(", digest, of.as_bytes()])
}

fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_masks_and_the_rest_is_an_expression() {
        assert_eq!(Builtin::parse("hash").unwrap(), Some(Builtin::Hash));
        assert_eq!(Builtin::parse("constant:a b").unwrap(), Some(Builtin::Constant("a b")));
        assert_eq!(Builtin::parse("shift dates: 30").unwrap(), Some(Builtin::ShiftDates { days: 30 }));
        assert_eq!(Builtin::parse("(hash)").unwrap(), None);
        assert!(Builtin::parse("shift dates:0").is_err());
        assert!(Builtin::parse("shift dates:many").is_err());
    }
}
