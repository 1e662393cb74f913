//! Logging in at the gateway, and what it refuses.

use lakebase_emulator::{Effect, Emulator, Fault, Operation, WrongCertificate};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Failure, Login, ask, credential, failure, http, startup};

const DISABLED: &str = "projects/demo/branches/frozen/endpoints/disabled";

#[tokio::test]
async fn each_way_in_leads_to_the_same_database() {
    let emulator = Emulator::builder().start().unwrap();
    let d = emulator.description().clone();
    let native = Login::native(&emulator);
    let token = credential(&emulator, &d.token).await;
    let pooled = emulator.endpoint_host(&d.endpoint, true);
    let uid = d.pg_host.split('.').next().unwrap();
    let ways = [
        native.clone(),
        native.clone().at(pooled.clone()),
        native.clone().with(&d.user, &token),
        Login { direct: true, ..native.clone() },
        Login {
            host: "localhost".to_owned(),
            options: format!("endpoint={uid}"),
            ..native.clone()
        },
        Login { options: "-c application_name=it".to_owned(), ..native.clone() },
    ];
    for way in &ways {
        let mut session = way.connect().await.unwrap();
        assert_eq!(session.query("select current_user::text").await.unwrap(), way.user);
        assert_eq!(session.query("show transaction_read_only").await.unwrap(), "off");
    }
    let mut session = ways[5].connect().await.unwrap();
    assert_eq!(session.query("show application_name").await.unwrap(), "it");
    let replica = native.clone().at(emulator.endpoint_host(&d.read_only_endpoint, false));
    let mut replica = replica.connect().await.unwrap();
    let refused = replica.query("create table t(a int)").await.unwrap_err();
    assert_eq!(refused.sqlstate(), "25006", "{refused:?}");
    let counters = emulator.counters(&d.endpoint).unwrap();
    assert_eq!((counters.accepted, counters.refused), (7, 0));

    // A token is looked at during login only.
    let oauth = native.clone().with(&d.user, &token);
    let mut open = oauth.connect().await.unwrap();
    emulator.advance(std::time::Duration::from_secs(3_601));
    assert_eq!(open.query("select 1").await.unwrap(), "1");
    assert_eq!(oauth.refused().await.sqlstate(), "28P01");
    emulator.drop_role(&d.user);
    let renewed = native.clone().with(&d.user, &credential(&emulator, &d.token).await);
    let missing = renewed.refused().await;
    assert_eq!(
        (missing.sqlstate(), missing.text()),
        ("28000", format!("role \"{}\" does not exist", d.user).as_str())
    );
    emulator.create_role(&d.user);
    renewed.connect().await.unwrap();
    emulator.create_role("somebody \"else\"");
    let another = renewed.clone().with("somebody \"else\"", &renewed.password);
    assert!(another.refused().await.text().contains("Invalid authorization"));
    assert!(renewed.at(pooled).refused().await.text().contains("pooled"));
    let disabled = native.at(emulator.endpoint_host(DISABLED, false));
    assert!(disabled.refused().await.text().contains("endpoint is disabled"));
}

#[tokio::test]
async fn an_instance_is_a_place_of_its_own() {
    let emulator = Emulator::builder().decoys(2, 1).start().unwrap();
    let d = emulator.description().clone();
    let credential = async |instance: &str| {
        let body = json!({"instance_names": [instance], "request_id": instance}).to_string();
        let path = "/api/2.0/database/credentials";
        let answer = http(&d, "POST", path, &d.token, &body).await.unwrap();
        answer.json()["token"].as_str().unwrap().to_owned()
    };
    let token = credential(&d.provisioned_instance).await;
    let at = |host: Option<String>| Login::native(&emulator).at(host).with(&d.user, &token);
    let mut session = at(Some(d.provisioned_host.clone())).connect().await.unwrap();
    assert_eq!(session.query("show transaction_read_only").await.unwrap(), "off");
    let mut reader = at(emulator.read_only_host("instances/demo")).connect().await.unwrap();
    assert_eq!(reader.query("show transaction_read_only").await.unwrap(), "on");
    let counters = emulator.counters("instances/demo").unwrap();
    assert_eq!((counters.accepted, counters.open), (2, 2));
    assert_eq!(emulator.counters(&d.endpoint).unwrap().accepted, 0);

    emulator.add_instance("second", false).unwrap();
    assert!(emulator.add_instance("second", true).is_err());
    let second = at(emulator.endpoint_host("instances/second", false));
    let other = credential("second").await;
    for (login, opens) in [
        (second.clone(), false),
        (second.with(&d.user, &other), true),
        (at(Some(d.pg_host.clone())), false),
        (at(Some(d.provisioned_host.clone())).with(&d.password_user, &d.password), true),
    ] {
        let refused = login.connect().await.err();
        let code = refused.as_ref().map(Failure::sqlstate);
        assert_eq!(code, (!opens).then_some("28P01"), "{}", login.host);
    }
    assert_eq!(emulator.endpoint_host("instances/demo", true), None, "no pooler");

    emulator.set_readable_secondaries(&d.endpoint, true).unwrap();
    let native = Login::native(&emulator).at(emulator.read_only_host(&d.endpoint));
    let mut secondary = native.connect().await.unwrap();
    assert_eq!(secondary.query("show transaction_read_only").await.unwrap(), "on");
    assert!(emulator.set_readable_secondaries("instances/none", true).is_err());
    assert!(emulator.add_decoys(10_000, 1).is_err());
    emulator.set_disabled("instances/demo", true).unwrap();
    assert_eq!(reader.read().await.unwrap_err().sqlstate(), "57P01");
    let stopped = at(Some(d.provisioned_host.clone())).refused().await;
    assert!(stopped.text().contains("is disabled"), "{stopped:?}");
}

