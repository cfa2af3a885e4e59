import Glibc

@testable import PathTelemetry
@testable import PathTransport

/// Seeded malformed inputs for every parser.
enum Fuzz {
    /// Inputs of one test: few in the normal run, PATHWISE_FUZZ of them when it is set.
    static func count(_ usual: Int) -> Int {
        guard let text = getenv("PATHWISE_FUZZ"), let count = Int(String(cString: text)) else {
            return usual
        }
        return max(1, count)
    }

    /// How much a test's resident memory may grow, bytes.
    ///
    /// The normal run shares its process with all other tests, whose memory counts too; a long run
    /// is alone and has a tight limit.
    static let memoryLimit = getenv("PATHWISE_FUZZ") == nil ? 1 << 30 : 200 << 20

    /// Resident memory, bytes.
    static var residentBytes: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var total = 0
        var resident = 0
        guard
            withUnsafeMutablePointer(
                to: &total,
                { first in
                    withUnsafeMutablePointer(to: &resident) { second in
                        withVaList([first, second]) { vfscanf(file, "%ld %ld", $0) }
                    }
                }) == 2
        else { return 0 }
        return resident * 4096
    }

    static func random(_ generator: inout SeededGenerator, below bound: Int) -> Int {
        Int(truncatingIfNeeded: generator.next() % UInt64(max(1, bound)))
    }

    /// Mostly small, often at a border, sometimes anything.
    static func number(_ generator: inout SeededGenerator) -> UInt64 {
        let bits = generator.next()
        switch bits & 7 {
        case 0, 1, 2: return (bits >> 8) & 7
        case 3: return (bits >> 8) & 0xfff
        case 4: return 1 << ((bits >> 8) % 62)
        case 5: return (1 << ((bits >> 8) % 62)) - 1
        case 6: return (bits >> 8) & 0xf_ffff
        default: return bits >> 2
        }
    }

    static func bytes(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        var index = 0
        while index < count {
            var word = generator.next()
            for _ in 0..<min(8, count - index) {
                result[index] = UInt8(truncatingIfNeeded: word)
                word >>= 8
                index += 1
            }
        }
        return result
    }

    /// Changes some bytes, cuts the end off, or doubles a part.
    static func mutate(_ input: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = input
        for _ in 0..<1 + random(&generator, below: 3) {
            guard !bytes.isEmpty else { return bytes }
            let at = random(&generator, below: bytes.count)
            switch random(&generator, below: 6) {
            case 0: bytes[at] ^= 1 << UInt8(random(&generator, below: 8))
            case 1: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
            case 2:
                let borders: [8 of UInt8] = [0, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff]
                bytes[at] = borders[Int(generator.next() & 7)]
            case 3: bytes.removeLast(min(bytes.count, 1 + random(&generator, below: 16)))
            case 4: bytes.remove(at: at)
            default: bytes.insert(UInt8(truncatingIfNeeded: generator.next()), at: at)
            }
        }
        return bytes
    }

    /// A payload of frames whose fields are in the right places but hold anything.
    static func frames(_ generator: inout SeededGenerator) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 1400) { memory, count in
            var writer = ByteWriter(UnsafeMutableRawBufferPointer(memory))
            for _ in 0..<1 + random(&generator, below: 4) {
                appendFrame(&writer, &generator)
            }
            count = writer.offset
        }
    }

    private static func appendFrame(_ writer: inout ByteWriter, _ generator: inout SeededGenerator)
    {
        let kinds: [UInt8] = [
            0, 1, 2, 2, 2, 4, 5, 6, 7, 8, 9, 10, 10, 11, 12, 13, 14, 15, 0x10, 0x11, 0x12, 0x13,
            0x14, 0x15, 0x15, 0x16, 0x17, 0x18,
        ]
        let kind = kinds[random(&generator, below: kinds.count)]
        writer.byte(kind)
        switch kind {
        case FrameKind.ack:
            writer.byte(UInt8(random(&generator, below: 3)))
            for _ in 0..<2 { writer.varint(number(&generator)) }
            let ranges = random(&generator, below: 6)
            writer.varint(UInt64(ranges))
            for _ in 0..<1 + 2 * ranges { writer.varint(number(&generator)) }
            let stamps = random(&generator, below: 5)
            writer.varint(UInt64(stamps))
            for _ in 0..<2 * stamps { writer.varint(number(&generator)) }
        case 8...11:
            writer.varint(UInt64(random(&generator, below: 12)))
            writer.varint(number(&generator))
            let length = random(&generator, below: 40)
            if kind & 2 != 0 { writer.varint(UInt64(length)) }
            writer.bytes(bytes(length, &generator))
        case FrameKind.message:
            writer.varint(number(&generator))
            let total = number(&generator)
            writer.varint(total)
            writer.varint(generator.next() & 3 == 0 ? number(&generator) : 0)
            writer.varint(number(&generator))
            let length = min(total, UInt64(random(&generator, below: 40)))
            writer.varint(length)
            writer.bytes(bytes(Int(length), &generator))
        case FrameKind.pathChallenge, FrameKind.pathResponse: writer.uint64(generator.next())
        case PathFrame.Kind.status.rawValue:
            writer.byte(UInt8(random(&generator, below: 17)))
            writer.varint(number(&generator))
            writer.byte(UInt8(random(&generator, below: 4)))
        case PathFrame.Kind.name.rawValue:
            writer.byte(UInt8(random(&generator, below: 17)))
            writer.varint(number(&generator))
            let length = random(&generator, below: 300)
            writer.varint(UInt64(length))
            writer.bytes(bytes(Int(length), &generator))
        case FrameKind.close:
            writer.varint(number(&generator))
            writer.varint(3)
            writer.bytes([0xff, 0xfe, 0x41])
        case FrameKind.padding, FrameKind.ping: break
        default: for _ in 0..<3 { writer.varint(number(&generator)) }
        }
    }
}
