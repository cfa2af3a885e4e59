import Glibc

@testable import PathTelemetry

/// Mutants of a text: bytes, words and lines are changed, repeated, moved and left out.
struct TextMutator {
    /// Words that are difficult for parsers, and words of the format.
    let words: [String]
    var generator: SeededGenerator

    private static let numbers = [
        "0", "-0", "1", "-1", "0.5", "1e308", "-1e308", "1e309", "nan", "inf", "-inf", "1e-320",
        "9223372036854775807", "9223372036854775808", "18446744073709551616",
        "-9223372036854775808",
        "4294967296", "0x10", "1_000", "٣", "1e", "+", "0.1.2", "1.7976931348623157e308",
        "00000000000000000000000000000000000000000001", "3e38", "1e18", "1e15", "65536", "1e9",
    ]

    init(words: [String], seed: UInt64) {
        self.words = words
        generator = SeededGenerator(seed: seed)
    }

    /// A mutant, which depends only on the generator.
    mutating func mutant(of original: String) -> [UInt8] {
        var bytes = Array(original.utf8)
        for _ in 0...generator.below(4) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let at = generator.below(bytes.count + 1)
        switch generator.below(12) {
        case 0 where !bytes.isEmpty:
            bytes[min(at, bytes.count - 1)] ^= 1 << UInt8(generator.below(8))
        case 1 where !bytes.isEmpty:
            bytes[min(at, bytes.count - 1)] = UInt8(truncatingIfNeeded: generator.next())
        case 2: bytes.insert(contentsOf: Array(words[generator.below(words.count)].utf8), at: at)
        case 3:
            let number = Self.numbers[generator.below(Self.numbers.count)]
            bytes.insert(contentsOf: Array(number.utf8), at: at)
        case 4: bytes.removeSubrange(at..<min(bytes.count, at + generator.below(12)))
        case 5: replaceNumber(&bytes, from: at)
        case 6:
            let end = min(bytes.count, at + generator.below(200))
            bytes.insert(contentsOf: Array(bytes[at..<end]), at: generator.below(bytes.count + 1))
        case 7 where generator.below(8) == 0: bytes.removeSubrange(at...)
        case 8 where generator.below(32) == 0:
            // Repeats one unit many times.
            let unit = Array(words[generator.below(words.count)].utf8)
            let count = (1 << generator.below(17)) / max(1, unit.count)
            bytes.insert(contentsOf: repeatElement(unit, count: count).joined(), at: at)
        case 9: bytes.insert(contentsOf: [0xef, 0xbb, 0xbf], at: generator.below(2) == 0 ? 0 : at)
        case 10:
            bytes.insert([0x0a, 0x0d, 0x00, 0x20, 0x09, 0x2c, 0xff][generator.below(7)], at: at)
        default:
            let line = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
            guard line.count > 1 else { return }
            var lines = line.map(Array.init)
            lines.swapAt(generator.below(lines.count), generator.below(lines.count))
            bytes = Array(lines.joined(separator: [0x0a]))
        }
    }

    /// Replaces the next number by another.
    private mutating func replaceNumber(_ bytes: inout [UInt8], from at: Int) {
        let isPart: (UInt8) -> Bool = { (0x30...0x39).contains($0) || $0 == 0x2e }
        guard let first = bytes[at...].firstIndex(where: isPart) else { return }
        let end = bytes[first...].firstIndex { !isPart($0) } ?? bytes.count
        let number = Self.numbers[generator.below(Self.numbers.count)]
        bytes.replaceSubrange(first..<end, with: Array(number.utf8))
    }
}
