import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct ReceiveStreamTests {
    @Test func joinsPiecesInAnyOrder() throws {
        var stream = ReceiveStream(window: 1000, maximumWindow: 1000)
        #expect(try take(20..<30, &stream).readable == 0)
        #expect(stream.gapBytes == 20)
        #expect(stream.outOfOrderBytes == 10)
        #expect(try take(40..<50, &stream, isFinal: true).growth == 20)
        #expect(stream.gapBytes == 30)
        #expect(stream.outOfOrderRanges == 2)
        #expect(try take(0..<25, &stream) == .init(readable: 30, growth: 0, duplicate: 5))
        #expect(try take(28..<45, &stream) == .init(readable: 20, growth: 0, duplicate: 7))
        #expect(stream.duplicateBytes == 12)
        #expect(stream.gapBytes == 0)
        #expect(stream.isComplete == true)
        #expect(stream.isFinished == false)
        var buffer = [UInt8](repeating: 0, count: 100)
        #expect(buffer.withUnsafeMutableBytes { stream.read(into: $0) } == 50)
        #expect((0..<50).allSatisfy { buffer[$0] == testByte(UInt64($0)) })
        #expect(stream.isFinished == true)
        #expect(try take(10..<30, &stream) == .init(readable: 0, growth: 0, duplicate: 20))
    }

    @Test func pastTheWindowIsAnError() throws {
        var stream = ReceiveStream(window: 100, maximumWindow: 100)
        _ = try take(0..<100, &stream)
        #expect(throws: StreamError.flowControl(offset: 101, limit: 100)) {
            try take(100..<101, &stream)
        }
        #expect(stream.highestOffset == 100)
    }

    @Test func finalSizeCannotChange() throws {
        var stream = ReceiveStream(window: 1000, maximumWindow: 1000)
        _ = try take(0..<50, &stream)
        #expect(throws: StreamError.finalSize(offset: 40, finalSize: 50)) {
            try take(30..<40, &stream, isFinal: true)
        }
        _ = try take(60..<80, &stream, isFinal: true)
        #expect(throws: StreamError.finalSize(offset: 90, finalSize: 80)) {
            try take(70..<90, &stream)
        }
        #expect(throws: StreamError.finalSize(offset: 70, finalSize: 80)) {
            try take(60..<70, &stream, isFinal: true)
        }
        #expect(throws: StreamError.finalSize(offset: 70, finalSize: 80)) {
            try stream.handleReset(code: 1, finalSize: 70)
        }
        #expect(try take(50..<60, &stream).readable == 30)
        #expect(try take(80..<80, &stream, isFinal: true).readable == 0)
    }

    @Test func tooManyPiecesAreRefusedAndChangeNothing() throws {
        var stream = ReceiveStream(window: 1000, maximumWindow: 1000, rangeLimit: 3)
        for lower in [10, 20, 30] as [UInt64] { _ = try take(lower..<lower + 5, &stream) }
        #expect(throws: StreamError.tooManyRanges(limit: 3)) { try take(40..<45, &stream) }
        #expect(stream.highestOffset == 35)
        #expect(stream.outOfOrderBytes == 15)
        #expect(try take(0..<10, &stream).readable == 15)
        #expect(try take(40..<45, &stream).growth == 10)
    }

    @Test func windowGrowsWhenItIsWhatLimits() throws {
        var stream = ReceiveStream(window: 1000, maximumWindow: 4000)
        let rtt = TimeDelta.milliseconds(10)
        var now = Instant.zero
        var limits: [UInt64] = []
        var sizes: [UInt64] = []
        for step in 0..<4 {
            let upper = stream.maxData
            _ = try take(stream.highestOffset..<upper, &stream)
            #expect(stream.windowUpdate(now: now, rtt: rtt) == nil)
            _ = drain(&stream)
            now += step < 3 ? .milliseconds(15) : .milliseconds(25)
            limits.append(stream.windowUpdate(now: now, rtt: rtt) ?? 0)
            sizes.append(stream.windowSize)
            #expect(stream.windowUpdate(now: now, rtt: rtt) == nil)
        }
        #expect(sizes == [1000, 2000, 4000, 4000])
        #expect(limits == [2000, 4000, 8000, 12_000])
    }

    /// Bytes that wait for a slower path enlarge the window as soon as they use half of it, if the
    /// application keeps up and the window may grow.
    @Test(arguments: [
        (unread: UInt64(0), highest: UInt64(499), most: UInt64(4000), limit: UInt64?.none),
        (0, 500, 4000, 2000), (0, 1000, 4000, 2000), (125, 500, 4000, 2000), (126, 900, 4000, nil),
        (0, 900, 1500, 1500), (0, 900, 1000, nil),
    ])
    func windowGrowsWithWhatWaitsForASlowPath(
        unread: UInt64, highest: UInt64, most: UInt64, limit: UInt64?
    ) throws {
        var stream = ReceiveStream(window: 1000, maximumWindow: 4000)
        if unread > 0 { _ = try take(0..<unread, &stream) }
        _ = try take(highest - 1..<highest, &stream)
        let new = stream.windowUpdate(most: most, now: .zero, rtt: .milliseconds(10))
        #expect(new == limit)
        #expect(stream.maxData == limit ?? 1000)
    }

    /// A limit that many streams share is raised although unread bytes take most of it, so that those
    /// whose readers go on are never stuck.
    @Test(arguments: [0, 400_000, 800_000, 990_000] as [UInt64])
    func sharedLimitIsRaisedBesideUnreadBytes(parked: UInt64) throws {
        var flow = ConnectionFlowControl(window: 1_000_000, maximumWindow: 1_000_000)
        flow.handleReceived(parked)
        var sent = parked
        for _ in 0..<100 {
            let piece = min(flow.maxData - sent, 100_000)
            try #require(piece > 0, "stuck after \(sent)")
            try flow.check(growth: piece)
            flow.handleReceived(piece)
            flow.handleConsumed(piece)
            sent += piece
            _ = flow.windowUpdate(now: .zero, rtt: .milliseconds(10))
            #expect(flow.maxData - flow.consumed <= 1_000_000)
        }
        // No piece is less than half of what the parked bytes leave.
        #expect(sent - parked >= 50 * min(1_000_000 - parked, 100_000))
    }

    @Test func noUpdateAfterTheEndIsKnown() throws {
        var stream = ReceiveStream(window: 100, maximumWindow: 100)
        _ = try take(0..<100, &stream, isFinal: true)
        _ = drain(&stream)
        #expect(stream.windowUpdate(now: .zero, rtt: .milliseconds(1)) == nil)
    }

    @Test func resetDiscardsAndCountsWhatWasNotSent() throws {
        var stream = ReceiveStream(window: 1000, maximumWindow: 1000)
        _ = try take(0..<50, &stream)
        #expect(try stream.handleReset(code: 9, finalSize: 300) == 250)
        #expect(stream.resetCode == 9)
        #expect(stream.readableBytes == 0)
        #expect(stream.memoryBytes == 0)
        #expect(try stream.handleReset(code: 8, finalSize: 300) == 0)
        #expect(stream.resetCode == 9)
        #expect(try take(50..<90, &stream) == .init(readable: 0, growth: 0, duplicate: 0))
    }

    @Test func stopDiscardsWhatComes() throws {
        var stream = ReceiveStream(window: 1000, maximumWindow: 1000)
        _ = try take(0..<50, &stream)
        _ = try take(60..<80, &stream)
        #expect(stream.stop() == 80)
        #expect(stream.stop() == 0)
        #expect(try take(80..<100, &stream, isFinal: true).growth == 20)
        #expect(stream.isFinished == true)
        #expect(stream.memoryBytes == 0)
    }

    /// Arbitrary offsets, ends and calls never trap, and the window bounds what is held.
    @Test(arguments: 0..<8)
    func arbitraryInputNeverTraps(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        for history in 0..<40 {
            let window = UInt64.random(in: 1..<200_000, using: &random)
            var stream = ReceiveStream(window: window, maximumWindow: window * 2, rangeLimit: 50)
            var now = Instant.zero
            var holds = true
            for _ in 0..<250 {
                let length = Int.random(in: 0..<1500, using: &random)
                let bytes = [UInt8](repeating: 1, count: length)
                let base: UInt64 = [
                    stream.contiguousOffset, stream.maxData, .max, 1 << 62, 0,
                ][Int.random(in: 0..<5, using: &random)]
                let shift = UInt64.random(in: 0..<6000, using: &random)
                let offset = Bool.random(using: &random) ? base &- shift : base &+ shift
                let isFinal = Int.random(in: 0..<200, using: &random) == 0
                let before = stream.highestOffset
                let growth = stream.growth(offset: offset, length: length)
                do {
                    let progress = try bytes.span.withUnsafeBytes { bytes throws(StreamError) in
                        try stream.handle(offset: offset, data: bytes, isFinal: isFinal)
                    }
                    holds = holds && progress.growth == growth
                    holds = holds && stream.highestOffset == before + growth
                } catch {
                    holds = holds && stream.highestOffset == before
                    holds = holds && !error.description.isEmpty
                }
                if Int.random(in: 0..<300, using: &random) == 0 {
                    _ = try? stream.handleReset(code: 0, finalSize: offset)
                }
                if Int.random(in: 0..<10, using: &random) == 0 { _ = drain(&stream) }
                now += .milliseconds(5)
                _ = stream.windowUpdate(now: now, rtt: .milliseconds(10))
                holds = holds && stream.highestOffset - stream.readOffset <= stream.windowSize
                holds = holds && stream.outOfOrderRanges <= 50
                holds = holds && stream.memoryBytes <= 524_288
                holds =
                    holds
                    && stream.highestOffset - stream.contiguousOffset == stream.gapBytes
                        + stream.outOfOrderBytes
            }
            #expect(holds, "seed \(seed), history \(history)")
        }
    }

    @discardableResult
    private func take(
        _ range: Range<UInt64>, _ stream: inout ReceiveStream, isFinal: Bool = false
    ) throws(StreamError) -> ReceiveProgress {
        let bytes = range.map { testByte($0) }
        return try bytes.span.withUnsafeBytes { buffer throws(StreamError) in
            try stream.handle(offset: range.lowerBound, data: buffer, isFinal: isFinal)
        }
    }

    private func drain(_ stream: inout ReceiveStream) -> Int {
        var buffer = [UInt8](repeating: 0, count: stream.readableBytes)
        return buffer.withUnsafeMutableBytes { stream.read(into: $0) }
    }
}