#[tokio::test]
async fn faults_and_limits_apply_to_logins() {
    let emulator = Emulator::builder().max_connections(2).start().unwrap();
    let native = Login::native(&emulator);
    for wrong in [WrongCertificate::Name, WrongCertificate::Authority, WrongCertificate::Expired] {
        emulator.inject(Fault::new(Operation::Login, Effect::Certificate { wrong }).times(1));
        let error = native.refused().await;
        assert!(error.text().contains("invalid peer certificate"), "{wrong:?}: {error:?}");
    }
    emulator.inject(Fault::new(Operation::Login, Effect::BlockAddress).times(1));
    assert!(native.refused().await.text().contains("IP ACL"));
    emulator.inject(Fault::new(Operation::Login, Effect::Drop).times(1));
    assert!(matches!(native.refused().await, Failure::Transport(_)));
    let wrong_password = native.clone().with(&native.user, "guess");
    assert_eq!(wrong_password.refused().await.sqlstate(), "28P01");
    let no_database = Login { database: "none".to_owned(), ..native.clone() };
    assert_eq!(no_database.refused().await.sqlstate(), "3D000");
    assert_eq!(emulator.counters(&emulator.description().endpoint).unwrap().refused, 4);

    let mut first = native.connect().await.unwrap();
    let mut second = native.connect().await.unwrap();
    assert_eq!(native.refused().await.sqlstate(), "53300");

    // A cancel request goes through to the database.
    let key = [16, 80_877_102, first.pid, first.secret].map(u32::to_be_bytes).concat();
    let (slept, ()) = tokio::join!(first.query("select pg_sleep(600)"), async {
        let running = "select count(*) from pg_stat_activity \
                       where query like '%pg_sleep(600)' and state = 'active'";
        while second.query(running).await.unwrap() != "1" {}
        let mut tcp = TcpStream::connect(("127.0.0.1", native.port)).await.unwrap();
        tcp.write_all(&key).await.unwrap();
        assert_eq!(tcp.read(&mut [0]).await.unwrap(), 0);
    });
    assert_eq!(slept.unwrap_err().sqlstate(), "57014");
}

#[tokio::test]
async fn what_is_no_login_gets_an_answer() {
    let emulator = Emulator::builder().start().unwrap();
    let port = emulator.description().pg_port;
    let connect = || TcpStream::connect(("127.0.0.1", port));

    let mut plain = connect().await.unwrap();
    assert_eq!(ask(&mut plain, 80_877_104).await.unwrap(), b'N', "no GSSAPI");
    plain.write_all(&startup(&[("user", "x")])).await.unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.unwrap();
    assert_eq!(failure(&answer[5..]).text(), "Invalid protocol version: 196608");

    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0, 0, 0, 4],
        &[0, 0, 0, 8, 9, 9, 9, 9],
        &[0x16, 3, 1, 0, 1, 0],
    ] {
        let mut stray = connect().await.unwrap();
        stray.write_all(bytes).await.unwrap();
        stray.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Whatever it says, the connection ends and the gateway stays open.
        let _ = stray.read_to_end(&mut answer).await;
    }
    Login::native(&emulator).connect().await.unwrap();
}
