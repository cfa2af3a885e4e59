internal import PathTelemetry

/// When a client made a first message, by its own clock: nanoseconds since 1970, UTC.
///
/// A server accepts a first message only if its stamp is above all earlier ones of that client's
/// key, so a replayed message is refused (WireGuard's TAI64N, section 5.1 of its paper). The clocks
/// need not be right: a client whose stamp is too low is told, under the keys of its own message,
/// which stamp it has to exceed.
public struct InitiationStamp: Hashable, Comparable, Sendable {
    /// Nanoseconds since 1970, UTC.
    public let nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public static func < (left: InitiationStamp, right: InitiationStamp) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The stamp later by `delta`, at most the largest one.
    func advanced(by delta: TimeDelta) -> InitiationStamp {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(
            UInt64(max(0, delta.nanoseconds)))
        return InitiationStamp(nanoseconds: overflow ? .max : sum)
    }
}
