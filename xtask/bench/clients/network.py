"""psycopg_pool as a subject of the row `network`: obeys lines on standard input until it ends.

A line is {"tasks":N,"sql":TEXT,"limit":MILLIS}; the answer is {"millis":N,"failed":N,"why":TEXT}.
"""

import asyncio
import json
import logging
import os
import sys
import time

from psycopg_pool import AsyncConnectionPool

env = os.environ
# Everything else is read from the environment by libpq.
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


async def task(pool, sql):
    try:
        async with pool.connection() as connection:
            await connection.execute(sql)
    except Exception as error:
        return str(error).strip() or type(error).__name__


async def ask(pool, order):
    started = time.perf_counter()
    tasks = [asyncio.create_task(task(pool, order["sql"])) for _ in range(order["tasks"])]
    done, late = await asyncio.wait(tasks, timeout=order["limit"] / 1e3)
    millis = (time.perf_counter() - started) * 1e3
    failures = [it.result() for it in done if it.result()] + ["no answer"] * len(late)
    return {"millis": millis, "failed": len(failures), "why": next(iter(failures), None)}


async def main():
    logging.disable()
    size = int(env["BENCH_CONNECTIONS"])
    pool = AsyncConnectionPool(
        "sslmode=verify-full", kwargs=KEEPALIVES, min_size=size, max_size=size, open=False
    )
    print(json.dumps({"ready": True}), flush=True)
    loop = asyncio.get_running_loop()
    opened = False
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if not opened:
            await pool.open()
            opened = True
        print(json.dumps(await ask(pool, json.loads(line))), flush=True)
    # Some tasks may wait for ever.
    os._exit(0)


asyncio.run(main())
