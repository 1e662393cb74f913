import os

from adbc_driver_postgresql import dbapi

with dbapi.connect(os.environ["DATABASE_URL"]) as connection:
    with connection.cursor() as cursor:
        cursor.execute("select relname::text as name from pg_class")
        table = cursor.fetch_arrow_table()
print(table.num_rows)
