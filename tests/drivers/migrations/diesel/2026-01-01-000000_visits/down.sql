drop table made_by_diesel;
