//! PostgreSQL: one store for several workstations.
//!
//! Goes in: a URL (`postgres://user@host/database`, `?host=/run/postgresql` for a socket; the password better in `PGPASSWORD` or
//! `~/.pgpass` than on a command line). Comes out: transactions. The tables lie in the first schema of the user's search path,
//! as the program made them; their texts compare by bytes, whatever the database's language, so that lists are in the same
//! order everywhere.
//!
//! A small runtime of its own waits for the network, so that everybody else may simply wait. Deliberately unknown here: the
//! tables.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, PgConnection, Postgres as Pg, Row as _, Transaction,
    TypeInfo as _,
};
use tokio::runtime::Runtime;

use super::database::{Arg, Cell, Database, Row, Session, There, on_conflict};
use super::{Error, shown_url};

/// Values of one statement, at most; the protocol allows 65,535.
const VALUES: usize = 30_000;

/// Rows that are fetched at once.
const ROWS: usize = 2_000;

pub(super) struct Postgres {
    /// There until the store is dropped.
    runtime: Option<Runtime>,
    pool: PgPool,
    place: String,
    version: OnceLock<String>,
}

impl Postgres {
    /// Connects.
    pub(super) fn open(url: &str) -> Result<Postgres, Error> {
        let place = shown_url(url);
        let doing = || format!("open the store at `{place}`");
        let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| Error::Database {
            doing: doing(),
            // The error may quote the URL, and with it the password.
            said: error.to_string().replace(url, &place),
        })?;
        let options = options.application_name("fundaudit").disable_statement_logging();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|source| Error::Disk { doing: "start the thread that talks to PostgreSQL".to_owned(), source })?;
        // A pool tries for as long as it is patient; one try says at once what is wrong.
        let tried = async { PgConnection::connect_with(&options).await?.close().await };
        runtime.block_on(tried).map_err(|error| Error::Database {
            doing: doing(),
            said: format!("{error}; is PostgreSQL running there, does the database exist, may the user connect?"),
        })?;
        let pool = {
            // The pool's housekeeping is spawned where it is made.
            let _here = runtime.enter();
            PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(30)).connect_lazy_with(options)
        };
        Ok(Postgres { runtime: Some(runtime), pool, place, version: OnceLock::new() })
    }

    fn wait<T>(&self, doing: &'static str, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
        let runtime = self.runtime.as_ref().expect("a store has its runtime until it is dropped");
        runtime.block_on(work).map_err(|error| wrong(doing, &error))
    }

    fn begin(&self, doing: &'static str, how: &'static str, then: &[&str]) -> Result<Box<dyn Session + '_>, Error> {
        let begun = self.wait(doing, self.pool.begin_with(how))?;
        let mut session = Box::new(PgSession { home: self, doing, transaction: Some(begun), cursors: 0 });
        for sql in then {
            session.script(sql)?;
        }
        Ok(session)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if tokio::runtime::Handle::try_current().is_ok() {
            // Here nobody may wait; the server notices that we are gone.
            runtime.shutdown_background();
        } else {
            runtime.block_on(self.pool.close());
        }
    }
}

/// Rows are waited for no longer than this.
const PATIENCE: &str = "set local lock_timeout = '30s'";

impl Database for Postgres {
    fn read(&self, doing: &'static str) -> Result<Box<dyn Session + '_>, Error> {
        self.begin(doing, "begin isolation level repeatable read read only", &[])
    }

    fn write(&self, doing: &'static str) -> Result<Box<dyn Session + '_>, Error> {
        self.begin(doing, "begin", &[PATIENCE])
    }

    fn write_alone(&self, doing: &'static str) -> Result<Box<dyn Session + '_>, Error> {
        // Readers pass; who works on a case waits.
        self.begin(doing, "begin", &[PATIENCE, "lock table finding in share row exclusive mode"])
    }

    fn place(&self) -> String {
        self.place.clone()
    }

    fn about(&self) -> Result<(String, Option<u64>), Error> {
        let mut session = self.read("ask PostgreSQL about itself")?;
        let bytes = session.number("select pg_database_size(current_database())", &[])?;
        let version = match self.version.get() {
            Some(version) => version.clone(),
            None => {
                let row = session.row("select current_setting('server_version')", &[])?;
                row.map_or(Ok(String::new()), |mut row| row.text())?
            }
        };
        let version = self.version.get_or_init(|| version);
        Ok((format!("PostgreSQL {version}"), u64::try_from(bytes).ok()))
    }

    fn check(&self) -> Result<Vec<String>, Error> {
        // Reading every page of the tables is the check that every server can do.
        let mut session = self.read("check the store")?;
        let mut complaints = Vec::new();
        for table in super::schema::tables() {
            if let Err(error) = session.number(&format!("select count(*) from (select * from {table}) all_of_it"), &[]) {
                complaints.push(format!("PostgreSQL: `{table}` cannot be read: {error}"));
            }
        }
        Ok(complaints)
    }
}

struct PgSession<'a> {
    home: &'a Postgres,
    doing: &'static str,
    /// There until the transaction ends.
    transaction: Option<Transaction<'static, Pg>>,
    cursors: usize,
}

impl PgSession<'_> {
    fn transaction(&mut self) -> &mut Transaction<'static, Pg> {
        self.transaction.as_mut().expect("a session has its transaction until it ends")
    }
}

