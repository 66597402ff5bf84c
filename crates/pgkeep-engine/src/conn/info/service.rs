//! Named connections: `pg_service.conf` (PostgreSQL documentation, "The Connection Service File").

use std::path::{Path, PathBuf};

use super::bad;
use super::strings::Keys;
use crate::error::Result;

/// Fills `keys` with what the service says and they do not: from `PGSERVICEFILE`, else `~/.pg_service.conf`; where the
/// service is not there, from `pg_service.conf` in `PGSYSCONFDIR` (`parseServiceInfo`,
/// src/interfaces/libpq/fe-connect.c).
pub(super) fn fill(keys: &mut Keys, var: &dyn Fn(&str) -> Option<String>) -> Result<()> {
    let file = keys.remove("servicefile").or_else(|| var("PGSERVICEFILE")).filter(|f| !f.is_empty());
    let Some(name) = keys.remove("service").or_else(|| var("PGSERVICE")).filter(|s| !s.is_empty()) else {
        return Ok(());
    };
    let own = match file {
        // A file that is named must be there.
        Some(file) => Some(read(Path::new(&file))?),
        None => match var("HOME").map(|home| Path::new(&home).join(".pg_service.conf")) {
            Some(path) if path.exists() => Some(read(&path)?),
            _ => None,
        },
    };
    let common = var("PGSYSCONFDIR").map_or_else(|| PathBuf::from("/etc/postgresql-common"), PathBuf::from);
    let common = common.join("pg_service.conf");
    let mut looked = Vec::new();
    for (path, text) in own.into_iter().chain(common.exists().then(|| read(&common)).transpose()?) {
        if let Some(found) = section(&text, &name).map_err(|why| bad(format!("{}: {why}", path.display())))? {
            for (key, value) in found {
                keys.entry(key).or_insert(value);
            }
            return Ok(());
        }
        looked.push(path.display().to_string());
    }
    let looked = if looked.is_empty() { "no service file".into() } else { looked.join(", ") };
    Err(bad(format!("the service \"{name}\" is not defined (looked into {looked})"))
        .hint(format!("write a section [{name}] into ~/.pg_service.conf, or name the file in PGSERVICEFILE")))
}

fn read(path: &Path) -> Result<(PathBuf, String)> {
    let text = std::fs::read(path).map_err(|e| bad(format!("service file {}: {e}", path.display())))?;
    Ok((path.into(), String::from_utf8_lossy(&text).into_owned()))
}

/// The pairs of the section, `None` where it is not there. Lines are never repeated: they may hold a password.
fn section(text: &str, name: &str) -> Result<Option<Keys>, String> {
    let mut found: Option<Keys> = None;
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            if title == name {
                found = Some(Keys::new());
            }
            continue;
        }
        let Some(keys) = &mut found else { continue };
        let (key, value) = line.split_once('=').ok_or_else(|| format!("line {} is no key=value", n + 1))?;
        if key == "service" || key == "servicefile" {
            return Err(format!("line {}: a service cannot name another", n + 1));
        }
        // The first of two wins, as with libpq.
        keys.entry(key.into()).or_insert_with(|| value.into());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_of_that_name_is_taken_and_no_other() {
        let text = "# c\n[a]\nhost=x\n[b]\nhost=y\nport=1\nhost=z\npassword=p = q\n[c]\nport=2\n";
        let b = section(text, "b").unwrap().unwrap();
        assert_eq!((b["host"].as_str(), b["port"].as_str(), b["password"].as_str()), ("y", "1", "p = q"));
        assert_eq!(section(text, "d").unwrap(), None);
    }

    #[test]
    fn a_bad_line_is_named_and_not_repeated() {
        let e = section("[a]\nhunter2\n", "a").unwrap_err();
        assert!(e.contains("line 2") && !e.contains("hunter2"), "{e}");
    }
}
