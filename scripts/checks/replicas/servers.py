"""The replicas and their balancer, as processes that end with this one."""

import asyncio
import csv
import os
import socket
import time
from collections import Counter
from contextlib import suppress

LOOPBACK = "127.0.0.1"
SECRET = "0123456789abcdef0123456789abcdef"
CONFIGURATION = "deploy/haproxy/haproxy.cfg"


class Server:
    def __init__(self, process):
        self.process = process

    async def kill(self):
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def kill_at_once(self):
        """Gives the time when it was dead. Nothing else of this process happens meanwhile."""
        self.process.kill()
        # Another thread may be waiting for it as well, and be first.
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        return time.monotonic()

    async def end(self):
        """Asks it to end, and gives its exit code once it has."""
        self.process.terminate()
        return await self.process.wait()


class Replica(Server):
    @classmethod
    async def start(cls, framesign, name, shutdown_delay):
        free = f"{LOOPBACK}:0"
        process = await asyncio.create_subprocess_exec(
            framesign, "serve", "--listen", free, "--admin-listen", free, "--log-level", "warn",
            "--shutdown-delay", str(shutdown_delay), "--shutdown-timeout", "10",
            env={"SECRET": SECRET}, stdout=asyncio.subprocess.PIPE,
        )
        replica = cls(process)
        replica.name = name
        # `listening on http://ADDR:PORT`, then `admin on http://ADDR:PORT`.
        lines = [await process.stdout.readline() for _ in range(2)]
        if not all(lines):
            raise RuntimeError(f"{name} did not start")
        replica.address, replica.admin = (line.decode().strip().rpartition("/")[2] for line in lines)
        return replica


class Balancer(Server):
    @classmethod
    async def start(cls, directory, replicas):
        front = socket.create_server((LOOPBACK, 0))
        front.set_inheritable(True)
        log = directory / "log"
        environment = {"FRAMESIGN_FRONT": f"fd@{front.fileno()}", "FRAMESIGN_SOCKET": str(directory / "socket")}
        for replica in replicas:
            environment[f"FRAMESIGN_{replica.name.upper()}"] = replica.address
            environment[f"FRAMESIGN_{replica.name.upper()}_ADMIN"] = replica.admin.rpartition(":")[2]
        with log.open("a") as stdout:
            process = await asyncio.create_subprocess_exec(
                "haproxy", "-db", "-f", CONFIGURATION,
                env={"PATH": os.environ["PATH"], **environment},
                stdout=stdout, stderr=stdout, pass_fds=[front.fileno()],
            )
        balancer = cls(process)
        balancer.port, balancer.log, balancer.socket = front.getsockname()[1], log, directory / "socket"
        front.close()
        return balancer

    async def replicas(self):
        """What it knows of each replica, by name."""
        reader, writer = await asyncio.open_unix_connection(self.socket)
        writer.write(b"show stat\n")
        lines = (await reader.read()).decode().removeprefix("# ").splitlines()
        writer.close()
        rows = csv.DictReader(line for line in lines if line)
        return {row["svname"]: row for row in rows if row["type"] == "2"}

    async def counts(self):
        """How many requests it has given to each replica."""
        return Counter({name: int(row["stot"]) for name, row in (await self.replicas()).items()})

    async def until(self, states, seconds=5):
        """Waits until replicas have these states, as checks found them."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.socket.exists():
                rows = await self.replicas()
                if all(rows[name]["check_status"] and rows[name]["status"] == state for name, state in states.items()):
                    return
            await asyncio.sleep(0.02)
        raise TimeoutError(f"expected {states}")

    def failures(self):
        """How many requests it logged as not answered with 200, by replica."""
        # client [date] frontend backend/server timers status …
        fields = [line.split() for line in self.log.read_text().splitlines() if "] callers " in line]
        return Counter(field[3].partition("/")[2] for field in fields if field[5] != "200")
