//! From a selection's rules to what the server is asked.

use std::collections::{HashMap, HashSet};

use super::builtin::Builtin;
use super::catalog::{self, Column, Relation};
use super::encoding::encoded;
use super::expression::at_time;
use super::{Resolved, Rules, Scope, TableRules, name, notes};
use crate::conn::{Client, quote_ident};
use crate::error::{EngineError, ErrorKind, Result};
use crate::select::Selection;

/// A `where` that the server takes.
pub(super) struct Cut {
    pub(super) table: u32,
    /// As it was written.
    pub(super) text: String,
    /// In parentheses.
    pub(super) condition: Vec<u8>,
}

/// A mask that the server takes.
pub(super) struct Mask {
    pub(super) table: u32,
    pub(super) column: Column,
    /// As it was written.
    pub(super) text: String,
    /// Of the column's type.
    pub(super) expression: Vec<u8>,
    /// Whether different values stay different.
    pub(super) keeps_apart: bool,
    /// Whether it depends on nothing but value and type.
    pub(super) by_value: bool,
    salted: bool,
}

pub(super) struct Resolver<'a> {
    client: &'a mut Client,
    scope: &'a Scope<'a>,
    relations: HashMap<u32, Relation>,
    /// Columns of the tables that have rules.
    columns: HashMap<u32, Vec<Column>>,
    problems: Vec<EngineError>,
}

/// Why a rule makes no sense, and what to do; or why it could not be looked at.
enum Bad {
    Rule(EngineError),
    Fatal(EngineError),
}

impl From<EngineError> for Bad {
    fn from(e: EngineError) -> Bad {
        Bad::Fatal(e)
    }
}

pub(super) fn wrong(why: impl Into<String>) -> EngineError {
    EngineError::new(ErrorKind::Config, "", why)
}

impl<'a> Resolver<'a> {
    pub(super) fn new(client: &'a mut Client, scope: &'a Scope<'a>) -> Result<Self> {
        let relations = catalog::relations(client)?;
        Ok(Resolver { client, scope, relations, columns: HashMap::new(), problems: Vec::new() })
    }

    pub(super) fn all(mut self, selection: &Selection) -> Result<Resolved> {
        let (mut cuts, mut masks) = (Vec::new(), Vec::new());
        for (table, text) in &selection.row_filters {
            let cut = self.cut(table, text);
            cuts.extend(self.keep(cut, || format!("where {table}"))?);
        }
        for (column, text) in &selection.masks {
            let mask = self.mask(column, text);
            masks.extend(self.keep(mask, || format!("mask {column}"))?);
        }
        let mut rules = Rules { salted: masks.iter().any(|m| m.salted), ..Rules::default() };
        for cut in &cuts {
            for table in self.tree(cut.table) {
                let of = self.entry(&mut rules, table, cut.table);
                if of.condition.replace(cut.condition.clone()).is_some() {
                    self.problems.push(self.twice(table, "where"));
                }
            }
        }
        for mask in &masks {
            for table in self.tree(mask.table) {
                let of = self.entry(&mut rules, table, mask.table);
                if of.masks.insert(mask.column.name.clone(), mask.expression.clone()).is_some() {
                    let column = String::from_utf8_lossy(&mask.column.quoted).into_owned();
                    self.problems.push(self.twice(table, &format!("mask of {column}")));
                }
            }
        }
        let notes = match self.problems.is_empty() {
            true => {
                notes::Look { relations: &self.relations, cuts: &cuts, masks: &masks, read: self.scope.read }
                    .all(self.client)?
            }
            false => Vec::new(),
        };
        Ok(Resolved { rules, notes, problems: self.problems })
    }

