"""The official Python SDK and psycopg, unmodified, against the emulator.

Reads the emulator's ready line from LAKEBASE_EMULATOR and ends with `N passed, N failed`.
"""

import datetime
import json
import os
import sys
import unittest

import psycopg
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound, PermissionDenied, Unauthenticated
from databricks.sdk.service.database import DatabaseInstanceState

EMULATOR = json.loads(os.environ["LAKEBASE_EMULATOR"])


def service_principal() -> WorkspaceClient:
    return WorkspaceClient(
        host=EMULATOR["host"],
        client_id=EMULATOR["client_id"],
        client_secret=EMULATOR["client_secret"],
    )


def login(host: str, user: str, password: str, **options):
    return psycopg.connect(
        host=host,
        hostaddr="127.0.0.1",
        port=EMULATOR["pg_port"],
        dbname=EMULATOR["database"],
        user=user,
        password=password,
        sslmode="verify-full",
        sslrootcert=EMULATOR["ca_cert"],
        connect_timeout=30,
        **options,
    )


class Workspace(unittest.TestCase):
    def test_service_principal_is_its_client_id(self):
        self.assertEqual(service_principal().current_user.me().user_name, EMULATOR["client_id"])

    def test_personal_access_token_is_a_person(self):
        client = WorkspaceClient(host=EMULATOR["host"], token=EMULATOR["token"])
        self.assertEqual(client.current_user.me().user_name, EMULATOR["user"])

    def test_wrong_token_is_refused(self):
        client = WorkspaceClient(host=EMULATOR["host"], token="dapi-wrong")
        with self.assertRaises((PermissionDenied, Unauthenticated)):
            client.current_user.me()

    def test_endpoints_are_listed_over_all_pages(self):
        branch = EMULATOR["endpoint"].rsplit("/endpoints/", 1)[0]
        names = [endpoint.name for endpoint in service_principal().postgres.list_endpoints(parent=branch)]
        self.assertIn(EMULATOR["endpoint"], names)
        self.assertIn(EMULATOR["read_only_endpoint"], names)

    def test_endpoint_has_a_host(self):
        endpoint = service_principal().postgres.get_endpoint(name=EMULATOR["endpoint"])
        self.assertTrue(endpoint.status.hosts.host)

    def test_unknown_endpoint_is_not_found(self):
        with self.assertRaises(NotFound):
            service_principal().postgres.get_endpoint(name=EMULATOR["endpoint"] + "-nope")

    def test_credential_lives_about_an_hour(self):
        credential = service_principal().postgres.generate_database_credential(endpoint=EMULATOR["endpoint"])
        self.assertTrue(credential.token)
        expires = credential.expire_time.ToDatetime(tzinfo=datetime.timezone.utc)
        left = expires - datetime.datetime.now(datetime.timezone.utc)
        self.assertGreater(left, datetime.timedelta(minutes=50))
        self.assertLessEqual(left, datetime.timedelta(minutes=61))


class Instances(unittest.TestCase):
    """Lakebase Provisioned."""

    @classmethod
    def setUpClass(cls):
        cls.client = service_principal().database
        cls.instance = cls.client.get_database_instance(name=EMULATOR["provisioned_instance"])

    def test_an_instance_is_found_by_the_uid_in_its_host(self):
        uid = EMULATOR["provisioned_host"].split(".")[0].removeprefix("instance-")
        found = self.client.find_database_instance_by_uid(uid=uid)
        self.assertEqual(found.name, EMULATOR["provisioned_instance"])
        self.assertEqual(found.read_write_dns, EMULATOR["provisioned_host"])
        self.assertEqual(found.state, DatabaseInstanceState.AVAILABLE)
        self.assertFalse(found.effective_stopped)

    def test_instances_are_listed_over_all_pages(self):
        instances = {instance.name: instance for instance in self.client.list_database_instances()}
        self.assertGreater(len(instances), 1)
        self.assertEqual(instances[self.instance.name], self.instance)

    def test_unknown_instances_are_not_found(self):
        with self.assertRaises(NotFound):
            self.client.find_database_instance_by_uid(uid="00000000-0000-4000-a000-000000000000")
        with self.assertRaises(NotFound):
            self.client.get_database_instance(name="nothing")
        with self.assertRaises(NotFound):
            self.client.generate_database_credential(instance_names=["nothing"])

    def test_missing_fields_are_named(self):
        with self.assertRaisesRegex(InvalidParameterValue, "'uid'"):
            self.client.find_database_instance_by_uid()
        with self.assertRaisesRegex(InvalidParameterValue, "'instance_names'"):
            self.client.generate_database_credential()

    def test_a_credential_is_a_password(self):
        credential = self.client.generate_database_credential(instance_names=[self.instance.name])
        expires = datetime.datetime.fromisoformat(credential.expiration_time.replace("Z", "+00:00"))
        left = expires - datetime.datetime.now(datetime.timezone.utc)
        self.assertGreater(left, datetime.timedelta(minutes=50))
        for host, read_only in [(self.instance.read_write_dns, "off"), (self.instance.read_only_dns, "on")]:
            with login(host, EMULATOR["client_id"], credential.token) as connection:
                self.assertEqual(connection.execute("show transaction_read_only").fetchone(), (read_only,))


class Database(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        client = service_principal().postgres
        cls.host = client.get_endpoint(name=EMULATOR["endpoint"]).status.hosts.host
        cls.token = client.generate_database_credential(endpoint=EMULATOR["endpoint"]).token
        cls.read_only = client.get_endpoint(name=EMULATOR["read_only_endpoint"]).status.hosts
        cls.read_only_token = client.generate_database_credential(endpoint=EMULATOR["read_only_endpoint"]).token

    def test_token_is_a_password(self):
        with login(self.host, EMULATOR["client_id"], self.token) as connection:
            user, one = connection.execute("select current_user, 1").fetchone()
        self.assertEqual((user, one), (EMULATOR["client_id"], 1))

    def test_native_password_is_accepted(self):
        with login(self.host, EMULATOR["password_user"], EMULATOR["password"]) as connection:
            self.assertEqual(connection.execute("select 1").fetchone(), (1,))

    def test_wrong_token_is_refused(self):
        with self.assertRaises(psycopg.OperationalError):
            login(self.host, EMULATOR["client_id"], "not-a-token").close()

    def test_another_host_name_fails_verification(self):
        with self.assertRaises(psycopg.OperationalError) as caught:
            login("wrong.example.com", EMULATOR["client_id"], self.token).close()
        self.assertIn("certificate", str(caught.exception))

    def test_read_only_endpoint_refuses_writes(self):
        host = self.read_only.read_only_host or self.read_only.host
        with login(host, EMULATOR["client_id"], self.read_only_token) as connection:
            self.assertEqual(connection.execute("show transaction_read_only").fetchone(), ("on",))


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    sys.stderr.flush()
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed or not result.testsRun else 0)
