//! Both forms of connection strings: what they hold, what is refused, and what no error shows.

use proptest::prelude::*;

use super::*;

fn parse(url: &str) -> Result<UrlParts, Error> {
    UrlParts::parse(&Setting::explicit("url", Secret::new(url)))
}

/// `expected` are the parts that it has, each `name=value`, with ` | ` between them.
fn check(url: &str, expected: &str) {
    let parts = parse(url).unwrap();
    let mut count = 0;
    for part in expected.split_terminator(" | ") {
        let (name, value) = part.split_once('=').unwrap();
        let found = match name {
            "password" => parts.password.as_ref().map(|found| found.value.expose().to_owned()),
            name => parts.get(name).map(|found| found.value),
        };
        assert_eq!(found.as_deref(), Some(value), "{name} in {url}");
        count += 1;
    }
    assert_eq!(parts.parts.len() + usize::from(parts.password.is_some()), count, "{url}");
}

#[test]
fn takes_urls_apart() {
    check(
        "postgresql://me:p%40ss@localhost:5433/db?sslmode=disable",
        "user=me | password=p@ss | host=localhost | port=5433 | database=db | sslmode=disable",
    );
    check("postgres://localhost", "host=localhost");
    check("postgresql://", "");
    check("postgres://h/%2E%2E", "host=h | database=..");
    check("postgres://h:/a/b?&user=", "host=h | database=a/b");
    check("postgresql+psycopg://a%40b.example@h/d", "user=a@b.example | host=h | database=d");
    check("postgresql://[::1]:5432/d", "host=::1 | port=5432 | database=d");
    check("postgresql://:p@[::1]", "host=::1 | password=p");
    check("postgresql:///d?host=/var/run/postgresql", "database=d | host=/var/run/postgresql");
    check("postgresql://%2Ftmp%2Fpg/d", "host=/tmp/pg | database=d");
    check(
        "postgresql://h?user=u&password=a+b=c&hostaddr=127.0.0.1&options=-c%20a=b&channel_binding=prefer",
        "host=h | user=u | password=a+b=c | hostaddr=127.0.0.1 | options=-c a=b | channel_binding=prefer",
    );
    // As in libpq the last one counts.
    check(
        "postgresql://u:p@h/d?user=v&password=q&ssl=true",
        "host=h | user=v | password=q | database=d | sslmode=require",
    );
}

#[test]
fn a_user_may_have_an_at_sign() {
    check(
        "postgresql://your-email@example.com@ep-abc-123.databricks.com/databricks_postgres?sslmode=require",
        "user=your-email@example.com | host=ep-abc-123.databricks.com | database=databricks_postgres | sslmode=require",
    );
    check(
        "postgresql://me@example.com:p:q@h:5432",
        "user=me@example.com | password=p:q | host=h | port=5432",
    );
}

