import Testing

@testable import PathTelemetry
@testable import PathTransport

/// The order in which streams of different classes are sent, and what idle ones cost.
@Suite struct StreamPriorityTests {
    private func table(_ streams: UInt64 = 16) -> StreamTable {
        var configuration = StreamConfiguration()
        configuration.maximumBidirectional = streams
        var table = StreamTable(isServer: false, configuration: configuration)
        table.handlePeerLimits(
            PeerStreamLimits(
                maxData: 1 << 40, maxStreamData: 1 << 40, maxBidirectional: streams,
                maxUnidirectional: 0))
        return table
    }

    /// Sends pieces of up to 1,000 bytes while some streams are kept full; bytes by stream.
    private func send(
        _ table: inout StreamTable, pieces: Int, full: [StreamID]
    ) throws -> [StreamID: Int] {
        let bytes = [UInt8](repeating: 1, count: 65_536)
        var sent: [StreamID: Int] = [:]
        for piece in 0..<pieces {
            if piece % 16 == 0 {
                for id in full { _ = try bytes.withUnsafeBytes { try table.write(id, $0) } }
            }
            guard let frame = table.nextNew(limit: 1000) else { break }
            table.handleAcked(frame)
            sent[frame.id, default: 0] += frame.chunk.length
        }
        return sent
    }

    /// While all classes have data, they share it as 16, 4 and 1, and streams of a class equally.
    @Test func sharesFollowTheWeights() throws {
        var table = table()
        var ids: [StreamID] = []
        for index in 0..<6 {
            ids.append(try table.open())
            let priority = StreamPriority.allCases[index / 2]
            try table.setPriority(priority, of: ids[index])
        }
        let sent = try send(&table, pieces: 21_000, full: ids)
        let total = 21_000_000.0
        for (index, share) in [16.0, 16, 4, 4, 1, 1].enumerated() {
            let found = Double(sent[ids[index]] ?? 0) / total
            #expect((found - share / 42).magnitude < 0.001, "\(index): \(found)")
        }
    }

    /// A request goes out with the next packet, however much bulk data waits, and idle time gives it
    /// no credit to keep bulk data waiting.
    @Test func anInteractiveStreamGoesFirst() throws {
        var table = table()
        let bulk = try table.open()
        let shell = try table.open()
        try table.setPriority(.interactive, of: shell)
        _ = try send(&table, pieces: 5000, full: [bulk])
        for _ in 0..<10 {
            _ = try [7, 7, 7].withUnsafeBytes { try table.write(shell, $0) }
            let first = table.nextNew(limit: 1000)?.id
            let second = table.nextNew(limit: 1000)?.id
            #expect(first == shell && second == bulk)
        }
        let sent = try send(&table, pieces: 1700, full: [bulk, shell])
        #expect((95...105).contains((sent[bulk] ?? 0) / 1000), "\(sent)")
    }

    /// A hundred streams of one class differ by one piece at most.
    @Test func streamsOfAClassTakeTurns() throws {
        var table = table(100)
        var ids: [StreamID] = []
        for _ in 0..<100 { ids.append(try table.open()) }
        let sent = try send(&table, pieces: 2050, full: ids)
        #expect(sent.count == 100 && sent.values.allSatisfy { (20_000...21_000).contains($0) })
    }

    /// A stream that waits already takes its new class with its next turn, and lost data too is sent
    /// in the order of classes.
    @Test func aClassCanChange() throws {
        var table = table()
        let one = try table.open()
        let two = try table.open()
        _ = try send(&table, pieces: 10, full: [one, two])
        try table.setPriority(.interactive, of: two)
        let sent = try send(&table, pieces: 1700, full: [one, two])
        #expect((95...105).contains((sent[one] ?? 0) / 1000), "\(sent)")
        var frames: [StreamFrame] = []
        for _ in 0..<40 { if let frame = table.nextNew(limit: 1000) { frames.append(frame) } }
        for frame in frames where frame.id == one { table.handleLost(frame) }
        for frame in frames where frame.id == two { table.handleLost(frame) }
        let repaired = table.nextRetransmission(limit: 1000)?.id
        #expect(repaired == two)
        #expect(throws: StreamError.self) { try setUnknown(.media) }
    }

