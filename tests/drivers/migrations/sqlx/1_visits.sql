create table made_by_sqlx (id integer primary key);
