//! Reads the query string of a request.

use percent_encoding::percent_decode_str;

use super::error::Failure;
use super::values::{name, split_list, unquote};

/// A query string, understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// Every column if empty.
    pub(super) select: Vec<Column>,
    pub(super) filters: Vec<Filter>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<u64>,
    pub(super) offset: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Column {
    All,
    Named { name: String, alias: Option<String> },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) column: String,
    pub(super) negated: bool,
    pub(super) test: Test,
}

/// A condition on one column. Operators and keywords come from fixed lists.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Test {
    Operator(&'static str, String),
    In(Vec<String>),
    Is(&'static str),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) column: String,
    /// Directions, as SQL.
    pub(super) how: Vec<&'static str>,
}

const OPERATORS: &[(&str, &str)] = &[
    ("eq", "="),
    ("neq", "<>"),
    ("gt", ">"),
    ("gte", ">="),
    ("lt", "<"),
    ("lte", "<="),
    ("like", "like"),
    ("ilike", "ilike"),
];
const STATES: &[(&str, &str)] = &[
    ("null", "null"),
    ("not_null", "not null"),
    ("true", "true"),
    ("false", "false"),
    ("unknown", "unknown"),
];
const DIRECTIONS: &[(&str, &str)] =
    &[("asc", "asc"), ("desc", "desc"), ("nullsfirst", "nulls first"), ("nullslast", "nulls last")];

/// A part of a URL, decoded; `None` if it is no UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(String::from)
}

/// Reads `a=b&c=d`; empty parts are skipped.
pub(super) fn parse(text: &str) -> Result<Query, Failure> {
    let mut query = Query::default();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| {
            decode(&text.replace('+', " ")).ok_or_else(|| Failure::parsing("query string", pair))
        };
        let (key, value) = (decoded(key)?, decoded(value)?);
        match key.as_str() {
            "select" => query.select = select(&value)?,
            "order" => query.order = order(&value)?,
            "limit" => query.limit = Some(number("limit", &value)?),
            "offset" => query.offset = Some(number("offset", &value)?),
            "and" | "or" | "not.and" | "not.or" | "columns" | "on_conflict" => {
                return Err(Failure::not_simulated(&format!("the parameter '{key}'")));
            }
            _ => query.filters.push(filter(&key, &value)?),
        }
    }
    Ok(query)
}

fn number(what: &str, value: &str) -> Result<u64, Failure> {
    // Postgres takes a bigint.
    let number = value.parse().ok().filter(|number| i64::try_from(*number).is_ok());
    number.ok_or_else(|| Failure::parsing(what, value))
}

fn known(list: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    list.iter().find(|(known, _)| *known == word).map(|(_, sql)| *sql)
}

fn select(value: &str) -> Result<Vec<Column>, Failure> {
    let wrong = || Failure::parsing("select parameter", value);
    let mut columns = Vec::new();
    for item in split_list(value).ok_or_else(wrong)? {
        let item = item.trim();
        if item.is_empty() && value.trim().is_empty() {
            continue;
        }
        if item == "*" {
            columns.push(Column::All);
            continue;
        }
        let (first, rest) = name(item).ok_or_else(wrong)?;
        let (name, alias, rest) = match rest.strip_prefix(':') {
            Some(cast) if cast.starts_with(':') => {
                return Err(Failure::not_simulated("casts in 'select'"));
            }
            Some(column) => {
                let (name, rest) = name(column).ok_or_else(wrong)?;
                (name, Some(first), rest)
            }
            None => (first, None, rest),
        };
        match rest.chars().next() {
            None => columns.push(Column::Named { name, alias }),
            Some('(') => return Err(Failure::not_simulated("embedding in 'select'")),
            Some(':') => return Err(Failure::not_simulated("casts in 'select'")),
            Some('.') => return Err(Failure::not_simulated("aggregates in 'select'")),
            Some(_) => return Err(wrong()),
        }
    }
    Ok(columns)
}

fn order(value: &str) -> Result<Vec<Order>, Failure> {
    let wrong = || Failure::parsing("order", value);
    let mut orders = Vec::new();
    for item in split_list(value).ok_or_else(wrong)? {
        let (column, rest) = name(item.trim()).ok_or_else(wrong)?;
        let mut words = rest.split('.');
        if words.next() != Some("") {
            return Err(wrong());
        }
        let how: Option<Vec<_>> = words.map(|word| known(DIRECTIONS, word)).collect();
        let how = how.ok_or_else(wrong)?;
        // At most one of each kind, the direction first.
        let ranks: Vec<_> = how.iter().map(|word| word.starts_with("nulls")).collect();
        if !matches!(ranks[..], [] | [_] | [false, true]) {
            return Err(wrong());
        }
        orders.push(Order { column, how });
    }
    Ok(orders)
}

fn filter(key: &str, value: &str) -> Result<Filter, Failure> {
    let wrong = || Failure::parsing("filter", value);
    let column = match name(key) {
        Some((column, "")) => column,
        Some((resource, rest)) if rest.starts_with('.') => {
            let message = format!("'{resource}' is not an embedded resource in this request");
            let hint =
                format!("Verify that '{resource}' is included in the 'select' query parameter.");
            return Err(Failure::new(400, "PGRST108", message).hint(hint));
        }
        _ => return Err(Failure::parsing("column name", key)),
    };
    let (negated, condition) = match value.strip_prefix("not.") {
        Some(condition) => (true, condition),
        None => (false, value),
    };
    let (word, operand) = condition.split_once('.').ok_or_else(wrong)?;
    let test = match word {
        "in" => {
            let list = operand.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            let list = list.ok_or_else(wrong)?;
            let items =
                if list.is_empty() { Vec::new() } else { split_list(list).ok_or_else(wrong)? };
            let items: Option<Vec<_>> = items.into_iter().map(unquote).collect();
            Test::In(items.ok_or_else(wrong)?)
        }
        "is" => Test::Is(known(STATES, &operand.to_ascii_lowercase()).ok_or_else(wrong)?),
        _ => {
            let operator = known(OPERATORS, word).ok_or_else(wrong)?;
            let pattern = operator.ends_with("like");
            let operand = if pattern { operand.replace('*', "%") } else { operand.to_owned() };
            Test::Operator(operator, operand)
        }
    };
    Ok(Filter { column, negated, test })
}
