"""The command as it was built for another platform, against the emulator on this one.

LAKEBASE_EMULATOR is the emulator's ready line, LAKEBASE_TARGETS cargo's target folder, LAKEBASE_WINE what runs programs for Windows, by the
wine64 that WINE names. The argument names the platform: `windows` or `musl`. Ends with `N passed, N failed`.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import psycopg

EMULATOR = json.loads(os.environ["LAKEBASE_EMULATOR"])
TARGETS = pathlib.Path(os.environ["LAKEBASE_TARGETS"])
WHO = "select session_user::text as who"
ROW = [{"who": EMULATOR["client_id"]}]
LIMIT = 120
CONFIGURED = {
    "DATABRICKS_HOST": EMULATOR["host"],
    "DATABRICKS_CLIENT_ID": EMULATOR["client_id"],
    "DATABRICKS_CLIENT_SECRET": EMULATOR["client_secret"],
    "LAKEBASE_ENDPOINT": EMULATOR["endpoint"],
    "LAKEBASE_DNS": EMULATOR["dns"],
    "PGPORT": str(EMULATOR["pg_port"]),
}


class Foreign(unittest.TestCase):
    """Runs a program and reads what it says."""

    def run_it(self, *arguments, **more):
        command = subprocess.run([*self.runner, *arguments], env={**self.environment, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
        self.assertNotIn(EMULATOR["client_secret"], command.stderr)
        return command

    def succeeds(self, *arguments, **more):
        command = self.run_it(*arguments, **more)
        self.assertEqual(command.returncode, 0, command.stderr + command.stdout)
        return command.stdout


class windows(Foreign):
    def setUp(self):
        self.program = TARGETS / "x86_64-pc-windows-gnu/debug/lakebase.exe"
        self.runner = [os.environ["LAKEBASE_WINE"], str(self.program)]
        wine = {name: os.environ[name] for name in ("PATH", "HOME", "WINE", "WINEPREFIX", "WINEDEBUG") if name in os.environ}
        self.environment = {**wine, **CONFIGURED, "PGSSLROOTCERT": "Z:" + EMULATOR["ca_cert"]}
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def batch(self, name, *lines):
        path = self.folder / f"{name}.cmd"
        path.write_text("\r\n".join(["@echo off", *lines, ""]))
        return f"Z:{path}"

    def query(self):
        return f'"Z:{self.program}" query --json "{WHO}"'

    def test_the_status_is_that_of_windows(self):
        # Wine's server kills a process that is still there a second after its program ended.
        killed = self.folder / "wine64"
        killed.write_text(f'#!/bin/sh\n"{os.environ["WINE"]}" "$@"\nkill -KILL $$\n')
        killed.chmod(0o755)
        self.assertIn("lakebase ", self.succeeds("--version", WINE=str(killed)))
        self.assertEqual(self.run_it("exec", "--", self.batch("seven", "exit 7"), WINE=str(killed)).returncode, 7)

    def test_queries_by_direct_dns_and_verified_tls(self):
        self.assertEqual(json.loads(self.succeeds("query", "--json", WHO)), ROW)

    def test_the_doctor_finds_all_well(self):
        self.assertIn("all is well", self.succeeds("doctor"))

    def test_exec_gives_its_program_alone_a_password(self):
        # What the secrets were for is gone; what is left leads to the tunnel.
        script = self.batch("report", "set LAKEBASE_ENDPOINT=", "set DATABRICKS_HOST=", "if defined DATABRICKS_CLIENT_SECRET exit /b 9", "echo %PGHOST% %PGPASSFILE%", self.query())
        address, row = self.succeeds("exec", "--", script).splitlines()
        host, passfile = address.split(" ", 1)
        self.assertEqual((host, json.loads(row)), ("127.0.0.1", ROW))
        self.assertIn(r"\AppData\Local\lakebase-", passfile)
        left = pathlib.Path(os.environ["WINEPREFIX"]).glob("drive_c/users/*/AppData/Local/lakebase-*")
        self.assertEqual(list(left), [])

    def test_exec_gives_a_url_and_passes_exit_codes_on(self):
        url = self.succeeds("exec", "--url-variable", "DATABASE_URL", "--", self.batch("url", "echo %DATABASE_URL%")).strip()
        user, rest = url.removeprefix("postgresql://").split(":", 1)
        password, place = rest.split("@", 1)
        self.assertEqual((user, place.split(":")[0]), (EMULATOR["client_id"], "127.0.0.1"))
        # 128 bits in six bits a character.
        self.assertGreaterEqual(len(password), 22)
        self.assertEqual(self.run_it("exec", "--", self.batch("seven", "exit 7")).returncode, 7)
        self.assertEqual(self.run_it("exec", "--", "no-such-program").returncode, 127)

    def test_psql_is_started_on_the_tunnel(self):
        psql = self.batch("psql", "set LAKEBASE_ENDPOINT=", "set DATABRICKS_HOST=", "echo %1", self.query())
        said, row = self.succeeds("psql", "--", "--csv", LAKEBASE_PSQL=psql).splitlines()
        self.assertEqual((said, json.loads(row)), ("--csv", ROW))

    def test_the_profile_is_found_in_the_users_folder(self):
        profile = f"[DEFAULT]\nhost = {EMULATOR['host']}\nclient_id = {EMULATOR['client_id']}\nclient_secret = {EMULATOR['client_secret']}\n"
        (self.folder / ".databrickscfg").write_text(profile)
        for name in ("DATABRICKS_HOST", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET", "HOME"):
            self.environment.pop(name)
        # Wine sets USERPROFILE itself.
        script = self.batch("profile", f"set USERPROFILE=Z:{self.folder}", self.query())
        self.runner = [self.runner[0], "cmd"]
        self.assertEqual(json.loads(self.succeeds("/c", script)), ROW)

    def test_a_linux_client_gets_in_through_the_proxy(self):
        # Wine itself, because killing what runs it would leave it behind.
        proxy = subprocess.Popen([os.environ["WINE"], str(self.program), "proxy", "--json", "--listen", "127.0.0.1:0"], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            port = json.loads(proxy.stdout.readline())["listeners"][0]["port"]
            with psycopg.connect(host="127.0.0.1", port=port, user="me", dbname=EMULATOR["database"], connect_timeout=60) as connection:
                self.assertEqual(connection.execute(WHO).fetchone()[0], EMULATOR["client_id"])
        finally:
            proxy.kill()
            proxy.communicate()


class musl(Foreign):
    def setUp(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        shutil.copy(TARGETS / "x86_64-unknown-linux-musl/debug/lakebase", folder / "lakebase")
        (folder / "etc/ssl/certs").mkdir(parents=True)
        shutil.copy(EMULATOR["ca_cert"], folder / "etc/ssl/certs/ca-certificates.crt")
        # Whoever is not root becomes it in a namespace of its own.
        root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
        self.runner = [*root, shutil.which("chroot", path=os.environ["PATH"] + ":/usr/sbin"), str(folder), "/lakebase"]
        self.environment = CONFIGURED

    def test_the_program_is_static(self):
        program = pathlib.Path(self.runner[-2]) / "lakebase"
        # An interpreter (PT_INTERP) would be named.
        self.assertNotIn(b"ld-musl", program.read_bytes()[:4096])

    def test_queries_in_an_empty_root(self):
        self.assertEqual(json.loads(self.succeeds("query", "--json", WHO)), ROW)

    def test_the_doctor_finds_all_well_in_an_empty_root(self):
        self.assertIn("all is well", self.succeeds("doctor"))


if __name__ == "__main__":
    platform = sys.argv.pop(1)
    result = unittest.main(argv=[sys.argv[0], platform], exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    sys.stderr.flush()
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed or not result.testsRun else 0)
