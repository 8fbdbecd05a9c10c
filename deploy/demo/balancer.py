"""A balancer before several servers, as nginx would be: connections go to them in turn, past one that is down.

It passes bytes on and knows nothing of them. gunicorn's workers serve one request a connection, so that a visit's
requests go to one server after the other.
"""

from __future__ import annotations

import asyncio
import itertools

import click


class Balancer:
    """Round robin over ports on loopback."""

    def __init__(self, ports: tuple[int, ...]) -> None:
        self._ports = ports
        self._turn = itertools.cycle(range(len(ports)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        try:
            server = await self._connect()
            if server is not None:
                await asyncio.gather(_pass_on(reader, server[1]), _pass_on(server[0], writer))
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self._turn)
        for port in self._ports[first:] + self._ports[:first]:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
        return None


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # whoever broke off, the other side is told by the end of the stream
    finally:
        writer.close()


async def _run(port: int, ports: tuple[int, ...]) -> None:
    server = await asyncio.start_server(Balancer(ports).serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


@click.command()
@click.option("--port", required=True, type=int)
@click.argument("ports", nargs=-1, type=int, required=True)
def main(port: int, ports: tuple[int, ...]) -> None:
    """Listen on a port and pass on to PORTS."""
    asyncio.run(_run(port, ports))


if __name__ == "__main__":
    main()
