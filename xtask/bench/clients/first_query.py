"""The official Python SDK and psycopg: from nothing to the first row, once.

The argument says what is known: `branch`, `endpoint` or `host`. Imports are not counted. Prints one line of JSON.
"""

import json
import os
import sys
import time

import psycopg
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.postgres import EndpointType

known = sys.argv[1]
env = os.environ

started = time.perf_counter()
client = WorkspaceClient(
    host=env["DATABRICKS_HOST"],
    client_id=env["DATABRICKS_CLIENT_ID"],
    client_secret=env["DATABRICKS_CLIENT_SECRET"],
)
if known == "branch":
    parent = f"projects/{env['LAKEBASE_PROJECT']}/branches/{env['LAKEBASE_BRANCH']}"
    found = next(
        endpoint
        for endpoint in client.postgres.list_endpoints(parent=parent)
        if endpoint.status.endpoint_type == EndpointType.ENDPOINT_TYPE_READ_WRITE
    )
    name, host = found.name, found.status.hosts.host
elif known == "endpoint":
    name = env["LAKEBASE_ENDPOINT"]
    host = client.postgres.get_endpoint(name=name).status.hosts.host
else:
    name, host = env["LAKEBASE_ENDPOINT"], env["PGHOST"]
credential = client.postgres.generate_database_credential(endpoint=name)
with psycopg.connect(
    host=host,
    hostaddr=env["PGHOSTADDR"],
    port=env["PGPORT"],
    dbname=env["PGDATABASE"],
    user=env["PGUSER"],
    password=credential.token,
    sslmode="verify-full",
    sslrootcert=env["PGSSLROOTCERT"],
) as connection:
    connection.execute("select 1").fetchone()
    ended = time.perf_counter()
print(json.dumps({"millis": (ended - started) * 1e3}))
