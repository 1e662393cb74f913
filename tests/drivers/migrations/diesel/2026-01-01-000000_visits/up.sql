create table made_by_diesel (id integer primary key);
