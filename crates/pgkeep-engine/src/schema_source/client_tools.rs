//! PostgreSQL's client programs on this machine: which there are, and which fits a server.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::conn::major_of;
use crate::error::{EngineError, ErrorKind, Result};

/// A client program and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTool {
    /// The program's file.
    pub path: PathBuf,
    /// Version as it names itself, such as `17.11`.
    pub version: String,
    /// Major version.
    pub major: u32,
}

/// All copies of `name` (such as `pg_dump`) found in `PGKEEP_PG_BIN` (folders, separated as in `PATH`), in the folder
/// `bin` beside this program, in `PATH`, and in the places where distributions put them. Of one major version only the first found is kept.
///
/// All are asked for their versions at once: each answers in milliseconds, and a machine can have many.
pub fn find_tools(name: &str) -> Vec<ClientTool> {
    let paths = distinct(folders().into_iter().map(|dir| dir.join(name)));
    let asked = std::thread::scope(|scope| {
        let asking: Vec<_> = paths.iter().map(|path| scope.spawn(|| ask_version(path))).collect();
        asking.into_iter().filter_map(|a| a.join().ok().flatten()).collect::<Vec<_>>()
    });
    let mut found: BTreeMap<u32, ClientTool> = BTreeMap::new();
    for tool in asked {
        found.entry(tool.major).or_insert(tool);
    }
    found.into_values().collect()
}

/// The files there are, each once: `/bin` is `/usr/bin` on most systems.
fn distinct(paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    paths
        .filter(|path| {
            let Ok(file) = path.canonicalize() else { return false };
            // Debian's starter of other folders' programs, which are looked at themselves; a slow one.
            file.is_file() && !file.ends_with("pg_wrapper") && seen.insert(file)
        })
        .collect()
}

/// The oldest tool that is not older than the server: pg_dump refuses newer servers, and the nearest version
/// writes what the server's own pg_restore reads best.
///
/// # Errors
/// `ClientTool`, naming what was found and what to install.
pub fn pick_tool(tools: &[ClientTool], name: &str, server_major: u32) -> Result<ClientTool> {
    if let Some(tool) = tools.iter().filter(|t| t.major >= server_major).min_by_key(|t| t.major) {
        return Ok(tool.clone());
    }
    let why = if tools.is_empty() {
        format!("no {name} on this machine")
    } else {
        let list: Vec<_> = tools.iter().map(|t| format!("{} ({})", t.version, t.path.display())).collect();
        format!("the server is version {server_major} and every {name} here is older: {}", list.join(", "))
    };
    Err(EngineError::new(ErrorKind::ClientTool, format!("looking for {name} {server_major} or newer"), why).hint(
        format!(
            "install it (Debian, Ubuntu: apt-get install postgresql-client-{server_major} from apt.postgresql.org), \
             or name its folder in PGKEEP_PG_BIN"
        ),
    ))
}

fn folders() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    if let Some(only) = std::env::var_os("PGKEEP_PG_BIN") {
        dirs.extend(std::env::split_paths(&only));
    }
    // A package that brings its own, such as that of the Lambda function.
    dirs.extend(std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("bin"))));
    dirs.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    for (parent, sub) in [
        ("/usr/lib/postgresql", "bin"),
        ("/usr/pgsql", "bin"),
        ("/usr/libexec/postgresql", ""),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
    ] {
        dirs.extend(children(Path::new(parent)).into_iter().map(|d| d.join(sub)));
    }
    // Red Hat's layout: /usr/pgsql-17/bin.
    dirs.extend(
        children(Path::new("/usr"))
            .into_iter()
            .filter(|d| d.file_name().is_some_and(|n| n.to_string_lossy().starts_with("pgsql-")))
            .map(|d| d.join("bin")),
    );
    dirs.push("/usr/local/pgsql/bin".into());
    dirs
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut dirs: Vec<_> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    dirs.sort();
    dirs
}

fn ask_version(path: &Path) -> Option<ClientTool> {
    let out = Command::new(path).arg("--version").output().ok().filter(|o| o.status.success())?;
    // "pg_dump (PostgreSQL) 17.11" or "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    let text = String::from_utf8_lossy(&out.stdout);
    let version = text.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?.to_owned();
    Some(ClientTool { path: path.into(), major: major_of(&version), version })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(version: &str) -> ClientTool {
        ClientTool { path: format!("/x/{version}").into(), version: version.into(), major: major_of(version) }
    }

    #[test]
    fn the_oldest_tool_not_older_than_the_server_is_taken() {
        let tools = [tool("14.2"), tool("16.1"), tool("18beta1")];
        assert_eq!(pick_tool(&tools, "pg_dump", 15).unwrap().version, "16.1");
        assert_eq!(pick_tool(&tools, "pg_dump", 14).unwrap().version, "14.2");
        assert_eq!(pick_tool(&tools, "pg_dump", 17).unwrap().version, "18beta1");
    }

    #[test]
    fn a_file_is_asked_once_and_a_starter_of_others_never() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["bin", "share"] {
            std::fs::create_dir(at(folder)).unwrap();
        }
        std::fs::write(at("bin/pg_dump"), "").unwrap();
        std::fs::write(at("share/pg_wrapper"), "").unwrap();
        std::os::unix::fs::symlink(at("bin"), at("same")).unwrap();
        std::os::unix::fs::symlink(at("share/pg_wrapper"), at("share/pg_dump")).unwrap();
        let all = ["bin", "same", "share", "nowhere"].map(|folder| at(folder).join("pg_dump"));
        assert_eq!(distinct(all.into_iter()), [at("bin/pg_dump")]);
    }

    #[test]
    fn without_a_fitting_tool_the_error_says_what_is_there_and_what_to_install() {
        let e = pick_tool(&[tool("14.2")], "pg_dump", 17).unwrap_err().to_string();
        assert!(e.contains("14.2") && e.contains("postgresql-client-17"), "{e}");
        let e = pick_tool(&[], "pg_dump", 17).unwrap_err().to_string();
        assert!(e.contains("no pg_dump on this machine"), "{e}");
    }
}
