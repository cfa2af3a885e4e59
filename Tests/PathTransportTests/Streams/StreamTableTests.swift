import Testing

@testable import PathTelemetry
@testable import PathTransport

@Suite struct StreamTableTests {
    private var small: StreamConfiguration {
        var configuration = StreamConfiguration()
        configuration.sendCapacity = 3000
        configuration.streamWindow = 2000
        configuration.maximumStreamWindow = 8000
        configuration.connectionWindow = 5000
        configuration.maximumConnectionWindow = 20_000
        configuration.maximumBidirectional = 4
        configuration.maximumUnidirectional = 3
        return configuration
    }

    /// Many streams, each echoed by the server, over a bad network: all bytes arrive both ways,
    /// and both tables are empty at the end.
    @Test(arguments: 0..<60)
    func echoesManyStreams(seed: Int) throws {
        var pair = TablePair(
            seed: UInt64(seed), configuration: small, lossRate: [0, 0.1, 0.4][seed % 3])
        var sizes: [StreamID: Int] = [:]
        var written: [StreamID: Int] = [:]
        var echoed: [StreamID: Int] = [:]
        var ended: Set<StreamID> = []
        var held: [StreamID: (bytes: [UInt8], isFinished: Bool)] = [:]
        let wanted = 12
        var steps = 0
        while !(ended.count == wanted && pair.client.count == 0 && pair.server.count == 0) {
            steps += 1
            guard steps < 60_000, pair.failure == nil else {
                Issue.record("seed \(seed): \(pair.failure ?? "no end"), ended \(ended.count)")
                return
            }
            pair.step()
            if sizes.count < wanted, let id = try? pair.client.open() {
                sizes[id] =
                    seed % 5 == 0 && sizes.count == 2
                    ? 0 : 1 + (Int(id.rawValue) * 997 + seed * 31) % 9000
                written[id] = 0
                echoed[id] = 0
            }
            for (id, size) in sizes.sorted(by: { $0.key < $1.key }) {
                if let done = written[id], done <= size {
                    let count = try pair.client.writeTestBytes(
                        id, from: done, count: min(700, size - done))
                    written[id] = done + count
                    if done + count == size {
                        try pair.client.finish(id)
                        written[id] = size + 1
                    }
                }
                guard !ended.contains(id), pair.client.slot(id) != nil, let at = echoed[id] else {
                    continue
                }
                let got = try pair.client.readBytes(id, 900)
                guard got.bytes == Array(testBytes[at..<at + got.bytes.count]) else {
                    Issue.record("seed \(seed): wrong bytes of stream \(id.rawValue) at \(at)")
                    return
                }
                echoed[id] = at + got.bytes.count
                if got.isFinished {
                    #expect(echoed[id] == size)
                    ended.insert(id)
                }
            }
            while let id = pair.server.accept() { held[id] = ([], false) }
            for (id, state) in held.sorted(by: { $0.key < $1.key }) {
                var state = state
                if !state.isFinished, state.bytes.isEmpty {
                    let got = try pair.server.readBytes(id, 800)
                    state = got
                }
                let bytes = state.bytes
                let count = try bytes.span.withUnsafeBytes { data throws(StreamError) in
                    try pair.server.write(id, data)
                }
                state.bytes.removeFirst(count)
                held[id] = state
                if state.isFinished, state.bytes.isEmpty {
                    try pair.server.finish(id)
                    held[id] = nil
                }
            }
        }
        #expect(pair.client.flow.credit <= pair.client.flow.peerLimit)
        #expect(pair.server.flow.received == pair.client.flow.sent)
        #expect(pair.server.flow.consumed == pair.server.flow.received)
    }

