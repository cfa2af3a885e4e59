import PathTelemetry

/// A decision's row for SQL: a JSON array of integers, which the view `decisions` splits into
/// columns.
///
/// `[number after the block's first, time after the block's first (ns), class, bytes, deadline
/// (ns), current path, action, path, propensity (1e-9), forced, predicted (ns), candidate paths]`;
/// absent values are null. Values are rounded to whole units; the block holds the exact values.
enum DecisionRowText {
    static func append(
        _ frame: DecisionFrame, offset: UInt64, after firstTime: Int64, isFirst: Bool,
        to text: inout BlockBytes
    ) {
        let action = PathSet(rawValue: frame.action(frame.chosen))
        let path = action.first
        var offered: UInt16 = 0
        var predicted: Int64?
        for index in 0..<frame.candidates {
            let words = frame.words + index &* CandidateWord.count
            let candidate = UInt8(truncatingIfNeeded: words[CandidateWord.identity]) & 15
            offered |= 1 &<< UInt16(candidate)
            if candidate == path?.rawValue {
                predicted = nanoseconds(Double(bitPattern: words[CandidateWord.predictedDelivery]))
            }
        }
        if !isFirst { text.put(character: 0x2c) }
        text.put(character: 0x5b)
        text.put(decimal: Int64(truncatingIfNeeded: offset))
        put(frame.time &- firstTime, to: &text)
        put(frame.isMessage ? 1 : 0, to: &text)
        put(frame.bytes, to: &text)
        put(frame.deadline, to: &text)
        put(frame.currentPath == 255 ? nil : Int64(frame.currentPath), to: &text)
        put(Int64(action.rawValue), to: &text)
        put((path?.rawValue).map { Int64($0) }, to: &text)
        put(nanoseconds(Double(bitPattern: frame.probability(frame.chosen))), to: &text)
        put(frame.isForced ? 1 : 0, to: &text)
        put(predicted, to: &text)
        put(Int64(offered), to: &text)
        text.put(character: 0x5d)
    }

    /// Rounds to whole billionths; nil for NaN and beyond 9 * 10^9.
    @inline(__always)
    static func nanoseconds(_ value: Double) -> Int64? {
        guard value > -9e9, value < 9e9 else { return nil }
        return Int64(value * 1e9 + (value < 0 ? -0.5 : 0.5))
    }

    @inline(__always)
    static func put(_ value: Int64?, to text: inout BlockBytes) {
        text.put(character: 0x2c)
        if let value { text.put(decimal: value) } else { text.put(word: "null") }
    }
}