    fn keep<T>(&mut self, found: Result<T, Bad>, rule: impl FnOnce() -> String) -> Result<Option<T>> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Bad::Rule(e)) => {
                self.problems.push(e.during(rule()));
                Ok(None)
            }
            Err(Bad::Fatal(e)) => Err(e.during(rule())),
        }
    }

    /// The table and all whose rows are also its own.
    fn tree(&self, root: u32) -> Vec<u32> {
        self.relations.keys().copied().filter(|table| is_below(&self.relations, *table, root)).collect()
    }

    fn entry<'r>(&self, rules: &'r mut Rules, table: u32, of: u32) -> &'r mut TableRules {
        let entry = rules.tables.entry(table).or_default();
        // Of two rules, one through a parent, the table's own name counts.
        if entry.alias.is_empty() || table == of {
            entry.alias = alias(&self.relations[&of]);
        }
        entry
    }

    fn twice(&self, table: u32, what: &str) -> EngineError {
        let table = String::from_utf8_lossy(&self.relations[&table].quoted).into_owned();
        let mut e =
            wrong(format!("it has more than one {what}: rules for a table hold for what inherits from it"));
        e.what = table;
        e
    }

    fn cut(&mut self, table: &str, text: &str) -> Result<Cut, Bad> {
        let parts = parts(table, 2).map_err(Bad::Rule)?;
        let oid = self.table(&parts)?;
        let text_now = self.text(text)?;
        let condition = [b"(", text_now.as_slice(), b"\n)"].concat();
        self.ask(oid, &condition)?;
        Ok(Cut { table: oid, text: text.to_owned(), condition })
    }

    fn mask(&mut self, column: &str, text: &str) -> Result<Mask, Bad> {
        let parts = parts(column, 3).map_err(Bad::Rule)?;
        let oid = self.table(&parts[..2])?;
        let column = self.column(oid, &parts[2])?;
        self.refuse_column(oid, &column)?;
        let builtin = Builtin::parse(text).map_err(|why| Bad::Rule(wrong(why)))?;
        let value = match builtin {
            Some(builtin) => {
                let told = |why| Bad::Rule(wrong(format!("{}: {why}", text.trim())));
                builtin.expression(&column).map_err(told)?
            }
            None => self.text(text)?,
        };
        let expression = [b"(", value.as_slice(), b"\n)::", column.type_sql.as_slice()].concat();
        // As a condition it can be no aggregate, window function or set, which as a column would change the rows.
        self.ask(oid, &[b"(", expression.as_slice(), b") IS NULL"].concat())?;
        Ok(Mask {
            table: oid,
            keeps_apart: builtin.is_some_and(|b| b.keeps_apart(&column)),
            by_value: builtin.is_some(),
            salted: builtin.is_some_and(Builtin::is_salted),
            column,
            text: text.trim().to_owned(),
            expression,
        })
    }

    /// A rule's own SQL as it is sent.
    fn text(&mut self, text: &str) -> Result<Vec<u8>, Bad> {
        let text = at_time(text, &self.scope.time.to_string()).map_err(|why| Bad::Rule(wrong(why)))?;
        Ok(encoded(self.client, &text)?)
    }

    /// The table of this name.
    fn table(&mut self, parts: &[String]) -> Result<u32, Bad> {
        let (schema, name) = (encoded(self.client, &parts[0])?, encoded(self.client, &parts[1])?);
        let found = self.relations.iter().find(|(_, r)| r.schema == schema && r.name == name);
        let Some((&oid, relation)) = found else {
            let wanted = parts.join(".");
            let known = self.relations.values().filter(|r| r.is_table());
            let e = wrong("there is no such table");
            return Err(Bad::Rule(match nearest(&wanted, known.map(Relation::display)) {
                Some(near) => e.hint(format!("did you mean {near}?")),
                None => e.hint("upper case needs double quotes, as in SQL"),
            }));
        };
        let refuse = |why: &str, hint: &str| Err(Bad::Rule(wrong(why).hint(hint)));
        match relation.kind {
            b'v' => refuse("it is a view, and a view has no rows of its own", "a rule goes to its tables"),
            b'm' => refuse(
                "it is a materialized view: a restore makes its rows of what was kept of its tables",
                "a rule goes to its tables",
            ),
            b'S' => refuse("it is a sequence", "--exclude-table leaves it out"),
            _ if relation.of_extension => refuse(
                "it is an extension's configuration table, whose rows the extension chooses",
                "leave its rows out by --exclude-table-data",
            ),
            _ if self.scope.read.is_some_and(|read| !self.tree(oid).iter().any(|t| read.contains(t))) => {
                refuse("none of its rows are in this backup", "a filter leaves them out; take the rule away")
            }
            _ => Ok(oid),
        }
    }

    fn column(&mut self, table: u32, name: &str) -> Result<Column, Bad> {
        let wanted = encoded(self.client, name)?;
        if !self.columns.contains_key(&table) {
            let columns = catalog::columns(self.client, table)?;
            self.columns.insert(table, columns);
        }
        let columns = &self.columns[&table];
        if let Some(column) = columns.iter().find(|c| c.name == wanted) {
            return Ok(column.clone());
        }
        let known = columns.iter().map(|c| String::from_utf8_lossy(&c.quoted).into_owned());
        let table = self.relations[&table].display();
        let e = wrong(format!("{table} has no such column"));
        Err(Bad::Rule(match nearest(name, known) {
            Some(near) => e.hint(format!("did you mean {near}?")),
            None => e,
        }))
    }

    /// Columns that get their values elsewhere, or whose values say where the row belongs.
    fn refuse_column(&mut self, table: u32, column: &Column) -> Result<(), Bad> {
        let above_or_below =
            |t: &u32| is_below(&self.relations, table, *t) || is_below(&self.relations, *t, table);
        let family: Vec<u32> = self.relations.keys().copied().filter(above_or_below).collect();
        let (why, hint) = if column.generated {
            ("the server computes the column of others", "mask those")
        } else if column.identity {
            (
                "the server alone gives it values (GENERATED ALWAYS AS IDENTITY)",
                "mask what names people, not its key",
            )
        } else if catalog::partition_keys(self.client, &family)?.contains(&column.name) {
            (
                "it decides in which partition a row belongs, and masked rows would not fit theirs",
                "mask other columns",
            )
        } else {
            return Ok(());
        };
        Err(Bad::Rule(wrong(why).hint(hint)))
    }

    /// Has the server look at a condition as it will stand in the statement that reads the rows, without running it.
    fn ask(&mut self, table: u32, condition: &[u8]) -> Result<(), Bad> {
        let relation = &self.relations[&table];
        let from = [relation.quoted.as_slice(), b" AS ", &alias(relation)].concat();
        let sql = [b"EXPLAIN SELECT FROM ONLY ", from.as_slice(), b" WHERE ", condition].concat();
        // By itself: of statements that are sent together none is run if one is not SQL.
        let wait = self.scope.lock_timeout;
        self.client.execute(format!("SAVEPOINT pgkeep_rule; SET LOCAL lock_timeout = {wait}"))?;
        let asked = self.client.execute(sql);
        let refused = match asked {
            Ok(()) => None,
            Err(e) if e.kind == ErrorKind::Server || e.kind == ErrorKind::Permission => Some(e),
            Err(e) => return Err(e.into()),
        };
        self.client.execute("ROLLBACK TO SAVEPOINT pgkeep_rule; RELEASE SAVEPOINT pgkeep_rule")?;
        let Some(e) = refused else { return Ok(()) };
        // undefined_function, _table, _object; invalid_schema_name
        let needs_schema = matches!(e.sqlstate.as_deref(), Some("42883" | "42P01" | "42704" | "3F000"));
        let hint = match needs_schema {
            true => Some("what is not PostgreSQL's own needs its schema, such as public.citext, public.my_function(email)".to_owned()),
            false => e.hint.clone(),
        };
        Err(Bad::Rule(EngineError { hint, ..wrong(format!("the server does not take it: {}", e.why)) }))
    }
}

