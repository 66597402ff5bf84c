//! One entry of the table of contents (`ReadToc` and `WriteToc`, src/bin/pg_dump/pg_backup_archiver.c).

use std::fmt;

use bstr::{BString, ByteSlice};

use crate::primitive::{Put, Source};
use crate::{ArchiveError, Container, DumpId, FormatVersion, Header, Offset, Result};

/// Part of a restore that an entry belongs to (`teSection`, src/bin/pg_dump/pg_backup.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Comments, access rights: with whatever they belong to.
    None = 1,
    /// Schemas, types, tables.
    PreData = 2,
    /// Rows, sequence values, large objects.
    Data = 3,
    /// Indexes, constraints, triggers.
    PostData = 4,
}

/// One entry of the table of contents. `None` is NULL, which is not the same as an empty string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, above 0.
    pub id: DumpId,
    /// Whether a data block belongs to it ("hadDumper").
    pub has_data: bool,
    /// Oid of the catalog, in decimal; `"0"` for table data.
    pub table_oid: Option<BString>,
    /// Oid of the object, in decimal.
    pub oid: Option<BString>,
    /// Name of the object.
    pub tag: Option<BString>,
    /// Kind of the object, such as `TABLE DATA`.
    pub desc: Option<BString>,
    /// Section it belongs to.
    pub section: Section,
    /// SQL that makes it.
    pub definition: Option<BString>,
    /// SQL that drops it.
    pub drop: Option<BString>,
    /// The COPY statement of its rows.
    pub copy: Option<BString>,
    /// Schema.
    pub namespace: Option<BString>,
    /// Tablespace.
    pub tablespace: Option<BString>,
    /// Table access method, from format 1.14.
    pub table_am: Option<BString>,
    /// `pg_class.relkind`, from format 1.16; 0 where there is none.
    pub relkind: Option<i32>,
    /// Owner.
    pub owner: Option<BString>,
    /// `"true"` for tables with OIDs, which ended with PostgreSQL 11.
    pub with_oids: Option<BString>,
    /// What must be there first.
    pub dependencies: Vec<DumpId>,
    /// Where its data stands.
    pub offset: Offset,
    /// In a directory, the file that its data is in, without the ending of the codec; see
    /// [`Container::Directory`].
    pub file: Option<BString>,
}

impl Entry {
    /// Whether it is of this kind, such as `TABLE DATA`.
    pub fn desc_is(&self, desc: &str) -> bool {
        self.desc.as_deref().is_some_and(|d| d == desc.as_bytes())
    }

    /// Whether it is named so.
    pub fn tag_is(&self, tag: &str) -> bool {
        self.tag.as_deref().is_some_and(|t| t == tag.as_bytes())
    }

