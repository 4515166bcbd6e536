//! SQLite: the store in one file, with nothing to install.
//!
//! Goes in: a path. Comes out: transactions. The file is in WAL mode with full synchronisation: what was committed outlives
//! a power failure, and readers do not wait for the writer. One transaction writes at a time, also across processes; the next
//! waits for half a minute. The file is made for its owner alone, because whole person numbers are in it. A folder on a
//! network drive is no place for it: its locks are not kept there; several workstations use PostgreSQL.
//!
//! Deliberately unknown here: the tables.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};

use super::Error;
use super::database::{Arg, Cell, Database, Row, Session, There, on_conflict};

/// `faud`: tells our files from those of others.
const APPLICATION: i64 = 0x6661_7564;

/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Sqlite {
    path: PathBuf,
    /// Connections that nobody uses just now.
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens a file; makes it if `make` says so.
    pub(super) fn open(path: &Path, make: bool) -> Result<Sqlite, Error> {
        let place = path.display().to_string();
        let there = fs::metadata(path);
        match &there {
            Ok(found) if found.is_dir() => return Err(Error::NotAStore { place, found: "a folder".to_owned() }),
            Ok(_) => {}
            Err(_) if !make => return Err(Error::Missing { place: format!("sqlite:{place}") }),
            Err(_) => create(path).map_err(|source| Error::Disk { doing: format!("make `{place}`"), source })?,
        }
        let store = Sqlite { path: path.to_owned(), idle: Mutex::new(Vec::new()) };
        let connection = store.connection("open the store")?;
        store.give_back(connection);
        Ok(store)
    }

    fn connection(&self, doing: &'static str) -> Result<Connection, Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => self.connect(doing),
        }
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    fn connect(&self, doing: &'static str) -> Result<Connection, Error> {
        let wrong = |error| wrong(doing, &self.path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(wrong)?;
        connection.busy_timeout(PATIENCE).map_err(wrong)?;
        self.ours(&connection)?;
        // The page cache holds the narrow rows of some hundred thousand findings; temporary tables are small.
        connection
            .execute_batch(
                "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; \
                 pragma cache_size = -65536; pragma temp_store = memory;",
            )
            .map_err(wrong)?;
        Ok(connection)
    }

    /// Refuses a file that another program made.
    fn ours(&self, connection: &Connection) -> Result<(), Error> {
        let not = |found: &str| Error::NotAStore { place: self.path.display().to_string(), found: found.to_owned() };
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let found = match number("pragma application_id") {
            Ok(found) => found,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                return Err(not("no SQLite database"));
            }
            Err(error) => return Err(wrong("open the store", &self.path, &error)),
        };
        if found == APPLICATION {
            return Ok(());
        }
        if found != 0
            || number("select count(*) from sqlite_master").map_err(|e| wrong("open the store", &self.path, &e))? > 0
        {
            return Err(not("an SQLite database of another program"));
        }
        connection
            .execute_batch(&format!("pragma application_id = {APPLICATION}"))
            .map_err(|error| wrong("make the store", &self.path, &error))
    }

    fn begin(&self, doing: &'static str, how: &str) -> Result<Box<dyn Session + '_>, Error> {
        let connection = self.connection(doing)?;
        // The session is made first: a connection of which `begin` failed is given back too.
        let session = SqliteSession { home: self, doing, connection: Some(connection) };
        session.of().execute_batch(how).map_err(|error| wrong(doing, &self.path, &error))?;
        Ok(Box::new(session))
    }
}

/// An empty file, for its owner alone, and the folder that it lies in.
fn create(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut how = OpenOptions::new();
    how.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        how.mode(0o600);
    }
    how.open(path).map(drop)
}

