/// XXH64 with the seed 0, by the specification of xxHash 0.1.1 (github.com/Cyan4973/xxHash,
/// doc/xxhash_spec.md); it hashes a few bytes per nanosecond.
///
/// It detects damaged bytes of a file and does not protect against forgery.
public enum XXHash64 {
    fileprivate static let prime1: UInt64 = 0x9e37_79b1_85eb_ca87
    fileprivate static let prime2: UInt64 = 0xc2b2_ae3d_27d4_eb4f
    private static let prime3: UInt64 = 0x1656_67b1_9e37_79f9
    private static let prime4: UInt64 = 0x85eb_ca77_c2b2_ae63
    private static let prime5: UInt64 = 0x27d4_eb2f_1656_67c5

    @inline(__always)
    fileprivate static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
        value &<< bits | value &>> (64 &- bits)
    }

    @inline(__always)
    private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
        rotate(lane &+ input &* prime2, 31) &* prime1
    }

    @inline(__always)
    private static func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 {
        (hash ^ round(0, lane)) &* prime1 &+ prime4
    }

    /// The hash of some bytes.
    public static func value(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var offset = 0
        var hash = prime5
        if bytes.count >= 32 {
            var lane1 = prime1 &+ prime2
            var lane2 = prime2
            var lane3: UInt64 = 0
            var lane4 = 0 &- prime1
            while offset &+ 32 <= bytes.count {
                lane1 = round(lane1, load(bytes, offset))
                lane2 = round(lane2, load(bytes, offset &+ 8))
                lane3 = round(lane3, load(bytes, offset &+ 16))
                lane4 = round(lane4, load(bytes, offset &+ 24))
                offset &+= 32
            }
            hash =
                rotate(lane1, 1) &+ rotate(lane2, 7) &+ rotate(lane3, 12) &+ rotate(lane4, 18)
            hash = merge(merge(merge(merge(hash, lane1), lane2), lane3), lane4)
        }
        hash &+= UInt64(bytes.count)
        while offset &+ 8 <= bytes.count {
            hash = rotate(hash ^ round(0, load(bytes, offset)), 27) &* prime1 &+ prime4
            offset &+= 8
        }
        if offset &+ 4 <= bytes.count {
            let word = UInt32(
                littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            hash = rotate(hash ^ UInt64(word) &* prime1, 23) &* prime2 &+ prime3
            offset &+= 4
        }
        while offset < bytes.count {
            hash = rotate(hash ^ UInt64(bytes[offset]) &* prime5, 11) &* prime1
            offset &+= 1
        }
        hash = (hash ^ hash &>> 33) &* prime2
        hash = (hash ^ hash &>> 29) &* prime3
        return hash ^ hash &>> 32
    }

    @inline(__always)
    private static func load(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        guard let base = bytes.baseAddress else { return 0 }
        return UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

/// A hash of rows of numbers, in their order; it costs less than a nanosecond per number.
///
/// It has four lanes of multiply and rotate like XXH64, so that products do not depend on each
/// other. It distinguishes recordings and does not protect against forgery.
public struct RowFingerprint: Sendable {
    private var lanes: (UInt64, UInt64, UInt64, UInt64) = (
        XXHash64.prime1 &+ XXHash64.prime2, XXHash64.prime2, XXHash64.prime1, 0 &- XXHash64.prime1
    )

    public init() {}

    /// Adds a row and its weight.
    public mutating func add(_ row: UnsafeBufferPointer<Double>, _ weight: Double) {
        var (a, b, c, d) = lanes
        var index = 0
        while index &+ 4 <= row.count {
            a = Self.mix(a, row[index])
            b = Self.mix(b, row[index &+ 1])
            c = Self.mix(c, row[index &+ 2])
            d = Self.mix(d, row[index &+ 3])
            index &+= 4
        }
        while index < row.count {
            a = Self.mix(a, row[index])
            index &+= 1
        }
        lanes = (a, Self.mix(b, weight), c, d)
    }

    @inline(__always)
    private static func mix(_ lane: UInt64, _ number: Double) -> UInt64 {
        XXHash64.rotate((lane ^ number.bitPattern) &* XXHash64.prime1, 31)
    }

    /// The hash of everything added so far.
    public var value: UInt64 {
        var result: UInt64 = 0
        for lane in [lanes.0, lanes.1, lanes.2, lanes.3] {
            result = (result ^ lane) &* XXHash64.prime2
            result ^= result &>> 29
        }
        return result
    }
}
