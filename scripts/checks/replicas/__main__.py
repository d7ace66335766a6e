"""Three replicas behind HAProxy under load: one is killed, then one is asked to end.

Call: python3 -B scripts/checks/replicas FRAMESIGN
"""

import asyncio
import signal
import sys
import tempfile
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

from load import Load
from servers import Balancer, Replica

NAMES = ["one", "two", "three"]
CALLERS = 24
REQUESTS = 3000
MOST_UNEVEN = 0.10
# Seconds. The balancer notices within half a second, and uploads outlast the delay.
SHUTDOWN_DELAY = 2.0
SLOW_UPLOAD = 4.0
SLOW_UPLOADS = 6


async def main(framesign):
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    servers = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            for name in NAMES:
                servers.append(await Replica.start(framesign, name, SHUTDOWN_DELAY))
            servers.append(await Balancer.start(Path(directory), servers))
            await servers[-1].until({name: "UP" for name in NAMES})
            async with Load(servers[-1].port, CALLERS) as load:
                await show(load, *servers)
        finally:
            for server in servers:
                await server.kill()


async def show(load, one, two, three, balancer):
    print(f"{'':20}{'answered':>9}{'failed':>7}" + "".join(f"{name:>8}" for name in NAMES), flush=True)
    async with phase("all three", load, balancer) as counts:
        await load.until(REQUESTS)
    uneven = (max(counts.values()) - min(counts.values())) / max(counts.values())
    print(f"    spread within {uneven:.1%}")
    expect(f"a spread within {MOST_UNEVEN:.0%}", uneven <= MOST_UNEVEN)
    expect("no failures", not load.failures)

    async with phase("one is killed", load, balancer):
        uploads = slow_uploads(load)
        await asyncio.sleep(1)
        killed = one.kill_at_once()
        await uploads
    only_in_flight(load, balancer, killed)

    failed = len(load.failures)
    async with phase("two is asked to end", load, balancer):
        uploads = slow_uploads(load)
        await asyncio.sleep(0.5)
        await drain(two, balancer)
        await uploads
    expect("no failures", len(load.failures) == failed)

    async with phase("three is left", load, balancer):
        await load.until(load.answered + REQUESTS)
    expect("no failures", len(load.failures) == failed)


def slow_uploads(load):
    return asyncio.gather(*(load.upload_slowly(SLOW_UPLOAD) for _ in range(SLOW_UPLOADS)))


@asynccontextmanager
async def phase(name, load, balancer):
    """Prints what was answered and what failed meanwhile, and which replica got how many requests."""
    counts = Counter()
    before, answered, failed = await balancer.counts(), load.answered, len(load.failures)
    yield counts
    counts.update(await balancer.counts() - before)
    failures = load.failures[failed:]
    print(f"{name:20}{load.answered - answered:9}{len(failures):7}" + "".join(f"{counts[name]:8}" for name in NAMES))
    for cause, count in Counter(failure.cause for failure in failures).items():
        print(f"    {count} x {cause}")


def only_in_flight(load, balancer, killed):
    """What failed was under way on the one that was killed, and went to no other."""
    count, logged = len(load.failures), balancer.failures()
    late = sum(failure.began > killed for failure in load.failures)
    print(f"    {count} failed, {logged['one']} of them on the killed one; {late} began after it was dead")
    expect("no failure of a request that began after the kill", late == 0)
    expect(f"all failures on the killed one, found {dict(logged)}", logged == Counter({"one": count}))
    expect("uploads to fail, which shows that they can", count > 0)


async def drain(replica, balancer):
    """It is out of the balancer's sight before it takes no more, and ends well."""
    ended = asyncio.create_task(replica.end())
    await balancer.until({replica.name: "DOWN"}, SHUTDOWN_DELAY * 0.75)
    expect("it to go on while it is not ready", not ended.done())
    code = await ended
    print(f"    it ended with {code}, after the balancer had let go of it")
    expect("exit code 0", code == 0)


def expect(what, holds):
    if not holds:
        sys.exit(f"replicas: expected {what}")


asyncio.run(main(*sys.argv[1:]))
