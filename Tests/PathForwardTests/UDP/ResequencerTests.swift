import PathTelemetry
import Testing

@testable import PathForward

/// Order of datagrams, in virtual time.
struct ResequencerTests {
    /// Takes a datagram as a flow does; returns what is handed over.
    private func take(
        _ sequence: UInt64, at milliseconds: Int64, bytes: Int = 10,
        _ resequencer: inout Resequencer<UInt64>
    ) -> [UInt64] {
        let now = Instant.zero + .milliseconds(milliseconds)
        var out: [UInt64] = []
        switch resequencer.accept(sequence) {
        case .inOrder, .late: out.append(sequence)
        case .early: resequencer.hold(sequence, bytes: bytes, sequence: sequence, now: now)
        }
        return out + release(at: milliseconds, &resequencer)
    }

    private func release(
        at milliseconds: Int64, _ resequencer: inout Resequencer<UInt64>
    ) -> [UInt64] {
        var out: [UInt64] = []
        while let item = resequencer.popReady(now: .zero + .milliseconds(milliseconds)) {
            out.append(item)
        }
        return out
    }

    @Test func predecessorReleasesItsSuccessors() {
        var resequencer = Resequencer<UInt64>(patience: .milliseconds(50))
        #expect(take(0, at: 0, &resequencer) == [0])
        #expect(take(3, at: 1, &resequencer) == [])
        #expect(take(2, at: 2, &resequencer) == [])
        #expect(resequencer.count == 2 && resequencer.heldBytes == 20)
        #expect(take(1, at: 3, &resequencer) == [1, 2, 3])
        #expect(resequencer.count == 0 && resequencer.heldBytes == 0)
        #expect(resequencer.due == .distantFuture)
    }

    @Test func nothingIsHeldLongerThanItsTime() {
        var resequencer = Resequencer<UInt64>(patience: .milliseconds(50))
        #expect(take(2, at: 10, &resequencer) == [])
        #expect(take(1, at: 30, &resequencer) == [])
        #expect(resequencer.due == .zero + .milliseconds(60))
        #expect(release(at: 59, &resequencer) == [])
        // What comes before the one that has waited long enough goes with it, in order.
        #expect(release(at: 60, &resequencer) == [1, 2])
        // Number 0 comes after its successors, and is handed over at once.
        #expect(resequencer.accept(0) == .late)
        #expect(take(3, at: 61, &resequencer) == [3])
    }

    @Test func countAndBytesAreBounded() {
        var resequencer = Resequencer<UInt64>(patience: .seconds(10))
        var out: [UInt64] = []
        for sequence in 1...1000 as ClosedRange<UInt64> {
            out += take(sequence, at: 0, &resequencer)
            #expect(resequencer.count <= 256)
        }
        // The first overflow gives 0 up; from then on all are in order.
        #expect(out == Array(1...1000))
        var large = Resequencer<UInt64>(patience: .seconds(10))
        for sequence in 1...40 as ClosedRange<UInt64> {
            _ = take(2 * sequence, at: 0, bytes: 65_000, &large)
            #expect(large.heldBytes <= 1 << 20)
        }
    }

    @Test func anyNumberIsTaken() {
        var resequencer = Resequencer<UInt64>(patience: .milliseconds(5))
        #expect(take(.max, at: 0, &resequencer) == [])
        #expect(take(1 << 61, at: 0, &resequencer) == [])
        #expect(release(at: 5, &resequencer) == [1 << 61, .max])
        #expect(take(.max, at: 6, &resequencer) == [.max])
        #expect(take(7, at: 6, &resequencer) == [7])
    }

    /// Random delays: each datagram is handed over once, none is held longer than its time, and
    /// with delays below it all are in order.
    @Test(arguments: 0..<20)
    func randomDelays(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let patience: Int64 = 40
        let spread = seed % 2 == 0 ? patience - 1 : 3 * patience
        var arrivals = (0..<400 as Range<Int64>).map { number in
            (UInt64(number), number + Int64(random.next() % UInt64(spread)))
        }
        arrivals.sort { ($0.1, $0.0) < ($1.1, $1.0) }
        var resequencer = Resequencer<UInt64>(patience: .milliseconds(patience))
        var out: [UInt64] = []
        var came: [UInt64: Int64] = [:]
        var next = 0
        for time in 0..<(500 + spread + patience) {
            var fresh = release(at: time, &resequencer)
            while next < arrivals.count, arrivals[next].1 <= time {
                came[arrivals[next].0] = time
                fresh += take(arrivals[next].0, at: time, &resequencer)
                next += 1
            }
            for number in fresh { #expect(time - (came[number] ?? -1000) <= patience) }
            out += fresh
        }
        #expect(out.count == 400 && Set(out).count == 400, "seed \(seed)")
        if seed % 2 == 0 { #expect(out == out.sorted(), "seed \(seed)") }
    }
}
