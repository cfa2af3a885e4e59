public import PathTelemetry

/// When a client made a first message: nanoseconds since 1970, UTC, as it believes.
///
/// A server takes a first message only if its stamp is above all that it took of that client's key
/// before, so a recorded message is refused (WireGuard's TAI64N, section 5.1 of its paper). Nothing
/// depends on the clocks being right: a client whose stamp is too low is told, under the keys of its
/// own message, what it has to be above.
public struct InitiationStamp: Hashable, Comparable, Sendable {
    /// Nanoseconds since 1970, UTC.
    public let nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public static func < (left: InitiationStamp, right: InitiationStamp) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The stamp so much later; it stops at the last one.
    func advanced(by delta: TimeDelta) -> InitiationStamp {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(
            UInt64(max(0, delta.nanoseconds)))
        return InitiationStamp(nanoseconds: overflow ? .max : sum)
    }
}
