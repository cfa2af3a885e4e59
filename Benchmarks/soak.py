#!/usr/bin/env python3
"""Traffic for Benchmarks/survive.sh: every byte that comes back is compared.

    soak.py TCP_ECHO UDP_ECHO SECONDS [COUNT]   COUNT (200) connections with numbered lines, one bulk
                                                connection with a counting pattern, 50 datagrams a second
"""
import socket
import struct
import sys
import threading
import time


def place(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def exactly(peer, count):
    data = b""
    while len(data) < count:
        part = peer.recv(count - len(data))
        if not part:
            raise EOFError("the connection ended")
        data += part
    return data


class Soak:
    def __init__(self, tcp, udp, seconds, count):
        self.tcp, self.udp, self.end, self.count = tcp, udp, time.monotonic() + seconds, count
        self.lock = threading.Lock()
        self.lines, self.bulk, self.sent, self.answered, self.gap = 0, 0, 0, 0, 0.0
        self.faults = []

    def guarded(self, name, work):
        try:
            work()
        except Exception as error:  # every kind of failure is a finding
            with self.lock:
                self.faults.append(f"{name}: {error!r}")

    def talk(self, number):
        peer = socket.create_connection(self.tcp)
        count = 0
        while time.monotonic() < self.end:
            line = f"{number} {count}\n".encode()
            start = time.monotonic()
            peer.sendall(line)
            if exactly(peer, len(line)) != line:
                raise ValueError(f"another line than {line}")
            with self.lock:
                self.lines += 1
                self.gap = max(self.gap, time.monotonic() - start)
            count += 1
            time.sleep(1)
        peer.close()

    def stream(self):
        peer = socket.create_connection(self.tcp)

        def write():
            offset = 0
            while time.monotonic() < self.end:
                peer.sendall(b"".join(struct.pack(">Q", offset + i) for i in range(4096)))
                offset += 4096
            peer.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=self.guarded, args=("bulk", write))
        writer.start()
        offset, rest = 0, b""
        while data := peer.recv(1 << 18):
            rest += data
            whole = len(rest) // 8
            for (value,) in struct.iter_unpack(">Q", rest[:8 * whole]):
                if value != offset:
                    raise ValueError(f"number {value} where {offset} was due")
                offset += 1
            rest = rest[8 * whole:]
            self.bulk += len(data)
        if rest:
            raise ValueError("a part of a number at the end")
        writer.join()

    def datagrams(self):
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        peer.connect(self.udp)
        peer.settimeout(0.02)
        seen = set()
        while time.monotonic() < self.end:
            peer.send(struct.pack(">Q", self.sent))
            self.sent += 1
            try:
                (number,) = struct.unpack(">Q", peer.recv(64))
                if number in seen:
                    raise ValueError(f"datagram {number} came twice")
                seen.add(number)
                self.answered += 1
            except TimeoutError:
                pass
            time.sleep(0.01)

    def run(self):
        works = [("stream", self.stream), ("datagrams", self.datagrams)]
        works += [(f"connection {n}", lambda n=n: self.talk(n)) for n in range(self.count)]
        threads = [threading.Thread(target=self.guarded, args=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f"{self.lines} lines over {self.count} connections, {self.bulk / 1e6:.0f} MB of bulk, "
              f"{self.answered} of {self.sent} datagrams answered, longest wait of a line {self.gap:.1f} s, "
              f"faults: {len(self.faults)} {self.faults[:3]}")


Soak(place(sys.argv[1]), place(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 200).run()