impl Database for Sqlite {
    fn read(&self, doing: &'static str) -> Result<Box<dyn Session + '_>, Error> {
        self.begin(doing, "begin")
    }

    fn write(&self, doing: &'static str) -> Result<Box<dyn Session + '_>, Error> {
        self.begin(doing, "begin immediate")
    }

    fn write_alone(&self, doing: &'static str) -> Result<Box<dyn Session + '_>, Error> {
        self.write(doing)
    }

    fn place(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    fn about(&self) -> Result<(String, Option<u64>), Error> {
        let size = |ending: &str| {
            let mut path = self.path.clone().into_os_string();
            path.push(ending);
            fs::metadata(path).map_or(0, |found| found.len())
        };
        Ok((format!("SQLite {}", rusqlite::version()), Some(size("") + size("-wal"))))
    }

    fn check(&self) -> Result<Vec<String>, Error> {
        let mut session = self.read("check the store")?;
        let mut complaints = Vec::new();
        for mut row in session.rows("pragma integrity_check", &[])? {
            let said = row.text()?;
            if said != "ok" {
                complaints.push(format!("SQLite: {said}"));
            }
        }
        for mut row in session.rows("pragma foreign_key_check", &[])? {
            complaints.push(format!("a row of `{}` belongs to nothing", row.text()?));
        }
        Ok(complaints)
    }
}

struct SqliteSession<'a> {
    home: &'a Sqlite,
    doing: &'static str,
    /// There until the transaction ends.
    connection: Option<Connection>,
}

impl SqliteSession<'_> {
    fn of(&self) -> &Connection {
        self.connection.as_ref().expect("a session has its connection until it ends")
    }

    fn wrong(&self, error: &rusqlite::Error) -> Error {
        wrong(self.doing, &self.home.path, error)
    }
}

impl Session for SqliteSession<'_> {
    fn run(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, Error> {
        let mut statement = self.of().prepare(&numbered(sql)).map_err(|e| self.wrong(&e))?;
        let touched = statement.execute(rusqlite::params_from_iter(args)).map_err(|e| self.wrong(&e))?;
        Ok(touched as u64)
    }

    fn script(&mut self, sql: &str) -> Result<(), Error> {
        self.of().execute_batch(sql).map_err(|e| self.wrong(&e))
    }

    fn rows(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        self.each(sql, args, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    fn each(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        take: &mut dyn FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement = self.of().prepare(&numbered(sql)).map_err(|e| self.wrong(&e))?;
        let width = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(args)).map_err(|e| self.wrong(&e))?;
        while let Some(row) = rows.next().map_err(|e| self.wrong(&e))? {
            let mut cells = Vec::with_capacity(width);
            for place in 0..width {
                cells.push(match row.get_ref(place).map_err(|e| self.wrong(&e))? {
                    ValueRef::Null => Cell::Null,
                    ValueRef::Integer(value) => Cell::Int(value),
                    ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Real(_) | ValueRef::Blob(_) => {
                        return Err(Error::Damaged {
                            what: self.home.place(),
                            said: "a cell holds neither a whole number nor a text".to_owned(),
                        });
                    }
                });
            }
            take(Row::new(cells))?;
        }
        Ok(())
    }

    fn put(&mut self, table: &str, columns: &[&str], there: There<'_>, rows: &[Vec<Arg<'_>>]) -> Result<(), Error> {
        let marks: Vec<String> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
        let sql = format!(
            "insert into {table} ({}) values ({}) {}",
            columns.join(","),
            marks.join(","),
            on_conflict(columns, there)
        );
        let mut statement = self.of().prepare(&sql).map_err(|e| self.wrong(&e))?;
        for row in rows {
            statement.execute(rusqlite::params_from_iter(row)).map_err(|e| self.wrong(&e))?;
        }
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), Error> {
        self.of().execute_batch("commit").map_err(|e| self.wrong(&e))?;
        if let Some(connection) = self.connection.take() {
            self.home.give_back(connection);
        }
        Ok(())
    }
}

impl Drop for SqliteSession<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // One that cannot be rolled back is closed, which does the same.
        if connection.is_autocommit() || connection.execute_batch("rollback").is_ok() {
            self.home.give_back(connection);
        }
    }
}

/// SQLite numbers its values `?1`.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Arg::Int(None) | Arg::Text(None) => ValueRef::Null,
            Arg::Int(Some(value)) => ValueRef::Integer(*value),
            Arg::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

fn wrong(doing: &str, place: &Path, error: &rusqlite::Error) -> Error {
    let (doing, said) = (doing.to_owned(), error.to_string());
    let there = || format!("{doing} in `{}`", place.display());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full { doing: there(), said },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy { doing, said },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Damaged { what: "the store".to_owned(), said }
        }
        Some(ErrorCode::SystemIoFailure) => Error::Disk {
            doing: there(),
            source: std::io::Error::other(format!(
                "{said}; nothing of it was written, what was there is intact: is the disk full?"
            )),
        },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            Error::Disk { doing: there(), source: std::io::Error::new(std::io::ErrorKind::PermissionDenied, said) }
        }
        _ => Error::Database { doing, said },
    }
}
