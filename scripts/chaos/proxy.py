"""A TCP proxy on one host: all connections that the host makes to others go through it (nft redirects them).

Run on the host: python3 -SE proxy.py PORT. Commands on stdin, one a line:
  rate BYTES   bytes a second for each direction of each connection from now on; 0: no limit
  break        of what comes next, half a message goes on; then both ends are reset
It knows no message: half of whatever one read gives is in the middle of one, or of a number in it.
"""

import asyncio
import socket
import struct
import sys

SO_ORIGINAL_DST = 80
SO_MARK = 36
MARK = 7  # its own connections, which nft lets through


class Proxy:
    def __init__(self):
        self.rate = 0
        self.pairs = set()

    async def accept(self, reader, writer):
        address = writer.get_extra_info("socket").getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
        port, host = struct.unpack(">HH4s8x", address)[1], socket.inet_ntoa(address[4:8])
        onward = socket.socket()
        onward.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
        onward.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(onward, (host, port))
        except OSError:
            onward.close()
            return reset(writer)
        far_reader, far_writer = await asyncio.open_connection(sock=onward)
        pair = Pair(self, writer, far_writer)
        self.pairs.add(pair)
        try:
            await asyncio.gather(pair.carry(reader, far_writer), pair.carry(far_reader, writer))
        finally:
            self.pairs.discard(pair)
            for end in (writer, far_writer):
                end.close()

    async def obey(self, commands):
        while line := (await commands.readline()).decode().split():
            if line[0] == "rate":
                self.rate = float(line[1])
            elif line[0] == "break":
                for pair in self.pairs:
                    pair.broken = True


class Pair:
    """A connection and its continuation."""

    def __init__(self, proxy, *ends):
        self.proxy, self.ends, self.broken = proxy, ends, False

    async def carry(self, source, sink):
        try:
            while data := await source.read(1 << 16):
                if self.broken:
                    sink.write(data[: (len(data) + 1) // 2])
                    await sink.drain()
                    raise ConnectionResetError
                if not self.proxy.rate:
                    sink.write(data)
                    await sink.drain()
                else:
                    await self.drip(data, sink)
            sink.write_eof()
        except OSError:
            for end in self.ends:
                reset(end)

    async def drip(self, data, sink):
        while data:
            rate = self.proxy.rate
            part = data[: max(1, int(rate / 20))] if rate else data
            if rate:
                await asyncio.sleep(len(part) / rate)
            sink.write(part)
            await sink.drain()
            data = data[len(part) :]


def reset(writer):
    """Closes with RST, as a broken machine in between does."""
    if sock := writer.get_extra_info("socket"):
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass  # closed already
    writer.transport.abort()


async def main(port):
    proxy = Proxy()
    server = await asyncio.start_server(proxy.accept, "0.0.0.0", port)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("listening", flush=True)
    async with server:
        await proxy.obey(commands)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
