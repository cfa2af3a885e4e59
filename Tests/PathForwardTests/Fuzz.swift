import Glibc
import PathTelemetry

/// Seeded malformed inputs for the parsers of this room.
enum Fuzz {
    /// Inputs of one test: few in the normal run, PATHWISE_FUZZ of them when it is set.
    static func count(_ usual: Int) -> Int {
        guard let text = getenv("PATHWISE_FUZZ"), let count = Int(String(cString: text)) else {
            return usual
        }
        return max(1, count)
    }

    static func random(_ generator: inout SeededGenerator, below bound: Int) -> Int {
        Int(truncatingIfNeeded: generator.next() % UInt64(max(1, bound)))
    }

    /// Changes some bytes, cuts the end off, or inserts bytes.
    static func mutate(_ input: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = input
        for _ in 0..<random(&generator, below: 4) {
            guard !bytes.isEmpty else { return bytes }
            let at = random(&generator, below: bytes.count)
            switch random(&generator, below: 5) {
            case 0: bytes[at] ^= 1 << UInt8(random(&generator, below: 8))
            case 1: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
            case 2: bytes.removeLast(min(bytes.count, 1 + random(&generator, below: 8)))
            case 3: bytes.remove(at: at)
            default: bytes.insert(UInt8(truncatingIfNeeded: generator.next()), at: at)
            }
        }
        return bytes
    }
}
