"""The official Python SDK as the judge of identities: the same environment, the same requests.

Each row gives one environment to `WorkspaceClient().current_user.me()` of the SDK and to the program `identity` of the tests, and
compares what both send: method, address, query, form or JSON, and the headers that identities use, token by token. Requests to
services with names of their own are led to the emulator, on the SDK's side by its HTTP library's adapter.

Left out, as they differ on purpose: the discovery documents (the SDK asks for them first, we where we need them), requests that
are sent again unchanged (the SDK tries an identity out before it uses it), the User-Agent, and when a token was made.

Reads the emulator's ready line from LAKEBASE_EMULATOR and the program's path from LAKEBASE_IDENTITY; ends with `N passed, N failed`.
"""

import base64
import json
import os
import stat
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import urllib.request

import requests
from databricks.sdk import WorkspaceClient

EMULATOR = json.loads(os.environ["LAKEBASE_EMULATOR"])
PROGRAM = os.environ["LAKEBASE_IDENTITY"]
AUTHORITY = urllib.parse.urlsplit(EMULATOR["host"]).netloc
SECRETS = EMULATOR["identities"]
CLIENT = {"DATABRICKS_CLIENT_ID": EMULATOR["client_id"]}
AZURE = "https://adb-1.2.azuredatabricks.net"
RESOURCE = "/subscriptions/sub-1/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"

#: Headers that identities use.
HEADERS = (
    "authorization",
    "metadata",
    "metadata-flavor",
    "x-databricks-azure-sp-management-token",
    "x-databricks-azure-workspace-resource-id",
    "x-databricks-gcp-sa-access-token",
    "x-databricks-host",
    "x-databricks-metadata-version",
)


def issue(what: str, audience: str = "any") -> str:
    order = json.dumps({"for": what, "audience": audience, "lifetime_seconds": 3600})
    request = urllib.request.Request(EMULATOR["host"] + "/_emulator/tokens", order.encode())
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["token"]


def told(text: str):
    """A token as what it says: who, for whom; not when, and not which one of several alike."""
    scheme, _, token = text.rpartition(" ")
    parts = token.split(".")
    if len(parts) != 3 or not token.startswith("eyJ"):
        return text
    read = lambda part: json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    claims = {name: value for name, value in read(parts[1]).items() if name not in ("iat", "exp", "jti")}
    header = read(parts[0])
    return scheme, header.get("alg"), tuple(sorted(claims.items()))


def meant(method: str, url: str, headers: dict, body: str):
    """A request in a form that can be compared."""
    parts = urllib.parse.urlsplit(url)
    headers = {name.lower(): value for name, value in headers.items()}
    kind = headers.get("content-type", "").split(";")[0] if body else ""
    if kind == "application/x-www-form-urlencoded":
        content = sorted((name, told(value)) for name, value in urllib.parse.parse_qsl(body))
    elif kind == "application/json":
        content = json.loads(body)
    else:
        content = body
    return {
        "line": f"{method} {parts.scheme}://{parts.netloc}{urllib.parse.unquote(parts.path)}",
        "query": sorted(urllib.parse.parse_qsl(parts.query)),
        "headers": {name: told(headers[name]) for name in HEADERS if name in headers},
        "content-type": kind,
        "content": content,
    }


def compared(sent: list) -> list:
    seen = []
    for request in sent:
        if "/.well-known/" not in request["line"] and request not in seen:
            seen.append(request)
    return seen


class Recorder(requests.adapters.HTTPAdapter):
    """Leads every request to the emulator and keeps what was asked."""

    sent: list = []

    def send(self, request, **options):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else bytes(body)
        self.sent.append(meant(request.method, request.url, request.headers, body.decode()))
        parts = urllib.parse.urlsplit(request.url)
        led = request.copy()
        led.url = parts._replace(scheme="http", netloc=AUTHORITY).geturl()
        led.headers.pop("Host", None)
        response = super().send(led, **options)
        response.url, response.request = request.url, request
        return response


# For every session of the process: the SDK and google-auth make their own.
RECORDER = Recorder()
requests.Session.get_adapter = lambda session, url: RECORDER


