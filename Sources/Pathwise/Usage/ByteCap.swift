internal import PathTelemetry

/// The most bytes that a path should carry in a day, a week or a month, both directions together.
public struct ByteCap: Hashable, Sendable {
    /// The part of the local calendar after which counting begins again; weeks begin on Monday.
    public enum Period: String, Hashable, Sendable, CaseIterable {
        case day, week, month
    }

    public var bytes: UInt64
    public var period: Period
    /// Whether the path is removed at the cap; else it becomes standby, and still carries data while
    /// no other path works.
    public var isHard: Bool

    public init(bytes: UInt64, period: Period = .month, isHard: Bool = false) {
        self.bytes = bytes
        self.period = period
        self.isHard = isHard
    }
}

extension ByteCap: CustomStringConvertible {
    /// For example `50 GB a month`.
    public var description: String { "\(NumberText.bytes(Double(bytes))) a \(period.rawValue)" }
}

/// How much of a path's cap is used.
public struct CapUse: Hashable, Sendable {
    /// The name of the path.
    public var path: String
    public var cap: ByteCap
    /// Bytes of this period in both directions, with the headers of IP and UDP.
    public var used: UInt64
    /// The first day of the next period, as `2026-12-01`.
    public var renews: String

    /// Whether nothing of the cap is left.
    public var isReached: Bool { used >= cap.bytes }

    /// Whether 80 % or more are used.
    var isNear: Bool { Double(used) >= 0.8 * Double(cap.bytes) }
}

extension CapUse: CustomStringConvertible {
    /// For example `12.3 GB of 50 GB a month`.
    public var description: String { "\(NumberText.bytes(Double(used))) of \(cap)" }
}