    @Test func numbersFollowTheInitiatorAndKind() throws {
        var table = StreamTable(isServer: true)
        #expect(throws: StreamError.streamLimit(index: 0, limit: 0)) { try table.open() }
        #expect(
            table.nextControl(now: .zero, rtt: .zero) == .streamsBlocked(0, isUnidirectional: false)
        )
        table.handleMaxStreams(2, isUnidirectional: false)
        table.handleMaxStreams(1, isUnidirectional: true)
        #expect(try table.open().rawValue == 1)
        #expect(try table.open().rawValue == 5)
        #expect(try table.open(isUnidirectional: true).rawValue == 3)
        #expect(throws: StreamError.streamLimit(index: 2, limit: 2)) { try table.open() }
        #expect(StreamID(index: 7, isServerInitiated: false, isUnidirectional: true).rawValue == 30)
    }

    @Test func peersMayOpenUpToTheLimitAndNotMore() throws {
        var table = StreamTable(isServer: true, configuration: small)
        try feed(&table, StreamID(rawValue: 8), 0..<10)
        #expect(
            [table.accept(), table.accept(), table.accept()].map { $0?.rawValue } == [0, 4, 8])
        #expect(table.accept() == nil)
        #expect(throws: StreamError.streamLimit(index: 4, limit: 4)) {
            try feed(&table, StreamID(rawValue: 16), 0..<10)
        }
        #expect(throws: StreamError.streamLimit(index: .max >> 2, limit: 3)) {
            try feed(&table, StreamID(rawValue: .max - 1), 0..<10)
        }
        #expect(table.count == 3)
    }

    @Test func framesForTheWrongDirectionAreErrors() throws {
        var table = StreamTable(isServer: false, configuration: small)
        table.handleMaxStreams(4, isUnidirectional: true)
        let ours = try table.open(isUnidirectional: true)
        #expect(throws: StreamError.streamState(ours)) { try feed(&table, ours, 0..<1) }
        #expect(throws: StreamError.streamState(StreamID(rawValue: 0))) {
            try feed(&table, StreamID(rawValue: 0), 0..<1)
        }
        let theirs = StreamID(rawValue: 3)
        #expect(throws: StreamError.streamState(theirs)) {
            try table.handleMaxStreamData(theirs, 10)
        }
        try feed(&table, theirs, 0..<1)
        #expect(throws: StreamError.streamState(theirs)) { try table.finish(theirs) }
        #expect(throws: StreamError.unknownStream(StreamID(rawValue: 99))) {
            try table.finish(StreamID(rawValue: 99))
        }
    }

    @Test func connectionLimitHoldsOverAllStreams() throws {
        var table = StreamTable(isServer: true, configuration: small)
        try feed(&table, StreamID(rawValue: 0), 0..<2000)
        try feed(&table, StreamID(rawValue: 4), 0..<2000)
        try feed(&table, StreamID(rawValue: 4), 0..<2000)
        #expect(throws: StreamError.flowControl(offset: 6000, limit: 5000)) {
            try feed(&table, StreamID(rawValue: 8), 0..<2000)
        }
        #expect(table.nextControl(now: .zero, rtt: .zero) == nil)
        _ = try table.readBytes(StreamID(rawValue: 0), 2000)
        _ = try table.readBytes(StreamID(rawValue: 4), 500)
        #expect(table.nextControl(now: .zero, rtt: .zero) == .maxData(7500))
        #expect(
            table.nextControl(now: .zero, rtt: .zero) == .maxStreamData(StreamID(rawValue: 0), 4000)
        )
        #expect(table.nextControl(now: .zero, rtt: .zero) == nil)
        table.handleControlLost(.maxData(7500))
        table.handleControlLost(.maxData(5000))
        #expect(table.nextControl(now: .zero, rtt: .zero) == .maxData(7500))
        #expect(table.nextControl(now: .zero, rtt: .zero) == nil)
    }

    @Test func streamsTakeTurnsAndLossGoesFirst() throws {
        var table = StreamTable(isServer: false)
        table.handlePeerLimits(
            PeerStreamLimits(
                maxData: 10_000, maxStreamData: 5000, maxBidirectional: 3, maxUnidirectional: 0))
        let ids = [try table.open(), try table.open(), try table.open()]
        for id in ids { _ = try table.writeTestBytes(id, from: 0, count: 4000) }
        #expect(table.sendableBytes(upTo: 100_000) == 10_000)
        #expect(table.sendableBytes(upTo: 6000) == 6000)
        let first = (0..<6).compactMap { _ in table.nextChunk(limit: 1000) }
        #expect(first.map(\.id) == ids + ids)
        #expect(first.map(\.chunk.offset) == [0, 0, 0, 1000, 1000, 1000])
        table.handleLost(first[4])
        #expect(table.hasRetransmissions == true)
        let again = table.nextChunk(limit: 5000)
        #expect(again?.id == ids[1])
        #expect(again?.chunk.range == 1000..<2000)
        let rest = (0..<9).compactMap { _ in table.nextChunk(limit: 1000) }
        #expect(rest.map(\.id) == ids + [ids[0]])
        #expect(table.flow.credit == 0)
        #expect(table.nextControl(now: .zero, rtt: .zero) == .dataBlocked(10_000))
        #expect(table.nextControl(now: .zero, rtt: .zero) == nil)
        table.handleMaxData(11_000)
        #expect(table.nextChunk(limit: 5000)?.chunk.length == 1000)
    }

    @Test func streamLimitIsReportedOnce() throws {
        var table = StreamTable(isServer: false)
        table.handlePeerLimits(
            PeerStreamLimits(
                maxData: 10_000, maxStreamData: 1000, maxBidirectional: 3, maxUnidirectional: 0))
        let id = try table.open()
        _ = try table.writeTestBytes(id, from: 0, count: 1500)
        #expect(table.nextChunk(limit: 5000)?.chunk.length == 1000)
        #expect(table.nextControl(now: .zero, rtt: .zero) == .streamDataBlocked(id, 1000))
        _ = try table.writeTestBytes(id, from: 1500, count: 10)
        #expect(table.nextControl(now: .zero, rtt: .zero) == nil)
        try table.handleMaxStreamData(id, 1200)
        #expect(table.nextChunk(limit: 5000)?.chunk.range == 1000..<1200)
    }

    @Test func peersResetReachesTheApplicationAndFreesTheStream() throws {
        var table = StreamTable(isServer: true, configuration: small)
        let id = StreamID(rawValue: 2)
        try feed(&table, id, 0..<100)
        #expect(table.nextEvent() == .readable(id))
        try table.handleReset(id, StreamReset(code: 5, finalSize: 900))
        try table.handleReset(id, StreamReset(code: 5, finalSize: 900))
        #expect(table.flow.received == 900 && table.flow.consumed == 900)
        #expect(table.count == 1)
        #expect(table.nextEvent() == .reset(id, code: 5))
        #expect(table.count == 0)
        #expect(table.nextEvent() == nil)
        try feed(&table, id, 0..<100)
        #expect(table.lateBytes == 100 && table.count == 0)
    }

    /// A reset right behind the last byte read must not look like the end of the stream.
    @Test func aResetIsNoEnd() throws {
        var table = StreamTable(isServer: true, configuration: small)
        let id = StreamID(rawValue: 0)
        try feed(&table, id, 0..<100)
        var bytes = [UInt8](repeating: 0, count: 200)
        let first = try bytes.withUnsafeMutableBytes { try table.read(id, into: $0) }
        #expect(first.count == 100 && !first.isFinished)
        try table.handleReset(id, StreamReset(code: 5, finalSize: 100))
        #expect(throws: StreamError.unknownStream(id)) {
            try bytes.withUnsafeMutableBytes { try table.read(id, into: $0) }
        }
    }

    /// Memory goes back when nothing is under way, and the stream goes on after that.
    @Test func idleStreamsHoldNoMemory() throws {
        var table = StreamTable(isServer: true, configuration: small)
        table.handlePeerLimits(
            PeerStreamLimits(
                maxData: 100_000, maxStreamData: 100_000, maxBidirectional: 4, maxUnidirectional: 4)
        )
        let id = StreamID(rawValue: 0)
        try feed(&table, id, 0..<100)
        let written = [UInt8](repeating: 3, count: 100)
        for _ in 0..<2 {
            let count = try written.withUnsafeBytes { try table.write(id, $0) }
            #expect(count == 100)
            let sent = table.nextChunk(limit: 5000)
            let frame = try #require(sent)
            let early = table.releaseIdleMemory(of: id)
            #expect(!early)
            table.handleAcked(frame)
            var bytes = [UInt8](repeating: 0, count: 200)
            let read = try bytes.withUnsafeMutableBytes { try table.read(id, into: $0) }
            #expect(read.count == 100)
            let released = table.releaseIdleMemory(of: id)
            #expect(released)
            try feed(&table, id, 100..<200)
        }
    }

    @Test func stopIsAnsweredByAReset() throws {
        var pair = TablePair(seed: 3, configuration: small)
        let id = try pair.client.open()
        _ = try pair.client.writeTestBytes(id, from: 0, count: 1500)
        for _ in 0..<20 { pair.step() }
        #expect(pair.server.accept() == id)
        try pair.server.stop(id, code: 77)
        try pair.server.reset(id, code: 78)
        var events: [StreamEvent] = []
        for _ in 0..<200 {
            pair.step()
            while let event = pair.client.nextEvent() { events.append(event) }
        }
        #expect(pair.failure == nil)
        #expect(events == [.stopped(id, code: 77), .reset(id, code: 78)])
        #expect(pair.client.count == 0 && pair.server.count == 0)
        #expect(pair.server.flow.consumed == pair.server.flow.received)
    }

    @Test func roomIsAnnouncedAfterAShortWrite() throws {
        var pair = TablePair(seed: 4, configuration: small)
        let id = try pair.client.open()
        #expect(try pair.client.writeTestBytes(id, from: 0, count: 4000) == 3000)
        var events: [StreamEvent] = []
        for _ in 0..<100 {
            pair.step()
            while let event = pair.client.nextEvent() { events.append(event) }
        }
        #expect(events == [.writable(id)])
    }

    /// 1,000 streams whose readers have stopped hold 96 MB instead of 524, half a megabyte each; when
    /// they are read again, writers are told that there is room, and in the end nothing is held.
    @Test func stoppedReadersBoundTheMemory() throws {
        var table = StreamTable(isServer: false)
        let window: UInt64 = 65_536
        table.handlePeerLimits(
            PeerStreamLimits(
                maxData: .max, maxStreamData: window, maxBidirectional: 1000, maxUnidirectional: 0))
        let piece = [UInt8](repeating: 7, count: 65_536)
        let ids = try (0..<1000).map { _ in try table.open() }
        var sizes: [Int] = []
        for id in ids {
            var size = 0
            while case let count = try piece.withUnsafeBytes({ try table.write(id, $0) }), count > 0
            {
                size += count
            }
            sizes.append(size)
        }
        // The 129th crosses the limit with its first piece.
        #expect(sizes[..<128].allSatisfy { $0 == 524_288 } && sizes[128] == 65_536)
        #expect(sizes[129...].allSatisfy { $0 == 32_768 })
        let held = table.heldBytes
        #expect(held == sizes.reduce(0, +))
        // What the windows allow is delivered; writers of the others add nothing but that.
        var told = Set<StreamID>()
        func deliver(_ table: inout StreamTable) throws {
            while let frame = table.nextChunk(limit: 16_384) { table.handleAcked(frame) }
            while let event = table.nextEvent() {
                guard case .writable(let id) = event else { continue }
                told.insert(id)
                // Those that are finished take no more.
                guard let room = try? table.room(of: id) else { continue }
                _ = try piece.withUnsafeBytes {
                    try table.write(
                        id, UnsafeRawBufferPointer(rebasing: $0[..<min(room, $0.count)]))
                }
            }
        }
        for _ in 0..<4 { try deliver(&table) }
        let later = table.heldBytes
        #expect(later <= held)
        #expect(told.isSuperset(of: ids[129...]))
        table.freeIdleMemory(now: .zero)
        let most = ids[129...].map { table.slot($0)?.send.memoryBytes ?? .max }.max()
        #expect(most == 65_536)
        for id in ids {
            try table.handleMaxStreamData(id, 1 << 30)
            try table.finish(id)
        }
        for _ in 0..<40 { try deliver(&table) }
        let left = table.heldBytes
        #expect(left == 0)
    }

    @Test func arbitraryFramesNeverTrap() {
        var random = SeededGenerator(seed: 99)
        for _ in 0..<300 {
            var table = StreamTable(isServer: Bool.random(using: &random), configuration: small)
            table.handleMaxStreams(3, isUnidirectional: false)
            _ = try? table.open()
            for _ in 0..<100 {
                let id = StreamID(rawValue: number(&random))
                let value = number(&random)
                switch Int.random(in: 0..<9, using: &random) {
                case 0...3:
                    let lower = min(value, .max - 100)
                    _ = try? feed(&table, id, lower..<lower + value % 100, offset: value)
                case 4: try? table.handleReset(id, StreamReset(code: value, finalSize: value))
                case 5: try? table.handleStopSending(id, code: value)
                case 6: try? table.handleMaxStreamData(id, value)
                case 7: table.handleMaxData(value)
                default:
                    table.handleMaxStreams(value, isUnidirectional: Bool.random(using: &random))
                    let chunk = StreamChunk(offset: value, length: .max, isFinal: true)
                    table.handleAcked(StreamFrame(id: id, chunk: chunk))
                    table.handleLost(StreamFrame(id: id, chunk: chunk))
                }
                _ = table.nextChunk(limit: 100)
                _ = table.nextControl(now: .zero, rtt: .milliseconds(1))
                _ = table.nextEvent()
            }
            #expect(table.count <= 8)
            #expect(table.flow.received <= table.flow.maxData)
        }
    }

    private func number(_ random: inout SeededGenerator) -> UInt64 {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: .max - UInt64.random(in: 0..<20, using: &random)
        case 1: random.next()
        default: UInt64.random(in: 0..<24, using: &random)
        }
    }

    private func feed(
        _ table: inout StreamTable, _ id: StreamID, _ range: Range<UInt64>, offset: UInt64? = nil
    ) throws {
        let bytes = [UInt8](repeating: 7, count: range.count)
        try bytes.span.withUnsafeBytes { data throws(StreamError) in
            _ = try table.handleStream(
                id, offset: offset ?? range.lowerBound, data: data, isFinal: false)
        }
    }
}