#[test]
fn takes_keywords_and_values_apart() {
    check(
        r"host=localhost port = 5433 dbname='my db' user=a\ b password='it\'s \\' sslmode=require",
        r"host=localhost | port=5433 | database=my db | user=a b | password=it's \ | sslmode=require",
    );
    check("  user='a'dbname=b'c  ", "user=a | database=b'c");
    check("user='' dbname= d", "database=d");
    check(r"host=h user=a\", "host=h | user=a");
    check("password=a://b@c#d?e host=h", "password=a://b@c#d?e | host=h");
}

#[test]
fn refuses_with_a_reason_and_without_the_password() {
    let encoded = "percent-encode what is special in a user, password";
    for (url, reasons) in [
        ("", &["not a URL; accepted: postgresql://user"][..]),
        ("localhost/db", &["not a URL"]),
        ("mysql://u:canary@h/d", &["scheme is not postgresql"]),
        ("mysql://u:canary@h/d?a=b", &["scheme is not postgresql"]),
        ("postgresql:/u:canary=@h/d", &["neither a URL nor a list of parameters"]),
        ("canary=", &["neither a URL nor a list of parameters"]),
        // A password that slid into a port, a path, a query, a fragment, a host.
        ("postgresql://u:canary#1@h:99999/d", &["there is a #", encoded]),
        ("postgresql://sys_d:/7M+canary?E':dHz@h/db", &["after the host, an @", encoded]),
        ("postgresql://u:5432/canary@h/d", &["after the host, an @", encoded]),
        ("postgresql://u:1?canary@h/d", &["after the host, an @", encoded]),
        ("postgresql://u:1#canary@h/d", &["there is a #", encoded]),
        ("postgresql://u:1#canary", &["there is a #", encoded]),
        ("postgresql://u:ca@nary@h/d", &["the password has an @", encoded]),
        ("postgresql://u:canary", &["the port is not one of 1 to 65535", encoded]),
        ("postgresql://u:p@h:canary", &["the port is not one of 1 to 65535"]),
        ("postgresql://u:p@h:0", &["the port is not one of 1 to 65535"]),
        ("postgresql://u:p@h:+1", &["the port is not one of 1 to 65535"]),
        (
            "postgresql://u:canary%4@h/d",
            &["a % is not followed by the code of a character", encoded],
        ),
        ("postgresql://u:canary%00@h/d", &["a % is not followed"]),
        ("postgresql://h/d?password=canary%zz", &["a % is not followed"]),
        ("postgresql://h/d?user=u&password=ca@nary", &["after the host, an @"]),
        ("postgresql://h/d?user=u&password=p&canary", &["a parameter has no value"]),
        (
            "postgresql://h/d?user=u&password=p&canary=1",
            &["a parameter is not one of libpq's", encoded],
        ),
        ("postgresql://h/d?password=p&Canary=1", &["a parameter is not one of libpq's"]),
        ("postgresql://u:p@[canary/d", &["a [ is not closed"]),
        ("postgresql://u:p@[::1]canary/d", &["a [ is not closed"]),
        ("postgresql://u:p@h canary/d", &["the host has a character that no host has"]),
        ("postgresql://u:canary@h:1,h2:2/d", &["several hosts are not supported: logins"]),
        (
            "postgresql://u:canary@h/d?tea=1",
            &[
                "the parameter \"tea\" is not supported; accepted: application_name, connect_timeout",
            ],
        ),
        ("postgresql://u:canary@h/d?ssl=false", &["the parameter \"ssl\" is not supported"]),
        ("postgresql://u:canary@h/d?%68ost=x", &["a parameter is not one of libpq's"]),
        ("postgresql://%ff:canary@h/d", &["not UTF-8"]),
        ("postgresql://h/%ff", &["not UTF-8"]),
        // The same of keywords.
        ("host=h password=it is canary", &["a word has no =", "stands in single quotes"]),
        ("host=h password=a canary=b", &["a parameter is not one of libpq's", "in single quotes"]),
        ("host=h password='canary", &["a single quote is not closed"]),
        ("host=h password='a'canary=b", &["a parameter is not one of libpq's"]),
        ("host=h tea=1", &["the parameter \"tea\" is not supported"]),
    ] {
        let error = parse(url).err().unwrap_or_else(|| panic!("{url} was accepted"));
        for reason in reasons {
            assert!(error.to_string().contains(reason), "{url}: {error}");
        }
        assert!(error.to_string().starts_with("url (set by the program): "), "{error}");
        let shown = format!("{error} {error:?}").to_lowercase();
        assert!(!shown.contains("canary"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_or_leaks(text in "(postgresql(\\+psycopg)?://|host=)?\\PC*", secret in "[a-z]{12}") {
        let _ = parse(&text);
        if let Err(error) = parse(&format!("postgresql://u:{secret}@h:{text}")) {
            let printed = format!("{error:?}");
            prop_assert!(text.contains(&secret) || !printed.contains(&secret));
        }
    }

    #[test]
    fn encoded_parts_come_back(user in "\\PC{1,20}", password in "\\PC{1,20}", database in "\\PC{1,20}") {
        let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let url = format!("postgresql://{}:{}@h/{}", encode(&user), encode(&password), encode(&database));
        let quote = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
        let words = format!("user={} password = {} dbname={}", quote(&user), quote(&password), quote(&database));
        for string in [url, words] {
            let parts = parse(&string).unwrap();
            prop_assert_eq!(&parts.get("user").unwrap().value, &user);
            prop_assert_eq!(&parts.get("database").unwrap().value, &database);
            let found = parts.password.unwrap().value;
            prop_assert_eq!(found.expose(), &password);
        }
    }

    /// Whatever a password is, the URL that holds it as it is says its password is this one, or is refused.
    #[test]
    fn a_password_as_it_is_comes_back_whole_or_not_at_all(password in "[!-~]{1,24}") {
        let url = format!("postgresql://u:{password}@h.example:5432/d");
        if let Ok(parts) = parse(&url) {
            let decoded = percent_decode(&password);
            let found = parts.password.as_ref().unwrap();
            prop_assert_eq!(found.value.expose(), decoded);
            prop_assert_eq!(parts.get("host").unwrap().value, "h.example");
            prop_assert_eq!(parts.get("user").unwrap().value, "u");
            prop_assert_eq!(parts.get("database").unwrap().value, "d");
            prop_assert_eq!(parts.get("port").unwrap().value, "5432");
        }
    }
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}
