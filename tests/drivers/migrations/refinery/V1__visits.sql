create table made_by_refinery (id integer primary key);