class Identities(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.ran = os.path.join(self.folder, "ran")

    def file(self, name: str, text: str, mode: int = stat.S_IRUSR) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def program(self, name: str, cases: str):
        """A program that writes down how it was called."""
        script = f'#!/bin/sh\necho "{name} $*" >> "{self.ran}"\ncase "$*" in\n{cases}\nesac\n'
        self.file(name, script, stat.S_IRWXU)

    def calls(self) -> list:
        try:
            with open(self.ran) as file:
                calls = [line.strip() for line in file]
        except FileNotFoundError:
            return []
        os.remove(self.ran)
        return list(dict.fromkeys(call for call in calls if " version" not in call))

    def environment(self, variables: dict) -> dict:
        base = {"HOME": self.folder, "DATABRICKS_HOST": EMULATOR["host"], "REDIRECT_TO": AUTHORITY}
        path = f"{self.folder}:/usr/bin:/bin"
        return {**base, "PATH": path, **variables}

    def sdk(self, variables: dict):
        before = dict(os.environ)
        Recorder.sent.clear()
        try:
            os.environ.clear()
            os.environ.update(self.environment(variables))
            client = WorkspaceClient()
            user = client.current_user.me().user_name
            return client.config.auth_type, user, compared(Recorder.sent), self.calls()
        finally:
            os.environ.clear()
            os.environ.update(before)

    def ours(self, variables: dict):
        environment = self.environment(variables)
        run = subprocess.run([PROGRAM], env=environment, capture_output=True, text=True, timeout=60)
        answer = json.loads(run.stdout)
        self.assertNotIn("error", answer)
        sent = [meant(r["method"], r["url"], r["headers"], r["body"]) for r in answer["requests"]]
        return answer["auth_type"], answer["user"], compared(sent), self.calls()

    def same(self, auth_type: str, variables: dict, requests: int):
        judged, own = self.sdk(variables), self.ours(variables)
        self.assertEqual(own, judged)
        self.assertEqual(own[0], auth_type)
        self.assertEqual(len(own[2]), requests, own[2])

    def test_pat(self):
        self.same("pat", {"DATABRICKS_TOKEN": EMULATOR["token"]}, 1)

    def test_oauth_m2m(self):
        self.same("oauth-m2m", {**CLIENT, "DATABRICKS_CLIENT_SECRET": EMULATOR["client_secret"]}, 2)

    def test_env_oidc(self):
        self.same("env-oidc", {"DATABRICKS_OIDC_TOKEN": issue("exchange")}, 2)

    def test_env_oidc_for_a_service_principal(self):
        self.same("env-oidc", {**CLIENT, "DATABRICKS_OIDC_TOKEN": issue("exchange")}, 2)

    def test_env_oidc_in_another_variable(self):
        variables = {"DATABRICKS_OIDC_TOKEN_ENV": "MINE", "MINE": issue("exchange")}
        self.same("env-oidc", variables, 2)

    def test_file_oidc(self):
        path = self.file("token", issue("exchange") + "\n")
        self.same("file-oidc", {"DATABRICKS_OIDC_TOKEN_FILEPATH": path}, 2)

    def test_file_oidc_for_a_service_principal(self):
        path = self.file("token", issue("exchange"))
        by_type = {"DATABRICKS_AUTH_TYPE": "file-oidc", **CLIENT}
        self.same("file-oidc", {**by_type, "DATABRICKS_OIDC_TOKEN_FILEPATH": path}, 2)

    def test_file_oidc_by_the_older_variable(self):
        path = self.file("token", issue("exchange"))
        self.same("file-oidc", {"DATABRICKS_OIDC_TOKEN_FILE": path}, 2)

    def test_github_oidc(self):
        self.same("github-oidc", SECRETS["github-oidc"], 3)

    def test_github_oidc_with_an_audience(self):
        self.same("github-oidc", {**SECRETS["github-oidc"], "DATABRICKS_TOKEN_AUDIENCE": "mine"}, 3)

    def test_github_oidc_azure(self):
        variables = {name: value for name, value in SECRETS["github-oidc"].items() if name not in CLIENT}
        entra = {name: SECRETS["azure-client-secret"][name] for name in ("ARM_CLIENT_ID", "ARM_TENANT_ID")}
        self.same("github-oidc-azure", {**variables, **entra, "DATABRICKS_HOST": AZURE}, 3)

    def test_azure_devops_oidc(self):
        self.same("azure-devops-oidc", SECRETS["azure-devops-oidc"], 3)

    def test_azure_client_secret(self):
        variables = {**SECRETS["azure-client-secret"], "DATABRICKS_HOST": AZURE}
        self.same("azure-client-secret", variables, 3)

    def test_azure_client_secret_of_a_tenant_that_is_found(self):
        variables = {**SECRETS["azure-client-secret"], "DATABRICKS_HOST": AZURE}
        del variables["ARM_TENANT_ID"]
        self.same("azure-client-secret", variables, 4)

    def test_azure_client_secret_with_a_resource_id(self):
        variables = {**SECRETS["azure-client-secret"], "DATABRICKS_HOST": AZURE}
        self.same("azure-client-secret", {**variables, "DATABRICKS_AZURE_RESOURCE_ID": RESOURCE}, 3)

    def azure_cli(self, what: str, account: str = "{}", closed: str = ""):
        print_ = lambda token: "echo '" + json.dumps(
            {
                "accessToken": token,
                "expiresOn": "2099-01-01 02:00:00.000000",
                "expires_on": 4070908800,
                "tokenType": "Bearer",
            }
        ) + "'"
        self.program(
            "az",
            f"'account show'*) echo '{account}' ;;\n{closed}"
            f"*management*) {print_(issue('entra_management', 'management'))} ;;\n*) {print_(issue(what, 'databricks'))} ;;",
        )

    def test_azure_cli_of_a_person(self):
        self.azure_cli("entra_user")
        self.same("azure-cli", {"DATABRICKS_HOST": AZURE, "ARM_TENANT_ID": "tenant-1"}, 1)

    def test_azure_cli_of_a_service_principal(self):
        self.azure_cli("entra_service")
        self.same("azure-cli", {"DATABRICKS_HOST": AZURE, "DATABRICKS_AUTH_TYPE": "azure-cli"}, 2)

    def test_azure_cli_of_a_managed_identity(self):
        account = '{"user": {"name": "systemAssignedIdentity", "type": "servicePrincipal"}}'
        self.azure_cli("entra_service", account)
        self.same("azure-cli", {"DATABRICKS_HOST": AZURE, "DATABRICKS_AUTH_TYPE": "azure-cli"}, 2)

    def test_azure_cli_with_a_subscription(self):
        for closed in ("", "*--subscription*) echo 'no access' >&2; exit 1 ;;\n"):
            self.azure_cli("entra_user", closed=closed)
            variables = {"DATABRICKS_HOST": AZURE, "DATABRICKS_AZURE_RESOURCE_ID": RESOURCE}
            self.same("azure-cli", variables, 2)

    def test_azure_cli_without_any_setting(self):
        self.azure_cli("entra_user")
        self.same("azure-cli", {"DATABRICKS_HOST": AZURE}, 2)

    def test_databricks_cli(self):
        token = {"access_token": EMULATOR["token"], "token_type": "Bearer", "expiry": "2099-01-01T00:00:00Z"}
        self.program("databricks", f"*version*) echo '{{}}' ;;\n*) echo '{json.dumps(token)}' ;;")
        self.same("databricks-cli", {}, 1)

    def test_metadata_service(self):
        self.same("metadata-service", SECRETS["metadata-service"], 2)

    def test_google_id_of_a_user(self):
        user = {
            "type": "authorized_user",
            "client_id": "gcloud",
            "client_secret": "secret",
            "refresh_token": SECRETS["github-oidc"]["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
        }
        path = self.file("adc.json", json.dumps(user))
        variables = {**SECRETS["google-id"], "GOOGLE_APPLICATION_CREDENTIALS": path}
        self.same("google-id", variables, 4)

    def test_google_credentials(self):
        self.same("google-credentials", SECRETS["google-credentials"], 3)

    def test_google_credentials_in_a_file(self):
        path = self.file("key.json", SECRETS["google-credentials"]["GOOGLE_CREDENTIALS"])
        self.same("google-credentials", {"GOOGLE_CREDENTIALS": path}, 3)

    def test_two_methods_are_ambiguous_for_both(self):
        path = self.file("token", issue("exchange"))
        for variables in (
            {**CLIENT, "DATABRICKS_OIDC_TOKEN_FILEPATH": path},
            {"DATABRICKS_TOKEN": "dapi-1", "ARM_CLIENT_ID": "x"},
            {"DATABRICKS_TOKEN": "dapi-1", **SECRETS["metadata-service"]},
            {**SECRETS["google-id"], **CLIENT},
        ):
            with self.assertRaises(ValueError) as refused:
                self.sdk(variables)
            said = "more than one authorization method configured: "
            judged = str(refused.exception).split(said)[1].split(".")[0]
            run = subprocess.run(
                [PROGRAM], env=self.environment(variables), capture_output=True, text=True, timeout=60
            )
            own = json.loads(run.stdout)["error"]
            self.assertIn(said + judged, own)

    def test_the_first_that_is_configured_is_the_one(self):
        token = {"DATABRICKS_OIDC_TOKEN": issue("exchange")}
        secret = {"DATABRICKS_CLIENT_SECRET": EMULATOR["client_secret"]}
        github, devops = SECRETS["github-oidc"], SECRETS["azure-devops-oidc"]
        for variables, auth_type in (
            ({**github, **secret}, "oauth-m2m"),
            ({**github, **token}, "env-oidc"),
            ({**github, **devops}, "github-oidc"),
            ({**devops, **token, **secret}, "oauth-m2m"),
            ({**github, **token, "DATABRICKS_AUTH_TYPE": "github-oidc"}, "github-oidc"),
        ):
            self.assertEqual(self.sdk(variables), self.ours(variables))
            self.assertEqual(self.ours(variables)[0], auth_type)


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    sys.stderr.flush()
    print(f"identity: {result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed or not result.testsRun else 0)
