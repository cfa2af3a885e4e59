/// The numbers of an encoded block by their position; docs/formats.md, "Blocks".
///
/// Written for the fuzzer from the document and not from the decoder.
struct BlockFields {
    struct Field {
        var offset: Int
        /// Bytes: 1, 2, 4, 5 or 8.
        var width: Int
        var isDouble = false
    }

    private(set) var fields: [Field] = []
    private let bytes: [UInt8]
    private var offset = 0
    private var isAtEnd = false

    /// The fields of a block of decisions, or of outcomes, that is valid.
    init(_ bytes: [UInt8], isOutcomes: Bool) {
        self.bytes = bytes
        if isOutcomes { outcomes() } else { decisions() }
    }

    private func number(_ offset: Int, _ width: Int) -> Int {
        guard offset + width <= bytes.count else { return 0 }
        return (0..<width).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }

    @discardableResult
    private mutating func take(_ width: Int, isDouble: Bool = false) -> Int {
        guard !isAtEnd, offset + width <= bytes.count - 8 else {
            isAtEnd = true
            return 0
        }
        fields.append(Field(offset: offset, width: width, isDouble: isDouble))
        defer { offset += width }
        // A block that was changed before may contain anything.
        return width < 8 ? min(number(offset, width), bytes.count) : 0
    }

    private mutating func integers(_ count: Int) {
        let width = take(1)
        take(8)
        guard [1, 2, 4, 8].contains(width) else { return }
        for _ in 0..<count where !isAtEnd { take(width) }
    }

    private mutating func words() {
        let count = take(4)
        let form = take(1)
        for _ in 0..<count where !isAtEnd { take(form == 0 ? 8 : 4, isDouble: form == 0) }
    }

    private mutating func decisions() {
        take(4)
        let features = take(4)
        let count = take(4)
        let candidates = take(4)
        take(8)
        for _ in 0..<11 { integers(count) }
        for _ in 0..<count where !isAtEnd { take(8, isDouble: true) }
        for _ in 0..<candidates where !isAtEnd { take(1) }
        for _ in 0..<candidates where !isAtEnd { take(5) }
        for _ in 0..<(features + 13) where !isAtEnd { words() }
        for _ in 0..<take(4) { take(2) }
        words()
    }

    private mutating func outcomes() {
        take(4)
        let positions = take(4)
        var known = 0
        for _ in 0..<(positions + 7) / 8 { known += take(1).nonzeroBitCount }
        for _ in 0..<4 { integers(known) }
        words()
        words()
    }
}
