//! Identities from end to end: every kind logs in, keeps a service that is down from doing harm, and uses what was
//! rotated.

mod faults;
pub(crate) mod rows;

use lakebase::sqlx::{self, Connection as _};

use crate::support::shared;
use rows::{Row, rows};

on_each_runtime! {
    an_id_token_in_a_variable an_id_token_in_a_file github github_for_entra azure_devops a_secret_of_entra a_managed_identity
    the_azure_cli the_metadata_service a_service_account_of_google a_key_of_google
}

/// Logs in as every row of `auth_type`, with a name that Postgres knows.
async fn log_in(auth_type: &str) {
    let emulator = shared();
    let it = emulator.description();
    let mut count = 0;
    for row in rows(emulator).into_iter().filter(|row| row.auth_type == auth_type) {
        let Row { name, is_user, .. } = row;
        let lakebase = row.build(emulator);
        assert_eq!(lakebase.workspace().unwrap().auth_type(), auth_type);
        let mut conn = lakebase
            .connect()
            .await
            .unwrap_or_else(|error| panic!("{auth_type} {name}: {}", error.report()));
        let who: String =
            sqlx::query_scalar("select current_user::text").fetch_one(&mut conn).await.unwrap();
        assert_eq!(&who, if is_user { &it.user } else { &it.client_id }, "{auth_type} {name}");
        conn.close().await.unwrap();
        count += 1;
    }
    assert!(count > 0);
}

async fn an_id_token_in_a_variable() {
    log_in("env-oidc").await;
}

async fn an_id_token_in_a_file() {
    log_in("file-oidc").await;
}

async fn github() {
    log_in("github-oidc").await;
}

async fn github_for_entra() {
    log_in("github-oidc-azure").await;
}

async fn azure_devops() {
    log_in("azure-devops-oidc").await;
}

async fn a_secret_of_entra() {
    log_in("azure-client-secret").await;
}

async fn a_managed_identity() {
    log_in("azure-msi").await;
}

async fn the_azure_cli() {
    log_in("azure-cli").await;
}

async fn the_metadata_service() {
    log_in("metadata-service").await;
}

async fn a_service_account_of_google() {
    log_in("google-id").await;
}

async fn a_key_of_google() {
    log_in("google-credentials").await;
}
