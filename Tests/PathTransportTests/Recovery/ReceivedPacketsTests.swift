import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct ReceivedPacketsTests {
    private func record(
        _ received: inout ReceivedPackets, _ number: UInt64, at milliseconds: Int64 = 0,
        atOnce: Bool = false
    ) {
        let time = Instant.zero + .milliseconds(milliseconds)
        received.record(
            number, isAckEliciting: true, stamp: UInt64(milliseconds) * 1000, receivedAt: time,
            now: time, wantsAckAtOnce: atOnce)
    }

    private func ranges(_ received: borrowing ReceivedPackets) -> [ClosedRange<UInt64>] {
        guard let frame = received.ackFrame(path: PathID(0), now: .zero) else { return [] }
        return (0..<frame.rangeCount).map { frame.range($0).first...frame.range($0).last }
    }

    /// Against a set: each number is taken once, and none that is 8,128 below the largest.
    @Test(arguments: Array(UInt64(1)...10))
    func replayWindowAgreesWithASet(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var received = ReceivedPackets()
        var seen: Set<UInt64> = []
        var largest: UInt64 = 0
        for _ in 0..<20_000 {
            // Mostly forwards, some far behind, now and then a jump beyond the whole window.
            let kind = generator.uniform()
            let number: UInt64 =
                kind < 0.7
                ? largest + UInt64(generator.uniform() * 4)
                : kind < 0.99
                    ? largest - min(largest, UInt64(generator.uniform() * 9000))
                    : largest + UInt64(generator.uniform() * 20_000)
            let isTooOld = !seen.isEmpty && number < largest && largest - number >= 8128
            let expected = !seen.contains(number) && !isTooOld
            #expect(received.isNew(number) == expected)
            guard expected else { continue }
            record(&received, number)
            seen.insert(number)
            largest = max(largest, number)
        }
        #expect(received.largest == largest)
    }

    @Test func rangesJoinWhenGapsAreFilled() {
        var received = ReceivedPackets()
        for number: UInt64 in [0, 1, 5, 3, 7] { record(&received, number) }
        #expect(ranges(received) == [7...7, 5...5, 3...3, 0...1])
        record(&received, 2)
        #expect(ranges(received) == [7...7, 5...5, 0...3])
        record(&received, 6)
        record(&received, 4)
        #expect(ranges(received) == [0...7])
    }

    /// Any order of arrival gives the ranges of the set, as far as they are kept.
    @Test(arguments: Array(UInt64(1)...10))
    func rangesAgreeWithASet(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var received = ReceivedPackets()
        var seen: Set<UInt64> = []
        for _ in 0..<300 {
            let number = UInt64(generator.uniform() * 60)
            guard received.isNew(number) else { continue }
            record(&received, number)
            seen.insert(number)
            var expected: [ClosedRange<UInt64>] = []
            for number in seen.sorted() {
                if let last = expected.last, last.upperBound + 1 == number {
                    expected[expected.count - 1] = last.lowerBound...number
                } else {
                    expected.append(number...number)
                }
            }
            #expect(ranges(received) == expected.reversed())
        }
    }

    // RFC 9000, section 13.2.1.
    @Test func acknowledgesEverySecondPacketAndDisorderAtOnce() {
        var received = ReceivedPackets()
        record(&received, 0, at: 10)
        #expect(received.ackDueAt == .zero + .milliseconds(15))
        record(&received, 1, at: 11)
        #expect(received.ackDueAt == .zero + .milliseconds(11))
        received.didAcknowledge(on: 0)
        #expect(!received.owesAck && received.ackDueAt == .distantFuture)
        record(&received, 3, at: 20)
        #expect(received.ackDueAt == .zero + .milliseconds(20), "a gap is told at once")
        received.didAcknowledge(on: 0)
        record(&received, 4, at: 30, atOnce: true)
        #expect(received.ackDueAt == .zero + .milliseconds(30))
    }

    @Test func whatThePeerKnowsIsNotRepeatedButNewsBelowIt() {
        var received = ReceivedPackets()
        for number: UInt64 in [0, 2, 4] { record(&received, number) }
        received.didAcknowledge(on: 0)
        record(&received, 1)
        received.forget(upTo: 4)
        #expect(ranges(received) == [4...4, 0...2], "1 arrived after the acknowledgement")
        received.didAcknowledge(on: 0)
        received.forget(upTo: 4)
        #expect(ranges(received) == [4...4])
    }

    /// The newest run of stamps leads; a packet between two stamps has that of its own run.
    @Test func stampsNameTheArrival() throws {
        var received = ReceivedPackets()
        for number in UInt64(0)..<4 { record(&received, number, at: Int64(number) * 10) }
        guard let frame = received.ackFrame(path: PathID(0), now: .zero) else {
            Issue.record("no acknowledgement")
            return
        }
        for number in UInt64(0)..<4 {
            #expect(frame.receiveTime(of: number) == number * 10_000)
        }
    }

    /// What was acknowledged on a path that may have failed is news on another, once, with its stamps.
    @Test func aRepetitionHasTheStampsOfTheOneBefore() {
        var received = ReceivedPackets()
        for number in UInt64(0)..<4 { record(&received, number, at: Int64(number) * 10) }
        #expect(news(received) == [], "nothing was acknowledged yet")
        received.didAcknowledge(on: 0)
        #expect(news(received) == [1])
        let usual = stamps(received, isRepetition: false)
        let repeated = stamps(received, isRepetition: true)
        #expect(usual == [30_000], "only the base of the next ones")
        #expect(repeated == [30_000, 20_000, 10_000, 0])
        received.didAcknowledge(on: 1)
        #expect(news(received) == [])
        record(&received, 4, at: 40)
        let next = stamps(received, isRepetition: false)
        #expect(next == [40_000, 30_000])
        #expect(news(received) == [], "the packet is not acknowledged yet")
    }

    /// The paths of two on which the latest acknowledgement is news.
    private func news(_ received: borrowing ReceivedPackets) -> [Int] {
        [0, 1].filter { received.isNews(on: $0) }
    }

    private func stamps(
        _ received: borrowing ReceivedPackets, isRepetition: Bool
    ) -> [UInt64]? {
        guard
            let frame = received.ackFrame(
                path: PathID(0), isRepetition: isRepetition, now: .zero)
        else { return nil }
        return (0..<frame.stampCount).map { frame.stamp($0).time }
    }

    /// What any order of arrival leads to can be written and read again, and begins with the largest
    /// packet: a peer chooses the numbers.
    @Test(arguments: Array(UInt64(1)...20))
    func anyOrderOfArrivalCanBeAcknowledged(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var received = ReceivedPackets()
        // Many gaps below a largest packet that the peer was told about, in every seed.
        record(&received, 1000, at: 1)
        received.didAcknowledge(on: 0)
        for number in stride(from: UInt64(998), to: 700, by: -2) {
            record(&received, number, at: 2)
            try expectSound(received, largest: 1000)
        }
        var largest: UInt64 = 1000
        for step in 0..<2000 {
            let far = UInt64(generator.uniform() * (step.isMultiple(of: 3) ? 400 : 6))
            let number = generator.uniform() < 0.5 ? largest + far : largest - min(far, largest)
            largest = max(largest, number)
            record(&received, number, at: Int64(step) / 4)
            if generator.uniform() < 0.1 { received.didAcknowledge(on: 0) }
            if generator.uniform() < 0.02 { received.forget(upTo: largest - min(200, largest)) }
            try expectSound(received, largest: largest)
        }
    }

    private func expectSound(_ received: borrowing ReceivedPackets, largest: UInt64) throws {
        guard let frame = received.ackFrame(path: PathID(3), now: .zero) else {
            Issue.record("no acknowledgement")
            return
        }
        #expect(frame.largest == largest)
        var read = AckFrame(path: PathID(0), delay: .zero)
        var memory = [UInt8](repeating: 0, count: frame.maximumLength)
        let length = memory.withUnsafeMutableBytes { bytes in
            var writer = ByteWriter(bytes)
            frame.write(to: &writer)
            return writer.overflowed ? 0 : writer.offset
        }
        #expect(length > 0)
        try memory.withUnsafeBytes { bytes throws in
            var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[1..<length]))
            try read.read(&reader)
        }
        #expect(read.rangeCount == frame.rangeCount && read.stampCount == frame.stampCount)
        for index in 0..<frame.rangeCount {
            #expect(read.range(index) == frame.range(index))
        }
    }

    /// An acknowledgement tells how many packets never came, also those below all its ranges.
    @Test func missingPacketsAreCounted() throws {
        var received = ReceivedPackets()
        for number: UInt64 in [0, 1, 4, 5, 9, 3] {
            received.record(
                number, isAckEliciting: true, stamp: number, receivedAt: .zero, now: .zero,
                wantsAckAtOnce: false)
        }
        received.didAcknowledge(on: 0)
        received.forget(upTo: 5)
        guard let frame = received.ackFrame(path: PathID(0), now: .zero) else {
            Issue.record("no acknowledgement")
            return
        }
        // 2, 6, 7 and 8.
        #expect(frame.missing == 4)
        #expect(frame.rangeCount == 1)
    }
}
