/// The delivery opportunities of a Mahimahi trace, repeated for ever.
///
/// Each entry is a millisecond at which `opportunityBytes` may depart; equal entries are several
/// opportunities. The last entry is also the length of a round. Source: Netravali et al.,
/// "Mahimahi: Accurate Record-and-Replay for HTTP", USENIX ATC 2015.
public struct CapacityTrace: Sendable, Hashable {
    static let opportunityBytes = 1500

    /// Milliseconds in non-decreasing order; the last is above zero.
    public let milliseconds: [UInt32]

    /// Nil if there is no opportunity, times decrease, or the last is zero.
    public init?(milliseconds: [UInt32]) {
        guard let last = milliseconds.last, last > 0,
            milliseconds.count <= LinkBounds.traceOpportunities
        else { return nil }
        for (one, next) in zip(milliseconds, milliseconds.dropFirst()) where next < one {
            return nil
        }
        self.milliseconds = milliseconds
    }

    /// Parses the text of a trace: one decimal number per line; empty lines are skipped.
    ///
    /// - Parameter name: the name for error messages.
    public init(
        parsing text: some Collection<UInt8>, name: String
    ) throws(SimulationError) {
        var times: [UInt32] = []
        var line = 1
        var value: UInt64 = 0
        var digits = 0
        var last: UInt32 = 0
        func invalid(_ fix: String) -> SimulationError {
            .invalidTrace(path: name, line: line, fix: fix)
        }
        func finish() throws(SimulationError) {
            guard digits > 0 else { return }
            guard value >= UInt64(last) else {
                throw invalid("time \(value) after \(last); times must not decrease")
            }
            guard times.count < LinkBounds.traceOpportunities else {
                throw invalid("more than \(LinkBounds.traceOpportunities) lines; shorten it")
            }
            last = UInt32(truncatingIfNeeded: value)
            times.append(last)
            value = 0
            digits = 0
        }
        var blankAfterNumber = false
        for byte in text {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                guard !blankAfterNumber else { throw invalid("write one number per line") }
                value = value &* 10 &+ UInt64(byte &- UInt8(ascii: "0"))
                digits += 1
                guard value <= UInt64(UInt32.max), digits <= 10 else {
                    throw invalid("number too large; the unit is milliseconds")
                }
            case UInt8(ascii: "\n"):
                try finish()
                blankAfterNumber = false
                line += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                blankAfterNumber = digits > 0
            default:
                throw invalid("not a Mahimahi trace; each line is one number of milliseconds")
            }
        }
        try finish()
        guard last > 0 else {
            throw invalid("not a Mahimahi trace; the last time must be above 0 ms")
        }
        milliseconds = times
    }

    /// Reads and parses a file of at most `LinkBounds.traceBytes`.
    public init(file: String) throws(SimulationError) {
        guard !fileBegins(file, with: "SQLite format 3\0") else {
            throw .invalidTrace(
                path: file, line: 0, fix: "it is a recording; rates= reads imported ones")
        }
        try self.init(parsing: readFile(file, limit: LinkBounds.traceBytes), name: file)
    }

    /// Mean rate over one round, Mbit/s.
    var meanMegabits: Double {
        guard let last = milliseconds.last, last > 0 else { return 0 }
        return Double(milliseconds.count * CapacityTrace.opportunityBytes * 8) / Double(last) / 1e3
    }
}
