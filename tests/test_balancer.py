"""The demo's balancer: each connection to the next server, and past one that is down."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from deploy.demo.balancer import Balancer
from deploy.demo.processes import free_port


async def _answering(word: bytes) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readline()
        writer.write(word + b" " + asked)
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"asked\n")
    said = await reader.read()
    writer.close()
    return said


def _asked(times: int, *, down: bool, every: bool) -> list[bytes]:
    # In a thread of its own: a browser that another test has open keeps a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _asking(times, down=down, every=every)).result()


async def _asking(times: int, *, down: bool, every: bool) -> list[bytes]:
    servers = [await _answering(word) for word in (b"first", b"second")]
    ports = [_port(server) for server in servers]
    if every:
        ports = []
    if down:
        ports.insert(0, free_port())
    balancer = await asyncio.start_server(Balancer(tuple(ports)).serve, "127.0.0.1", 0)
    async with balancer, servers[0], servers[1]:
        return [await _ask(_port(balancer)) for _ in range(times)]


def test_connections_go_to_the_servers_in_turn() -> None:
    assert _asked(4, down=False, every=False) == [b"first asked\n", b"second asked\n"] * 2


def test_a_server_that_is_down_is_passed_over() -> None:
    assert _asked(3, down=True, every=False) == [b"first asked\n", b"first asked\n", b"second asked\n"]


def test_where_all_are_down_the_connection_ends() -> None:
    assert _asked(1, down=True, every=True) == [b""]