    private func setUnknown(_ priority: StreamPriority) throws {
        var table = table()
        try table.setPriority(
            priority, of: StreamID(index: 9, isServerInitiated: false, isUnidirectional: false))
    }

    /// 4,096 streams that have carried data hold no buffers when they are idle, and below 1 kB each.
    @Test func idleStreamsCostLittle() throws {
        let count = 4096
        var configuration = StreamConfiguration()
        configuration.maximumBidirectional = UInt64(count)
        configuration.connectionWindow = 16 << 20
        var client = table(UInt64(count))
        var server = StreamTable(isServer: true, configuration: configuration)
        let bytes = [UInt8](repeating: 9, count: 3000)
        var read = bytes
        var ids: [StreamID] = []
        for _ in 0..<count {
            let id = try client.open()
            ids.append(id)
            _ = try bytes.withUnsafeBytes { try client.write(id, $0) }
        }
        while let frame = client.nextNew(limit: 1400) {
            var copy = [UInt8](repeating: 0, count: frame.chunk.length)
            let isThere = copy.withUnsafeMutableBytes { client.copy(frame, into: $0) }
            #expect(isThere)
            try copy.withUnsafeBytes {
                _ = try server.handleStream(
                    frame.id, offset: frame.chunk.offset, data: $0, isFinal: frame.chunk.isFinal)
            }
            client.handleAcked(frame)
        }
        for id in ids {
            let result = try read.withUnsafeMutableBytes { try server.read(id, into: $0) }
            #expect(result.count == 3000)
        }
        let before = client.slots.values.reduce(0) { $0 + $1.send.memoryBytes }
        #expect(before == count * 4096)
        var now = Instant.zero + .seconds(1)
        for _ in 0..<2 * count / 256 + 2 {
            client.freeIdleMemory(now: now)
            server.freeIdleMemory(now: now)
            now += .milliseconds(500)
        }
        for table in [client.slots, server.slots] {
            for slot in table.values {
                #expect(slot.send.memoryBytes == 0 && slot.receive.memoryBytes == 0)
                #expect(!slot.isHolding)
            }
        }
        // The rest of a slot has about 100 bytes.
        let size = MemoryLayout<SendStream>.size + MemoryLayout<ReceiveStream>.size + 100
        #expect(size < 1000, "\(size)")
        // It is used again as before.
        _ = try bytes.withUnsafeBytes { try client.write(ids[5], $0) }
        let frame = client.nextNew(limit: 1400)
        #expect(frame?.id == ids[5] && frame?.chunk.offset == 3000)
    }

    /// Memory of a stream that holds bytes is kept.
    @Test func usedMemoryIsKept() throws {
        var table = table()
        let id = try table.open()
        let slot = try #require(table.slots[id])
        _ = try [UInt8](repeating: 1, count: 100).withUnsafeBytes { try table.write(id, $0) }
        var now = Instant.zero + .seconds(1)
        for _ in 0..<4 {
            table.freeIdleMemory(now: now)
            now += .seconds(1)
        }
        #expect(slot.send.memoryBytes == 4096)
        guard let frame = table.nextNew(limit: 1000) else {
            Issue.record("nothing to send")
            return
        }
        table.handleAcked(frame)
        table.freeIdleMemory(now: now)
        #expect(slot.send.memoryBytes == 0)
    }

    /// A stream that goes on keeps only the memory that it needs now.
    @Test func memoryOfAnOutageIsGivenBack() throws {
        var table = table()
        let id = try table.open()
        let slot = try #require(table.slots[id])
        let written = try [UInt8](repeating: 1, count: 300_000).withUnsafeBytes {
            try table.write(id, $0)
        }
        #expect(written > 131_072)
        let before = slot.send.memoryBytes
        while let frame = table.nextNew(limit: 1000) {
            table.handleAcked(frame)
            if slot.send.bufferedBytes <= 1000 { break }
        }
        #expect((1...1000).contains(slot.send.bufferedBytes))
        #expect(slot.send.memoryBytes == before)
        table.freeIdleMemory(now: .zero + .seconds(1))
        #expect(slot.send.memoryBytes == 65_536)
    }
}
