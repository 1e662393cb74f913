//! `lakebase query`: runs statements and prints their rows as Postgres writes them.
//!
//! Statements go by the simple query protocol, so that several may be given at once and every type comes as
//! text. People get one table per statement; `--json` prints one array of objects per statement and line,
//! all values strings or null, and prints rows as they come.

use std::fmt::Write as _;

use anyhow::Context;
use futures::TryStreamExt;
use lakebase::sqlx::postgres::{PgQueryResult, PgRow};
use lakebase::sqlx::{
    AssertSqlSafe, Column, Connection, Either, Executor, Row, TypeInfo, ValueRef, raw_sql,
};

use crate::cli::{Global, Query};
use crate::output::{Object, Output, Table, json, note};
use crate::progress;
use crate::settings::lakebase;

pub(crate) async fn run(global: &Global, arguments: &Query) -> anyhow::Result<()> {
    let lakebase = lakebase(global)?;
    let mut connection = progress::logging_in(global, &lakebase, lakebase.connect()).await?;
    let mut printer = Printer::new(global.json);
    let mut results = connection.fetch_many(raw_sql(AssertSqlSafe(arguments.sql.as_str())));
    loop {
        match results.try_next().await.context("the query failed")? {
            Some(Either::Right(row)) => printer.row(&row)?,
            Some(Either::Left(result)) => printer.end(&result)?,
            None => break,
        }
    }
    drop(results);
    printer.output.flush()?;
    // The answers have come; an error of closing does not matter.
    let _ = connection.close().await;
    Ok(())
}

/// Prints one result after another.
struct Printer {
    output: Output,
    json: bool,
    table: Option<Table>,
    rows: u64,
}

impl Printer {
    fn new(json: bool) -> Self {
        Self { output: Output::stdout(), json, table: None, rows: 0 }
    }

    fn row(&mut self, row: &PgRow) -> anyhow::Result<()> {
        let values = (0..row.len()).map(|index| text(row, index));
        let values = values.collect::<anyhow::Result<Vec<Option<String>>>>()?;
        self.rows += 1;
        if self.json {
            let names = names(row);
            let members = names.iter().map(String::as_str);
            let object = Object(members.zip(values.iter().map(Option::as_deref)).collect());
            self.output.text(if self.rows == 1 { "[" } else { ",\n " })?;
            self.output.text(json(&object)?)?;
            return Ok(());
        }
        let table = self.table.get_or_insert_with(|| Table::new(columns(row)));
        table.row(values.into_iter().map(|value| match value {
            None => "NULL".to_owned(),
            Some(text) if text == "NULL" => "\"NULL\"".to_owned(),
            Some(text) => text,
        }));
        Ok(())
    }

    /// One statement is done.
    fn end(&mut self, result: &PgQueryResult) -> anyhow::Result<()> {
        let returned = std::mem::take(&mut self.rows);
        if self.json {
            self.output.line(if returned == 0 { "[]" } else { "]" })?;
        } else if let Some(table) = self.table.take() {
            self.output.text(table.render())?;
        }
        self.output.flush()?;
        let count = returned.max(result.rows_affected());
        let word = if returned > 0 || count == 0 { "" } else { " affected" };
        note(format!("({count} row{}{word})", if count == 1 { "" } else { "s" }));
        Ok(())
    }
}

/// A value as Postgres wrote it.
fn text(row: &PgRow, index: usize) -> anyhow::Result<Option<String>> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(None);
    }
    let name = row.column(index).name();
    let text = value.as_str().map_err(anyhow::Error::from_boxed);
    Ok(Some(text.with_context(|| format!("column {name:?} is not text"))?.to_owned()))
}

/// The columns' names, made different where they are not: `a`, `a_2`.
fn names(row: &PgRow) -> Vec<String> {
    distinct(row.columns().iter().map(|column| column.name()))
}

fn distinct<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        let mut unique = name.to_owned();
        let mut count = 1;
        while found.contains(&unique) {
            count += 1;
            unique.truncate(name.len());
            let _ = write!(unique, "_{count}");
        }
        found.push(unique);
    }
    found
}

/// The columns of a table; numbers to the right.
fn columns(row: &PgRow) -> Vec<(String, bool)> {
    let is_number = |name: &str| {
        matches!(name, "INT2" | "INT4" | "INT8" | "NUMERIC" | "FLOAT4" | "FLOAT8" | "OID" | "MONEY")
    };
    let columns = row.columns().iter();
    columns.map(|column| (column.name().to_owned(), is_number(column.type_info().name()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_repeat_are_numbered() {
        assert_eq!(distinct(["a", "b", "a", "a_2", "a"]), ["a", "b", "a_2", "a_2_2", "a_3"]);
    }
}
