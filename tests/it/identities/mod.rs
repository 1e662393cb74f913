//! Identities from end to end: every kind logs in, keeps a service that is down from doing harm, and uses what was
//! rotated.

mod faults;
pub(crate) mod rows;

use lakebase::sqlx::{self, Connection as _};

use crate::support::shared;
use rows::{Row, rows};

on_each_runtime! {
    an_id_token_in_a_variable: super::log_in("env-oidc"),
    an_id_token_in_a_file: super::log_in("file-oidc"),
    github: super::log_in("github-oidc"),
    github_for_entra: super::log_in("github-oidc-azure"),
    azure_devops: super::log_in("azure-devops-oidc"),
    a_secret_of_entra: super::log_in("azure-client-secret"),
    a_managed_identity: super::log_in("azure-msi"),
    the_azure_cli: super::log_in("azure-cli"),
    the_metadata_service: super::log_in("metadata-service"),
    a_service_account_of_google: super::log_in("google-id"),
    a_key_of_google: super::log_in("google-credentials"),
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
