import Testing

@testable import PathTelemetry
@testable import PathTransport

/// Whole datagrams, forged and authentic, for running endpoints.
@Suite struct ConnectionFuzzTests {
    /// Forged datagrams: none is decrypted, and no state is kept.
    @Test func forgedDatagramsChangeNothing() throws {
        var pair = try ConnectionPair()
        pair.run(milliseconds: 20)
        var generator = SeededGenerator(seed: 4)
        let model = pair.seal([1], path: 0, number: 1 << 20)
        let before = Fuzz.residentBytes
        for index in 0..<Fuzz.count(40_000) {
            var input = Fuzz.mutate(model, &generator)
            if index % 3 == 0 {
                input = Fuzz.bytes(Fuzz.random(&generator, below: 1500), &generator)
                if !input.isEmpty { input[0] = UInt8(index % 6) | (index % 2 == 0 ? 0x40 : 0) }
            }
            if input == model { continue }
            pair.deliver(input, path: index % 2)
            let now = pair.now
            input.withUnsafeMutableBytes {
                pair.client.handleDatagram(
                    $0, from: .loopback(port: 5000), socket: 0, receivedAt: now, now: now)
            }
            if index % 1000 == 0 { pair.run(milliseconds: 1) }
        }
        let isWhole = pair.client.isEstablished && pair.client.reason == nil
        #expect(isWhole)
        let count = pair.server.connectionCount
        #expect(count == 1)
        let reason = pair.box?.with { $0.reason }
        let forged = pair.box?.with { $0.statistics.forgedPackets }
        #expect(reason == .some(nil) && forged ?? 0 > 1000)
        #expect(Fuzz.residentBytes - before < Fuzz.memoryLimit)
    }

    /// Packets under the peer's keys with arbitrary payloads.
    @Test func authenticNonsenseEndsTheConnectionAtWorst() throws {
        var pair = try ConnectionPair()
        pair.run(milliseconds: 20)
        let stream = try pair.client.openStream()
        let bytes = [UInt8](repeating: 5, count: 5000)
        _ = try bytes.withUnsafeBytes { try pair.client.write(stream, $0) }
        pair.run(milliseconds: 20)
        let found = pair.box
        let box = try #require(found)
        var generator = SeededGenerator(seed: 5)
        var number: UInt64 = 100_000
        var ends = 0
        let sink = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
        defer { sink.deallocate() }
        let before = Fuzz.residentBytes
        for index in 0..<Fuzz.count(100_000) {
            var payload = Fuzz.frames(&generator)
            if index % 3 == 1 { payload = Fuzz.mutate(payload, &generator) }
            if index % 50 == 2 {
                payload = Fuzz.bytes(1 + Fuzz.random(&generator, below: 200), &generator)
            }
            number += 1
            // Now and then the peer opens one more path, up to all of them.
            let path = index % 997 == 0 ? Fuzz.random(&generator, below: 16) : index % 2
            pair.deliver(pair.seal(payload, path: path, number: number), path: path)
            let now = pair.now
            box.with { connection in
                if connection.reason != nil {
                    ends += 1
                    connection.reopen()
                }
                if index % 16 == 0 {
                    if connection.pollTimeout(now: now) <= now {
                        connection.handleTimeout(now: now)
                    }
                    var sent = 0
                    while sent < 50, connection.pollTransmit(into: sink, now: now) != nil {
                        sent += 1
                    }
                    while let event = connection.pollEvent() {
                        if case .streamReadable(let stream) = event {
                            _ = try? connection.read(stream, into: sink)
                        }
                    }
                    while connection.receiveMessage() != nil {}
                    connection.lastReceivedAt = now
                }
            }
            pair.now = pair.now + .microseconds(100)
        }
        #expect(ends > 1000)
        #expect(Fuzz.residentBytes - before < Fuzz.memoryLimit)
    }

    /// First messages with valid authenticators and arbitrary content.
    @Test func initiationsTakeAnything() throws {
        var pair = try ConnectionPair()
        var generator = SeededGenerator(seed: 6)
        let mac = try HandshakeMAC(responder: pair.client.peerKey)
        for index in 0..<min(Fuzz.count(2_000), 100_000) {
            var datagram = [UInt8](repeating: 0, count: 1200)
            let noise = Fuzz.bytes(Fuzz.random(&generator, below: 1158), &generator)
            let isWritten = datagram.withUnsafeMutableBytes {
                InitiationPacket.write(
                    path: PathID(index % 16), suite: UInt8(index % 5),
                    sender: UInt32(truncatingIfNeeded: index), noise: noise, to: $0)
            }
            #expect(isWritten)
            if index % 2 == 0 { datagram[8 + index % 2] = UInt8(truncatingIfNeeded: index) }
            let authenticated = Array(datagram[..<InitiationPacket.authenticatorOffset])
            let tag = try mac.mac(of: authenticated.span.bytes)
            for (offset, byte) in tag.enumerated() {
                datagram[InitiationPacket.authenticatorOffset + offset] = byte
            }
            pair.now = pair.now + .milliseconds(40)
            pair.deliver(datagram, path: 0)
        }
        let kept = pair.server.connectionCount
        let seen = pair.server.statistics.initiations
        #expect(kept == 0 && seen > 1000)
        let sink = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 16)
        defer { sink.deallocate() }
        while let reply = pair.server.pollReply(into: sink) { #expect(reply.length <= 24) }
    }
}
