//! The same view in the words of two majors.

use bstr::ByteSlice;
use pgkeep_archive::Toc;

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::definitions::Change;
use crate::error::{ErrorKind, Result};
use crate::session::prepare;

/// Takes those views out of the changes that differ in words alone, and gives their number.
///
/// A server reads both texts as temporary views, in a transaction that is rolled back. Where it then says the same of
/// both, they mean the same. What it cannot read stays a change.
pub(super) fn take_out(
    changes: &mut Vec<Change>,
    sides: [&Toc; 2],
    server: &ConnInfo,
    cancel: &Cancel,
) -> Result<u64> {
    let views: Vec<_> = changes.iter().map(|change| change.definitions(sides).and_then(queries)).collect();
    if views.iter().all(Option::is_none) {
        return Ok(0);
    }
    let mut client = Client::connect(server, cancel)?;
    prepare(&mut client, "UTF8")?;
    let mut same = Vec::new();
    for view in views {
        same.push(match view {
            Some(queries) => mean_the_same(&mut client, queries)?,
            None => false,
        });
    }
    let before = changes.len();
    let mut same = same.into_iter();
    changes.retain(|_| !same.next().unwrap_or(false));
    Ok((before - changes.len()) as u64)
}

/// The queries of two views that are alike but for them.
fn queries<'a>([one, other]: [&'a [u8]; 2]) -> Option<[&'a [u8]; 2]> {
    let cut = |text: &'a [u8]| {
        let (head, query) = text.split_once_str(" AS\n")?;
        let is_view = [b"CREATE VIEW ".as_slice(), b"CREATE OR REPLACE VIEW ", b"CREATE MATERIALIZED VIEW "]
            .iter()
            .any(|begin| head.starts_with(begin));
        let query = query.trim_ascii_end().strip_suffix(b";")?;
        is_view.then(|| (head, query.strip_suffix(b"\n  WITH NO DATA").unwrap_or(query)))
    };
    let ((head, one), (other_head, other)) = (cut(one)?, cut(other)?);
    (head == other_head).then_some([one, other])
}

fn mean_the_same(client: &mut Client, [one, other]: [&[u8]; 2]) -> Result<bool> {
    let make = |name: &str, query: &[u8]| {
        [format!("CREATE TEMPORARY VIEW {name} AS\n").as_bytes(), query, b";"].concat()
    };
    let (first, second) = ("pgkeep_one", "pgkeep_other");
    client.execute("BEGIN")?;
    let made = client.execute([make(first, one), make(second, other)].concat()).and_then(|()| {
        client.query_one(format!(
            "SELECT pg_catalog.pg_get_viewdef('pg_temp.{first}'::pg_catalog.regclass) \
                  = pg_catalog.pg_get_viewdef('pg_temp.{second}'::pg_catalog.regclass)"
        ))
    });
    client.execute("ROLLBACK")?;
    match made {
        Ok(row) => Ok(row.bool(0)),
        Err(e) if matches!(e.kind, ErrorKind::Server | ErrorKind::Permission) => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_that_differ_in_more_than_their_query_are_not_taken_for_reworded() {
        let of = |one: &'static str, other: &'static str| queries([one.as_bytes(), other.as_bytes()]);
        let plain = "CREATE VIEW public.v AS\n SELECT t.a\n   FROM public.t;\n";
        assert_eq!(
            of(plain, "CREATE VIEW public.v AS\n SELECT a\n   FROM public.t;\n"),
            Some([b" SELECT t.a\n   FROM public.t".as_slice(), b" SELECT a\n   FROM public.t"])
        );
        let barrier =
            "CREATE VIEW public.v WITH (security_barrier='true') AS\n SELECT a\n   FROM public.t;\n";
        assert_eq!(of(plain, barrier), None);
        assert_eq!(of("CREATE TABLE t AS\n x;", "CREATE TABLE t AS\n y;"), None);
        assert_eq!(of("CREATE VIEW v AS", plain), None);
    }
}
