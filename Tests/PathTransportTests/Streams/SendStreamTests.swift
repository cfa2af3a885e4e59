import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct SendStreamTests {
    @Test(arguments: 0..<12)
    func receiverReadsExactlyWhatWasWritten(batch: Int) {
        for seed in UInt64(batch * 50)..<UInt64(batch * 50 + 50) {
            var history = StreamHistory(seed: seed)
            history.run()
            #expect(history.failure == nil, "seed \(seed) after \(history.steps) steps")
        }
    }

    @Test func newDataStopsAtThePeersLimit() {
        var stream = SendStream(capacity: 10_000, maxData: 100)
        #expect(write(300, to: &stream) == 300)
        #expect(stream.peekNewBytes == 100)
        #expect(stream.nextChunk(limit: 60) == StreamChunk(offset: 0, length: 60, isFinal: false))
        #expect(stream.nextChunk(limit: 60) == StreamChunk(offset: 60, length: 40, isFinal: false))
        #expect(stream.nextChunk(limit: 60) == nil)
        #expect(stream.isBlocked == true)
        #expect(stream.hasNew == false)
        stream.handleMaxData(50)
        #expect(stream.maxData == 100)
        stream.handleMaxData(150)
        #expect(stream.isBlocked == false)
        #expect(
            stream.nextChunk(limit: 60, credit: 30)
                == StreamChunk(offset: 100, length: 30, isFinal: false))
        #expect(stream.nextChunk(limit: 60)?.length == 20)
    }

    @Test func capacityBoundsWhatIsTaken() {
        var stream = SendStream(capacity: 100, maxData: 1000)
        #expect(write(150, to: &stream) == 100)
        #expect(stream.writableBytes() == 0)
        _ = stream.nextChunk(limit: 1000)
        stream.handleAcked(offset: 10, length: 20, isFinal: false)
        #expect(stream.writableBytes() == 0)
        stream.handleAcked(offset: 0, length: 10, isFinal: false)
        #expect(stream.firstUnackedOffset == 30)
        #expect(stream.writableBytes() == 30)
    }

    @Test func lossQueuesOnlyWhatIsNotAcknowledged() {
        var stream = SendStream(capacity: 10_000, maxData: 10_000)
        _ = write(1000, to: &stream)
        _ = stream.nextChunk(limit: 1000)
        stream.handleAcked(offset: 200, length: 100, isFinal: false)
        stream.handleLost(offset: 100, length: 400, isFinal: false)
        stream.handleLost(offset: 100, length: 400, isFinal: false)
        #expect(stream.retransmissionBytes == 300)
        stream.handleAcked(offset: 400, length: 50, isFinal: false)
        #expect(
            stream.nextChunk(limit: 1000)
                == StreamChunk(offset: 100, length: 100, isFinal: false, isRetransmission: true))
        #expect(stream.nextRetransmission(limit: 1000)?.range == 300..<400)
        #expect(stream.nextRetransmission(limit: 1000)?.range == 450..<500)
        #expect(stream.nextRetransmission(limit: 1000) == nil)
        #expect(stream.retransmittedBytes == 250)
    }

    @Test func lostEndIsSentAgain() {
        var stream = SendStream(capacity: 1000, maxData: 1000)
        _ = write(10, to: &stream)
        stream.finish()
        let chunk = stream.nextChunk(limit: 100)
        #expect(chunk == StreamChunk(offset: 0, length: 10, isFinal: true))
        stream.handleLost(offset: 0, length: 10, isFinal: true)
        stream.handleAcked(offset: 0, length: 10, isFinal: false)
        #expect(stream.isFullyAcknowledged == false)
        #expect(stream.hasRetransmissions == true)
        #expect(
            stream.nextChunk(limit: 0)
                == StreamChunk(offset: 10, length: 0, isFinal: true, isRetransmission: true))
        #expect(stream.nextChunk(limit: 100) == nil)
        stream.handleAcked(offset: 10, length: 0, isFinal: true)
        #expect(stream.isFullyAcknowledged == true)
        stream.handleLost(offset: 10, length: 0, isFinal: true)
        #expect(stream.hasRetransmissions == false)
        #expect(stream.isFullyAcknowledged == true)
    }

    @Test func emptyStreamIsItsEndAlone() {
        var stream = SendStream(capacity: 1000, maxData: 0)
        #expect(stream.hasNew == false)
        stream.finish()
        #expect(stream.hasNew == true)
        #expect(
            stream.nextChunk(limit: 0, credit: 0)
                == StreamChunk(offset: 0, length: 0, isFinal: true))
        #expect(stream.hasNew == false)
        stream.handleLost(offset: 0, length: 0, isFinal: true)
        #expect(stream.nextRetransmission(limit: 5)?.isFinal == true)
        stream.handleAcked(offset: 0, length: 0, isFinal: true)
        #expect(stream.isFullyAcknowledged == true)
    }

    @Test func endAfterAllWasSentFollowsAlone() {
        var stream = SendStream(capacity: 1000, maxData: 1000)
        _ = write(10, to: &stream)
        #expect(stream.nextChunk(limit: 100)?.isFinal == false)
        stream.finish()
        #expect(write(10, to: &stream) == 0)
        #expect(stream.nextChunk(limit: 100) == StreamChunk(offset: 10, length: 0, isFinal: true))
    }

    @Test func bytesGoneAreNotCopied() {
        var stream = SendStream(capacity: 1000, maxData: 1000)
        _ = write(100, to: &stream)
        guard let chunk = stream.nextChunk(limit: 100) else {
            Issue.record("no chunk")
            return
        }
        stream.handleAcked(offset: 0, length: 40, isFinal: false)
        stream.handleAcked(offset: 60, length: 10, isFinal: false)
        var buffer = [UInt8](repeating: 0, count: 100)
        #expect(buffer.withUnsafeMutableBytes { stream.copy(chunk, into: $0) } == false)
        let rest = stream.unacknowledged(chunk)
        #expect(rest?.range == 40..<60)
        if let rest {
            #expect(buffer.withUnsafeMutableBytes { stream.copy(rest, into: $0) } == true)
            #expect(buffer[0] == testByte(40))
            #expect(buffer[19] == testByte(59))
        }
        stream.handleAcked(offset: 0, length: 100, isFinal: false)
        #expect(stream.unacknowledged(chunk) == nil)
    }

    @Test func resetGivesUpTheBytesAndKeepsTheSizeSent() {
        var stream = SendStream(capacity: 1000, maxData: 1000)
        _ = write(100, to: &stream)
        _ = stream.nextChunk(limit: 70)
        stream.handleLost(offset: 0, length: 70, isFinal: false)
        stream.reset(code: 7)
        #expect(stream.pendingReset == StreamReset(code: 7, finalSize: 70))
        #expect(stream.nextChunk(limit: 100) == nil)
        #expect(stream.hasNew == false)
        #expect(stream.hasRetransmissions == false)
        #expect(stream.memoryBytes == 0)
        stream.handleResetSent()
        #expect(stream.pendingReset == nil)
        stream.handleResetLost()
        #expect(stream.pendingReset != nil)
        stream.handleResetSent()
        stream.handleResetAcked()
        stream.handleResetLost()
        #expect(stream.pendingReset == nil)
        #expect(stream.isDone == true)
        #expect(stream.isFullyAcknowledged == false)
    }

    @Test func acknowledgementsOutsideWhatWasSentAreHarmless() {
        var random = SeededGenerator(seed: 11)
        var stream = SendStream(capacity: 1000, maxData: 1000)
        _ = write(500, to: &stream)
        _ = stream.nextChunk(limit: 300)
        for _ in 0..<2000 {
            let offset = random.next() &>> UInt64.random(in: 0..<64, using: &random)
            let length = Int(truncatingIfNeeded: random.next() &>> 1)
            stream.handleLost(offset: offset, length: length, isFinal: false)
        }
        #expect(stream.retransmissionBytes <= 300)
        stream.handleAcked(offset: 250, length: .max, isFinal: false)
        stream.handleAcked(offset: .max, length: .max, isFinal: true)
        #expect(stream.firstUnackedOffset == 0)
        #expect(stream.isFullyAcknowledged == false)
        stream.handleAcked(offset: 0, length: .max, isFinal: false)
        #expect(stream.firstUnackedOffset == 300)
    }

    private func write(_ count: Int, to stream: inout SendStream) -> Int {
        let first = stream.writtenOffset
        let bytes = (0..<UInt64(count)).map { testByte(first + $0) }
        return bytes.withUnsafeBytes { stream.write($0) }
    }
}
