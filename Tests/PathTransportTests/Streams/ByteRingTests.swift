import PathTelemetry
import Testing

@testable import PathTransport

struct ByteRingTests {
    /// A ring keeps every byte through growing, shrinking and wrapping around.
    @Test(arguments: 1...4) func holdsWhatWasStored(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var ring = ByteRing(maximumCapacity: 1 << 20)
        var first: UInt64 = 0
        var end: UInt64 = 0
        var shrunk = 0
        for round in 0..<3000 {
            // Fills and drains in turn, so that both sizes are reached.
            let isFilling = (round / 100).isMultiple(of: 2)
            let wanted = Int.random(in: 0...(isFilling ? 30_000 : 3000), using: &random)
            let count = min(wanted, ring.maximumCapacity - Int(end - first))
            let bytes = (0..<count).map { ByteRingTests.byte(at: end + UInt64($0)) }
            let isKept = ring.reserve(Int(end - first) + count, keeping: first..<end)
            #expect(isKept)
            bytes.withUnsafeBytes { ring.store($0, at: end) }
            end += UInt64(count)
            let taken = Int.random(in: 0...(isFilling ? 3000 : 30_000), using: &random)
            first += UInt64(min(taken, Int(end - first)))
            let before = ring.capacity
            ring.shrink(keeping: first..<end)
            let after = ring.capacity
            #expect(after >= Int(end - first))
            if after < before { shrunk += 1 }
            guard round.isMultiple(of: 10) || after != before else { continue }
            var held = [UInt8](repeating: 0, count: Int(end - first))
            held.withUnsafeMutableBytes { ring.load(from: first, into: $0) }
            let isIntact = held.enumerated().allSatisfy {
                $0.element == ByteRingTests.byte(at: first + UInt64($0.offset))
            }
            #expect(isIntact)
        }
        #expect(shrunk > 5)
    }

    /// What an outage needed is given back while the stream goes on and is never empty.
    @Test func shrinksWhenNearlyEmpty() {
        var ring = ByteRing(maximumCapacity: 4 << 20)
        ring.reserve(4 << 20, keeping: 0..<0)
        var sizes: [Int] = []
        for held in [1 << 20, 100_000, 1, 0] {
            ring.shrink(keeping: 0..<UInt64(held))
            sizes.append(ring.capacity)
        }
        #expect(sizes == [4 << 20, 262_144, 65_536, 65_536])
    }

    private static func byte(at offset: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: (offset &* 2_654_435_761) >> 13)
    }
}
