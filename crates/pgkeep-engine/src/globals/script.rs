//! The script of `pg_dumpall --globals-only` as statements (`dumpRoles`, `dumpRoleMembership`, `dumpTablespaces` and
//! their kin, src/bin/pg_dump/pg_dumpall.c).

/// A statement, by what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// `CREATE ROLE`.
    CreateRole { role: String, sql: String },
    /// `ALTER ROLE … WITH`: attributes and password.
    Attributes { role: String, sql: String },
    /// A role's settings, comment or label.
    OfRole { role: String, sql: String },
    /// `GRANT role TO member`.
    Membership { role: String, member: String, sql: String },
    /// `CREATE TABLESPACE`.
    CreateTablespace { tablespace: String, sql: String },
    /// A tablespace's options, rights, comment or label.
    OfTablespace { tablespace: String, sql: String },
    /// `SET` of the session, rights on configuration parameters.
    Other(String),
}

/// Splits the script. Comments and psql's own commands stand on lines of their own between statements; dollar quotes
/// do not occur, and in `E''` every backslash is doubled (`appendStringLiteralConn`, src/fe_utils/string_utils.c).
pub(super) fn statements(script: &str) -> Vec<Statement> {
    let mut out = Vec::new();
    let mut sql = String::new();
    let mut quote: Option<char> = None;
    for line in script.split_inclusive('\n') {
        if sql.trim().is_empty() && (line.starts_with("--") || line.starts_with('\\')) {
            continue;
        }
        for c in line.chars() {
            match (quote, c) {
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), c) if c == open => quote = None,
                (None, ';') => {
                    out.push(statement(std::mem::take(&mut sql).trim()));
                    continue;
                }
                _ => {}
            }
            sql.push(c);
        }
    }
    out
}

fn statement(sql: &str) -> Statement {
    let own = || sql.to_owned();
    let named = |begin: &str| sql.strip_prefix(begin).map(identifier);
    if let Some((role, _)) = named("CREATE ROLE ") {
        return Statement::CreateRole { role, sql: own() };
    }
    if let Some((role, rest)) = named("ALTER ROLE ") {
        return match rest.starts_with(" WITH ") {
            true => Statement::Attributes { role, sql: without_defaults(sql, rest) },
            false => Statement::OfRole { role, sql: own() },
        };
    }
    if let Some((role, _)) = named("COMMENT ON ROLE ").or_else(|| labelled(sql, " ON ROLE ")) {
        return Statement::OfRole { role, sql: own() };
    }
    if let Some((tablespace, _)) = named("CREATE TABLESPACE ") {
        return Statement::CreateTablespace { tablespace, sql: own() };
    }
    let of_tablespace = named("ALTER TABLESPACE ")
        .or_else(|| named("COMMENT ON TABLESPACE "))
        .or_else(|| labelled(sql, " ON TABLESPACE "))
        .or_else(|| granted_on(sql, " ON TABLESPACE "));
    if let Some((tablespace, _)) = of_tablespace {
        return Statement::OfTablespace { tablespace, sql: own() };
    }
    if let Some((role, rest)) = named("GRANT ")
        && let Some(rest) = rest.strip_prefix(" TO ")
    {
        return Statement::Membership { role, member: identifier(rest).0, sql: own() };
    }
    Statement::Other(own())
}

/// The object of `SECURITY LABEL FOR provider ON …`.
fn labelled<'s>(sql: &'s str, on: &str) -> Option<(String, &'s str)> {
    let rest = sql.strip_prefix("SECURITY LABEL FOR ")?;
    Some(identifier(identifier(rest).1.strip_prefix(on)?))
}

/// The object of `GRANT ALL ON …` and `REVOKE ALL ON …`: privileges are words without quotes.
fn granted_on<'s>(sql: &'s str, on: &str) -> Option<(String, &'s str)> {
    let (verb, rest) = sql.split_once(on)?;
    ((verb.starts_with("GRANT ") || verb.starts_with("REVOKE ")) && !verb.contains('"'))
        .then(|| identifier(rest))
}

/// What a fresh role lacks anyhow is not said: `NOSUPERUSER`, and from 16 on `NOCREATEDB`, is refused to roles that
/// could not say the opposite (`AlterRole`, src/backend/commands/user.c).
fn without_defaults(sql: &str, attributes: &str) -> String {
    let head = &sql[..sql.len() - attributes.len()];
    let (words, password) = match attributes.find(" PASSWORD '") {
        Some(at) => attributes.split_at(at),
        None => (attributes, ""),
    };
    let kept: Vec<&str> = words.split(' ').filter(|w| !w.starts_with("NO") || *w == "NOINHERIT").collect();
    format!("{head}{}{password}", kept.join(" "))
}

/// The identifier that the text begins with, without its quotes, and the rest.
fn identifier(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if chars.next_if(|(_, next)| *next == '"').is_some() => name.push('"'),
            '"' => return (name, &quoted[at + 1..]),
            c => name.push(c),
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_of_pg_dumpall_is_understood() {
        let script = "--\n-- User's \"x\n--\n\n\\restrict abc\nSET client_encoding = 'UTF8';\nCREATE ROLE \"odd \"\"; role\";\n\
             ALTER ROLE \"odd \"\"; role\" WITH NOSUPERUSER NOINHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'x NOSUPERUSER;' VALID UNTIL 'y';\n\
             COMMENT ON ROLE a IS 'line\n-- it''s; no comment';\nALTER ROLE a SET search_path TO 'b;c';\n\
             GRANT a TO \"odd \"\"; role\" WITH INHERIT TRUE GRANTED BY postgres;\nGRANT SET ON PARAMETER work_mem TO a;\n\
             CREATE TABLESPACE ts OWNER a LOCATION E'/x\\\\y';\nGRANT ALL ON TABLESPACE ts TO a;\n";
        let odd = || "odd \"; role".to_owned();
        let got = statements(script);
        let expected = [
            Statement::Other("SET client_encoding = 'UTF8'".into()),
            Statement::CreateRole { role: odd(), sql: "CREATE ROLE \"odd \"\"; role\"".into() },
            Statement::Attributes {
                role: odd(),
                sql: "ALTER ROLE \"odd \"\"; role\" WITH NOINHERIT LOGIN PASSWORD 'x NOSUPERUSER;' VALID UNTIL 'y'".into(),
            },
            Statement::OfRole { role: "a".into(), sql: "COMMENT ON ROLE a IS 'line\n-- it''s; no comment'".into() },
            Statement::OfRole { role: "a".into(), sql: "ALTER ROLE a SET search_path TO 'b;c'".into() },
            Statement::Membership {
                role: "a".into(),
                member: odd(),
                sql: "GRANT a TO \"odd \"\"; role\" WITH INHERIT TRUE GRANTED BY postgres".into(),
            },
            Statement::Other("GRANT SET ON PARAMETER work_mem TO a".into()),
            Statement::CreateTablespace {
                tablespace: "ts".into(),
                sql: "CREATE TABLESPACE ts OWNER a LOCATION E'/x\\\\y'".into(),
            },
            Statement::OfTablespace { tablespace: "ts".into(), sql: "GRANT ALL ON TABLESPACE ts TO a".into() },
        ];
        assert_eq!(got, expected);
    }
}