    /// The kind and name for people: `TABLE DATA public.accounts`.
    pub fn display(&self) -> impl fmt::Display + '_ {
        Shown(self)
    }

    /// The object's oid as a number.
    pub fn oid_number(&self) -> Option<u32> {
        self.oid.as_ref()?.to_str().ok()?.parse().ok()
    }

    /// Whether it is a partitioned table with an access method of its own, which only format 1.16 can say.
    pub(crate) fn is_partitioned_with_am(&self) -> bool {
        self.relkind == Some(i32::from(b'p')) && self.table_am.as_ref().is_some_and(|am| !am.is_empty())
    }

    pub(crate) fn read(src: &mut Source<'_>, header: &Header) -> Result<Self> {
        let version = header.version;
        let id = read_id(src)?;
        let has_data = src.int("an entry's data flag")? != 0;
        let table_oid = src.string("an entry's catalog oid")?;
        let oid = src.string("an entry's oid")?;
        let tag = src.string("an entry's tag")?;
        let desc = src.string("an entry's kind")?;
        let section = read_section(src)?;
        let definition = src.string("an entry's definition")?;
        let drop = src.string("an entry's drop statement")?;
        let copy = src.string("an entry's copy statement")?;
        let namespace = src.string("an entry's schema")?;
        let tablespace = src.string("an entry's tablespace")?;
        let table_am =
            if version >= FormatVersion::V1_14 { src.string("an entry's access method")? } else { None };
        let relkind =
            if version >= FormatVersion::V1_16 { Some(src.int("an entry's relkind")?) } else { None };
        let owner = src.string("an entry's owner")?;
        let with_oids = src.string("an entry's oids flag")?;
        let dependencies = read_dependencies(src)?;
        let (offset, file) = match header.container {
            Container::Custom => (Offset::read(src, header.offset_size)?, None),
            Container::Directory => {
                let file = src.string("an entry's file name")?.filter(|f| !f.is_empty());
                (if file.is_some() { Offset::NotSet } else { Offset::NoData }, file)
            }
        };
        Ok(Self {
            id,
            has_data,
            table_oid,
            oid,
            tag,
            desc,
            section,
            definition,
            drop,
            copy,
            namespace,
            tablespace,
            table_am,
            relkind,
            owner,
            with_oids,
            dependencies,
            offset,
            file,
        })
    }

    /// Whether `version` has words for all of the entry that matters to a restore.
    pub(crate) fn check(&self, header: &Header) -> Result<()> {
        let cannot = |needed, what| {
            if header.version >= needed {
                return Ok(());
            }
            Err(ArchiveError::CannotSay { version: header.version, needed, what, id: self.id })
        };
        if self.desc_is("BLOB METADATA") {
            cannot(FormatVersion::V1_16, "BLOB METADATA")?;
        }
        if self.is_partitioned_with_am() {
            cannot(FormatVersion::V1_16, "the access method of a partitioned table")?;
        }
        if self.table_am.as_ref().is_some_and(|am| !am.is_empty()) {
            cannot(FormatVersion::V1_14, "a table access method")?;
        }
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut impl Put, header: &Header) {
        let version = header.version;
        out.put_int(self.id.0);
        out.put_int(i32::from(self.has_data));
        put(out, &self.table_oid);
        put(out, &self.oid);
        put(out, &self.tag);
        put(out, &self.desc);
        out.put_int(self.section as i32);
        put(out, &self.definition);
        put(out, &self.drop);
        put(out, &self.copy);
        put(out, &self.namespace);
        put(out, &self.tablespace);
        if version >= FormatVersion::V1_14 {
            put(out, &self.table_am);
        }
        if version >= FormatVersion::V1_16 {
            out.put_int(self.relkind.unwrap_or(0));
        }
        put(out, &self.owner);
        put(out, &self.with_oids);
        for dependency in &self.dependencies {
            out.put_str(Some(dependency.to_string().as_bytes()));
        }
        out.put_str(None);
        match header.container {
            Container::Custom => self.offset.write(out, header.offset_size),
            // `_WriteExtraToc`, src/bin/pg_dump/pg_backup_directory.c.
            Container::Directory => out.put_str(Some(self.file.as_ref().map_or(b"", |f| f.as_slice()))),
        }
    }
}

fn put(out: &mut impl Put, s: &Option<BString>) {
    out.put_str(s.as_ref().map(|s| s.as_slice()));
}

fn read_id(src: &mut Source<'_>) -> Result<DumpId> {
    let start = src.offset();
    match src.int("an entry's dump id")? {
        id @ 1.. => Ok(DumpId(id)),
        id => Err(ArchiveError::corrupt(start, format!("{id} is no dump id"))),
    }
}

fn read_section(src: &mut Source<'_>) -> Result<Section> {
    let start = src.offset();
    Ok(match src.int("an entry's section")? {
        1 => Section::None,
        2 => Section::PreData,
        3 => Section::Data,
        4 => Section::PostData,
        other => return Err(ArchiveError::corrupt(start, format!("{other} is no section"))),
    })
}

fn read_dependencies(src: &mut Source<'_>) -> Result<Vec<DumpId>> {
    let mut dependencies = Vec::new();
    loop {
        let start = src.offset();
        let Some(s) = src.string("an entry's dependencies")? else { return Ok(dependencies) };
        let id = s.to_str().ok().and_then(|s| s.trim_start().parse().ok());
        let id =
            id.ok_or_else(|| ArchiveError::corrupt(start, format!("a dependency on {s:?}, no dump id")))?;
        dependencies.push(DumpId(id));
    }
}

struct Shown<'e>(&'e Entry);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { desc, namespace, tag, .. } = self.0;
        if let Some(desc) = desc {
            write!(f, "{desc} ")?;
        }
        if let Some(namespace) = namespace.as_ref().filter(|n| !n.is_empty()) {
            write!(f, "{namespace}.")?;
        }
        match tag {
            Some(tag) => write!(f, "{tag}"),
            None => write!(f, "(no name, dump id {})", self.0.id),
        }
    }
}