impl Session for PgSession<'_> {
    fn run(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, Error> {
        let query = bound(sql, args);
        let (home, doing) = (self.home, self.doing);
        let work = query.execute(&mut **self.transaction());
        let done = home.wait(doing, work)?;
        Ok(done.rows_affected())
    }

    fn script(&mut self, sql: &str) -> Result<(), Error> {
        let (home, doing) = (self.home, self.doing);
        let work = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut **self.transaction());
        home.wait(doing, work)?;
        Ok(())
    }

    fn rows(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Row>, Error> {
        let query = bound(sql, args);
        let (home, doing) = (self.home, self.doing);
        let work = query.fetch_all(&mut **self.transaction());
        let rows = home.wait(doing, work)?;
        rows.iter().map(|row| cells(row).map_err(|error| wrong(doing, &error))).collect()
    }

    fn each(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        take: &mut dyn FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.cursors += 1;
        let cursor = format!("c{}", self.cursors);
        self.run(&format!("declare {cursor} no scroll cursor for {sql}"), args)?;
        loop {
            let rows = self.rows(&format!("fetch forward {ROWS} from {cursor}"), &[])?;
            let last = rows.len() < ROWS;
            for row in rows {
                take(row)?;
            }
            if last {
                break;
            }
        }
        self.script(&format!("close {cursor}"))
    }

    fn put(&mut self, table: &str, columns: &[&str], there: There<'_>, rows: &[Vec<Arg<'_>>]) -> Result<(), Error> {
        let width = columns.len();
        for group in rows.chunks((VALUES / width.max(1)).max(1)) {
            let tuples: Vec<String> = (0..group.len())
                .map(|row| {
                    let marks: Vec<String> = (1..=width).map(|place| format!("${}", row * width + place)).collect();
                    format!("({})", marks.join(","))
                })
                .collect();
            let sql = format!(
                "insert into {table} ({}) values {} {}",
                columns.join(","),
                tuples.join(","),
                on_conflict(columns, there)
            );
            let args: Vec<Arg<'_>> = group.iter().flatten().cloned().collect();
            self.run(&sql, &args)?;
        }
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), Error> {
        match self.transaction.take() {
            Some(transaction) => self.home.wait(self.doing, transaction.commit()),
            None => Ok(()),
        }
    }
}

impl Drop for PgSession<'_> {
    fn drop(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            // The server rolls back what nobody commits; this only says so at once.
            let _ = self.home.wait(self.doing, transaction.rollback());
        }
    }
}

fn bound(sql: &str, args: &[Arg<'_>]) -> sqlx::query::Query<'static, Pg, sqlx::postgres::PgArguments> {
    // What a cursor gives depends on the cursor: such a statement is not kept for the next one of that name.
    let lasting = !sql.starts_with("fetch ") && !sql.starts_with("declare ");
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(lasting);
    for arg in args {
        query = match arg {
            Arg::Int(value) => query.bind(*value),
            Arg::Text(value) => query.bind(value.as_deref().map(str::to_owned)),
        };
    }
    query
}

fn cells(row: &PgRow) -> Result<Row, sqlx::Error> {
    let mut cells = Vec::with_capacity(row.len());
    for (place, column) in row.columns().iter().enumerate() {
        let number = |value: Option<i64>| value.map_or(Cell::Null, Cell::Int);
        cells.push(match column.type_info().name() {
            "INT8" => number(row.try_get(place)?),
            "INT4" => number(row.try_get::<Option<i32>, _>(place)?.map(i64::from)),
            "BOOL" => number(row.try_get::<Option<bool>, _>(place)?.map(i64::from)),
            _ => row.try_get::<Option<String>, _>(place)?.map_or(Cell::Null, Cell::Text),
        });
    }
    Ok(Row::new(cells))
}

fn wrong(doing: &'static str, error: &sqlx::Error) -> Error {
    let doing = doing.to_owned();
    let Some(of_database) = error.as_database_error() else {
        return Error::Database { doing, said: error.to_string() };
    };
    let said = of_database.message().to_owned();
    match of_database.code().as_deref() {
        Some("53100") => Error::Full { doing, said },
        // Lock not available, deadlock, serialisation.
        Some("55P03" | "40P01" | "40001") => Error::Busy { doing, said },
        Some("XX001" | "XX002") => Error::Damaged { what: "the store".to_owned(), said },
        _ => Error::Database { doing, said },
    }
}