/// Whether the rows of `table` are also those of `root`.
pub(super) fn is_below(relations: &HashMap<u32, Relation>, table: u32, root: u32) -> bool {
    table == root
        || relations.get(&table).is_some_and(|r| r.parents.iter().any(|p| is_below(relations, *p, root)))
}

/// The name by which a rule may call its table.
fn alias(relation: &Relation) -> Vec<u8> {
    quote_ident(&relation.name)
}

/// The parts of a table's name, which are two, or of a column's, which are three.
pub(super) fn parts(text: &str, count: usize) -> Result<Vec<String>> {
    let form = if count == 2 { "schema.table" } else { "schema.table.column" };
    match name::parts(text) {
        Ok(parts) if parts.len() == count => Ok(parts),
        Ok(_) => Err(wrong(format!("write {form}"))),
        Err(why) => Err(wrong(why).hint(format!("write {form}, with double quotes where SQL needs them"))),
    }
}

/// The known name that was probably meant.
fn nearest(word: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let score = |k: &String| strsim::jaro_winkler(word, &k.replace('"', ""));
    known.filter(|k| score(k) > 0.8).max_by(|a, b| score(a).total_cmp(&score(b)))
}

/// Tables whose rows are read and that a tree has.
pub(super) fn any_read(
    relations: &HashMap<u32, Relation>,
    read: Option<&HashSet<u32>>,
    root: u32,
) -> Vec<u32> {
    let in_tree = relations.keys().copied().filter(|t| is_below(relations, *t, root));
    in_tree.filter(|t| read.is_none_or(|read| read.contains(t))).collect()
}
