//! Turns an understood request into one SQL statement with bound values.

use serde_json::Value;

use super::error::Failure;
use super::query::{Column, Filter, Query, Test};
use super::values::array;
use crate::postgres::quote;

/// The action of a request on its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Read,
    Insert,
    Update,
    Delete,
}

impl Action {
    pub(super) fn of(method: &str) -> Result<Self, Failure> {
        match method {
            "GET" | "HEAD" => Ok(Self::Read),
            "POST" => Ok(Self::Insert),
            "PATCH" => Ok(Self::Update),
            "DELETE" => Ok(Self::Delete),
            _ => {
                let message = format!("Unsupported HTTP method: {method}");
                Err(Failure::new(405, "PGRST117", message))
            }
        }
    }
}

/// A statement whose one row is `(rows as a JSON array, their number)`, and the table that it is about.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) sql: String,
    pub(super) parameters: Vec<String>,
}

/// Collects values on their way into a statement.
struct Builder {
    /// Quoted, with its schema.
    target: String,
    parameters: Vec<String>,
}

impl Builder {
    /// Binds a value and gives its place-holder.
    fn bind(&mut self, value: impl Into<String>) -> String {
        self.parameters.push(value.into());
        format!("${}", self.parameters.len())
    }

    fn column(&self, name: &str) -> String {
        format!("{}.{}", self.target, quote(name))
    }

    fn columns(&self, query: &Query) -> String {
        if query.select.is_empty() {
            return format!("{}.*", self.target);
        }
        let column = |column: &Column| match column {
            Column::All => format!("{}.*", self.target),
            Column::Named { name, alias } => {
                format!("{} as {}", self.column(name), quote(alias.as_ref().unwrap_or(name)))
            }
        };
        query.select.iter().map(column).collect::<Vec<_>>().join(", ")
    }

    fn condition(&mut self, filters: &[Filter]) -> String {
        let conditions: Vec<String> = filters
            .iter()
            .map(|filter| {
                let column = self.column(&filter.column);
                let test = match &filter.test {
                    Test::Operator(operator, value) => {
                        format!("{column} {operator} {}", self.bind(value))
                    }
                    Test::In(values) => format!("{column} = any ({})", self.bind(array(values))),
                    Test::Is(state) => format!("{column} is {state}"),
                };
                if filter.negated { format!("not ({test})") } else { test }
            })
            .collect();
        match conditions.is_empty() {
            true => String::new(),
            false => format!(" where {}", conditions.join(" and ")),
        }
    }

    fn order(&self, query: &Query) -> String {
        let order = |order: &super::query::Order| {
            [
                &[self.column(&order.column)],
                &order.how.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
            ]
            .concat()
            .join(" ")
        };
        let mut text = String::new();
        if !query.order.is_empty() {
            let orders: Vec<_> = query.order.iter().map(order).collect();
            text = format!(" order by {}", orders.join(", "));
        }
        // Numbers, so there is nothing to quote.
        for (word, number) in [("limit", query.limit), ("offset", query.offset)] {
            if let Some(number) = number {
                text.push_str(&format!(" {word} {number}"));
            }
        }
        text
    }
}

/// The statement for a request; `body` is used by writes with one.
pub(super) fn build(
    action: Action,
    schema: &str,
    table: &str,
    query: &Query,
    representation: bool,
    body: &str,
) -> Result<Statement, Failure> {
    let names = [schema, table];
    if names.iter().any(|name| name.is_empty() || name.contains('\0')) {
        return Err(Failure::new(404, "PGRST125", "Invalid path specified in request URL"));
    }
    let target = names.map(quote).join(".");
    let mut sql = Builder { target, parameters: Vec::new() };
    let target = sql.target.clone();
    let columns = sql.columns(query);
    let paged = !query.order.is_empty() || query.limit.is_some() || query.offset.is_some();
    if matches!(action, Action::Update | Action::Delete) && paged {
        return Err(Failure::not_simulated("'order', 'limit' and 'offset' of writes"));
    }
    let source = match action {
        Action::Read => {
            let condition = sql.condition(&query.filters);
            format!("select {columns} from {target}{condition}{}", sql.order(query))
        }
        Action::Insert => insert(&mut sql, &columns, body)?,
        Action::Update => {
            let keys = keys(&object(body)?);
            let set = |key: &String| format!("{0} = _body.{0}", quote(key));
            let set: Vec<_> = keys.iter().map(set).collect();
            if set.is_empty() {
                format!("select {columns} from {target} where false")
            } else {
                let body = sql.bind(body);
                let from = format!("pg_catalog.json_populate_record(null::{target}, {body}::json)");
                let set = set.join(", ");
                let condition = sql.condition(&query.filters);
                format!(
                    "update {target} set {set} from {from} as _body{condition} returning {columns}"
                )
            }
        }
        Action::Delete => {
            let condition = sql.condition(&query.filters);
            format!("delete from {target}{condition} returning {columns}")
        }
    };
    let rows = if action == Action::Read || representation {
        "coalesce(pg_catalog.json_agg(_postgrest_t), '[]')::pg_catalog.text"
    } else {
        "''::pg_catalog.text"
    };
    let text = format!(
        "with _postgrest_t as ({source}) select {rows}, pg_catalog.count(*)::pg_catalog.text from _postgrest_t"
    );
    let (schema, table) = (schema.to_owned(), table.to_owned());
    Ok(Statement { schema, table, sql: text, parameters: sql.parameters })
}

fn insert(sql: &mut Builder, columns: &str, body: &str) -> Result<String, Failure> {
    let target = sql.target.clone();
    let (rows, list) = match serde_json::from_str(body) {
        Ok(Value::Array(rows)) => (rows, body.to_owned()),
        Ok(row @ Value::Object(_)) => (vec![row], format!("[{body}]")),
        _ => return Err(Failure::invalid_json()),
    };
    if !rows.iter().all(Value::is_object) {
        return Err(Failure::invalid_json());
    }
    let Some(first) = rows.first().map(keys) else {
        return Ok(format!("select {columns} from {target} where false"));
    };
    if rows.iter().any(|row| keys(row) != first) {
        return Err(Failure::new(400, "PGRST102", "All object keys must match"));
    }
    let source = match (first.is_empty(), rows.len()) {
        (true, 1) => "default values".to_owned(),
        (true, _) => return Err(Failure::not_simulated("several rows of nothing but defaults")),
        (false, _) => {
            let names: Vec<_> = first.iter().map(|key| quote(key)).collect();
            let list = sql.bind(list);
            let rows = format!("pg_catalog.json_populate_recordset(null::{target}, {list}::json)");
            let (names, values) = (names.join(", "), names.join(", _body."));
            format!("({names}) select _body.{values} from {rows} as _body")
        }
    };
    Ok(format!("insert into {target} {source} returning {columns}"))
}

fn object(body: &str) -> Result<Value, Failure> {
    let value = serde_json::from_str(body).ok().filter(Value::is_object);
    value.ok_or_else(Failure::invalid_json)
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}
