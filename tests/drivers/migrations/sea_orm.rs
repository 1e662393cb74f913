//! The migrations of sea-orm, which are a program.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::pk_auto;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Visits)]
    }
}

#[derive(DeriveMigrationName)]
struct Visits;

#[async_trait::async_trait]
impl MigrationTrait for Visits {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        manager.create_table(table.table("made_by_sea_orm").col(pk_auto("id")).take()).await
    }
}

#[tokio::main]
async fn main() {
    cli::run_cli(Migrator).await;
}
