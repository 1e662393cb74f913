"""Clients that know nothing of tokens, through `lakebase proxy`.

LAKEBASE_PROXY holds JSON: `program`, `environment` for it, `user` that must come out, `database`, `packages` (a folder with the npm package pg), and, where there
is an emulator, its ready line as `emulator`; where the server can be restarted, `restart`: a file that asks for it and is gone when that is done.
Ends with `N passed, N failed`. Arguments name the test classes to run.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import psycopg

STAGE = json.loads(os.environ["LAKEBASE_PROXY"])
EMULATOR = STAGE.get("emulator")
MEGABYTE = 1 << 20


class Proxy:
    """`lakebase proxy` on a port of the system's choice."""

    def __init__(self):
        environment = {"PATH": os.environ["PATH"], **STAGE["environment"]}
        self.process = subprocess.Popen(
            [STAGE["program"], "proxy", "--json", "--listen", "127.0.0.1:0"],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        line = self.process.stdout.readline()
        self.port = json.loads(line)["listeners"][0]["port"]

    def stop(self):
        """Drains; what was written to standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors

    def most_memory(self):
        """The highest resident size so far, in bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def setUpModule():
    global PROXY
    PROXY = Proxy()


def tearDownModule():
    code, errors = PROXY.stop()
    if code != 0 or "eyJ" in errors:
        raise AssertionError(f"the proxy ended with {code}: {errors}")


def command(*arguments, **options):
    """A program of PostgreSQL, with nothing but the address in its environment."""
    environment = {"PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(PROXY.port), "PGUSER": "anybody", "HOME": "/nonexistent"}
    settings = {"env": environment, "stdin": subprocess.DEVNULL, "text": True, **options}
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings)


def run(*arguments, **options):
    process = command(*arguments, **options)
    output, errors = process.communicate(timeout=300)
    if process.returncode != 0:
        raise AssertionError(f"{arguments}: exit code {process.returncode}: {output}{errors}")
    return output


def psql(sql, *arguments):
    return run("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", *arguments, "-c", sql).strip()


def connect(**options):
    return psycopg.connect(host="127.0.0.1", port=PROXY.port, user="anybody", dbname=STAGE["database"], connect_timeout=60, **options)


def wait_until(what, fulfilled):
    for _ in range(600):
        if fulfilled():
            return
        time.sleep(0.1)
    raise AssertionError(f"waited in vain until {what}")


class Clients(unittest.TestCase):
    def test_psql(self):
        self.assertEqual(psql("select current_user"), STAGE["user"])

    def test_psql_cancels(self):
        process = command("psql", "-X", "-c", "select pg_sleep(600) /* to be cancelled */")
        asked = "select count(*) from pg_stat_activity where query like '%to be ' || 'cancelled%' and state = 'active'"
        wait_until("the statement runs", lambda: psql(asked) == "1")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertIn("canceling statement due to user request", errors)
        self.assertEqual(psql(asked), "0")

    def test_pgbench_with_every_protocol(self):
        run("pgbench", "-i", "-q", "-s", "1", STAGE["database"])
        for mode in ["simple", "extended", "prepared"]:
            output = run("pgbench", "-n", "-M", mode, "-c", "4", "-t", "100", STAGE["database"])
            self.assertIn("number of transactions actually processed: 400/400", output)
            self.assertIn("number of failed transactions: 0", output)
        output = run("pgbench", "-n", "-S", "-C", "-c", "4", "-t", "20", STAGE["database"])
        self.assertIn("number of transactions actually processed: 80/80", output)

    def test_dump_and_restore_of_200_megabytes(self):
        psql("create schema dumped")
        psql("create unlogged table dumped.big as select i as id, repeat(md5(i::text), 59) as body from generate_series(1, 120000) i")
        self.assertGreater(int(psql("select pg_total_relation_size('dumped.big')")), 200 * MEGABYTE)
        checksum = "select count(*), sum(hashtextextended(body, id)) from dumped.big"
        before = psql(checksum)
        with tempfile.TemporaryDirectory() as folder:
            dump = f"{folder}/dump"
            run("pg_dump", "-Fc", "-Z0", "-n", "dumped", "-f", dump, STAGE["database"])
            self.assertGreater(os.path.getsize(dump), 200 * MEGABYTE)
            psql("drop schema dumped cascade")
            run("pg_restore", "-d", STAGE["database"], dump)
        self.assertEqual(psql(checksum), before)
        psql("drop schema dumped cascade")

    def test_a_gigabyte_streams_through_flat_memory(self):
        psql("select 1")
        before = PROXY.most_memory()
        process = command("psql", "-X", "-c", "copy (select repeat('x', 1000000) from generate_series(1, 1074)) to stdout", text=False)
        received = 0
        while chunk := process.stdout.read(MEGABYTE):
            received += len(chunk)
        self.assertEqual(process.wait(timeout=60), 0, process.stderr.read())
        process.stdout.close()
        process.stderr.close()
        self.assertGreater(received, 1 << 30)
        self.assertLess(PROXY.most_memory() - before, 16 * MEGABYTE)

    def test_psycopg(self):
        with connect(autocommit=True, application_name="suite") as connection:
            row = connection.execute("select current_user, current_setting('application_name'), %s::int + 1", [41]).fetchone()
            self.assertEqual(row, (STAGE["user"], "suite", 42))
            connection.execute("create temporary table t (x int, y text)")
            with connection.cursor() as cursor:
                with cursor.copy("copy t from stdin") as copy:
                    for number in range(10_000):
                        copy.write_row((number, f"row {number}"))
                with cursor.copy("copy t to stdout") as copy:
                    self.assertEqual(sum(1 for _ in copy.rows()), 10_000)
            with connection.pipeline():
                cursors = [connection.execute("select %s::int", [number]) for number in range(100)]
            self.assertEqual([cursor.fetchone()[0] for cursor in cursors], list(range(100)))

    def test_psycopg_cancels(self):
        with connect(autocommit=True) as connection:
            threading.Timer(1.0, connection.cancel_safe).start()
            with self.assertRaises(psycopg.errors.QueryCanceled):
                connection.execute("select pg_sleep(600)")
            self.assertEqual(connection.execute("select 1").fetchone(), (1,))

    def test_notifications(self):
        with connect(autocommit=True) as listening, connect(autocommit=True) as telling:
            listening.execute("listen news")
            telling.execute("select pg_notify('news', 'hello')")
            notification = next(listening.notifies(timeout=60, stop_after=1))
            self.assertEqual((notification.channel, notification.payload), ("news", "hello"))

    def test_node(self):
        script = pathlib.Path(__file__).with_name("proxy.mjs")
        settings = {"PATH": os.environ["PATH"], "LAKEBASE_PACKAGES": STAGE["packages"], "PROXY_PORT": str(PROXY.port), "PROXY_DATABASE": STAGE["database"]}
        answer = json.loads(run("node", str(script), env=settings))
        self.assertEqual(answer, {"user": STAGE["user"], "sum": 5050, "rows": 1000, "notified": "hello", "failed": "22012", "goodbye": "ended"})


class LoginsGoOn:
    """`pgbench -C` logs in anew for every transaction, and says so when a login fails."""

    def while_logins_go_on(self, disturb):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        script = pathlib.Path(folder, "one.sql")
        # No statement runs while the server goes: that would fail, as it must.
        script.write_text("select 1;\n")
        stop = threading.Event()
        failures, logins = [], []

        def log_in():
            while not stop.is_set():
                process = command("pgbench", "-n", "-C", "-c", "1", "-t", "5", "-f", str(script), STAGE["database"])
                output, errors = process.communicate()
                logins.append(output)
                if process.returncode != 0 and "connection to server" in errors:
                    failures.append(errors)

        threads = [threading.Thread(target=log_in) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                seen = len(logins)
                disturb()
                wait_until("logins go on", lambda: len(logins) >= seen + 8)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])


class Suspension(LoginsGoOn, unittest.TestCase):
    def test_no_login_fails_while_the_compute_sleeps_and_wakes(self):
        def suspend():
            body = json.dumps({"endpoint": EMULATOR["endpoint"]}).encode()
            request = urllib.request.Request(f"{EMULATOR['host']}/_emulator/suspend", body, {"Content-Type": "application/json"}, method="POST")
            urllib.request.urlopen(request, timeout=60).close()

        self.while_logins_go_on(suspend)


class Restart(LoginsGoOn, unittest.TestCase):
    def test_no_login_fails_while_the_server_is_killed_and_restarted(self):
        asked = pathlib.Path(STAGE["restart"])

        def restart():
            asked.touch()
            wait_until("the server is back", lambda: not asked.exists())

        self.while_logins_go_on(restart)


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    sys.stderr.flush()
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed or not result.testsRun else 0)
