/// The flipped bits of one delivery: one to three different ones.
struct Damage: Sendable, Hashable {
    /// Determines how many bits are flipped, and which.
    var seed: UInt64

    init(seed: UInt64) { self.seed = seed }

    /// Flips the bits in place; a second application to the same bytes undoes it.
    func apply(to bytes: UnsafeMutableRawBufferPointer) {
        var flipped: InlineArray<3, Int> = [-1, -1, -1]
        var random = LinkRandom(state: seed)
        let bits = bytes.count &* 8
        let wanted = min(bits, 1 + Int(truncatingIfNeeded: random.next() % 3))
        var done = 0
        while done < wanted {
            let bit = Int(truncatingIfNeeded: random.next() % UInt64(bits))
            if bit == flipped[0] || bit == flipped[1] { continue }
            flipped[done] = bit
            bytes[bit / 8] ^= 1 &<< UInt8(truncatingIfNeeded: bit % 8)
            done += 1
        }
    }
}
