import os

import connectorx

query = "select relname::text as name from pg_class"
table = connectorx.read_sql(os.environ["DATABASE_URL"], query, return_type="arrow")
print(table.num_rows)
