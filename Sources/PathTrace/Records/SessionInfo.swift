public import PathTelemetry

/// The number of a session within one trace, counted from one.
public struct SessionID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The exclusive upper bound: session and decision numbers share one 63-bit row number.
    public static let limit: UInt32 = 1 << 22

    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static func < (left: SessionID, right: SessionID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// One connection, or one run of the simulator, in a trace.
public struct SessionInfo: Hashable, Sendable {
    /// Its start in nanoseconds since 1970 (UTC), and on the clock of all other times of the
    /// session.
    public var startedWallClock: Int64
    public var started: Instant
    /// The role of this side: `send`, `receive`, `forward`, `serve`, `simulate`.
    public var role: String
    /// The other side: its public key or address.
    public var peer: String
    /// The policy, and the hash of its model file, which is empty if it has none.
    public var policy: String
    public var modelHash: String
    /// The seed of the session's random draws.
    public var seed: UInt64
    public var programVersion: String
    /// The command line, without secrets.
    public var command: String
    /// The probability with which each decision was recorded; one if all were.
    public var share = 1.0

    public init(
        startedWallClock: Int64, started: Instant, role: String, peer: String = "",
        policy: String = "", modelHash: String = "", seed: UInt64 = 0,
        programVersion: String = "", command: String = ""
    ) {
        self.startedWallClock = startedWallClock
        self.started = started
        self.role = role
        self.peer = peer
        self.policy = policy
        self.modelHash = modelHash
        self.seed = seed
        self.programVersion = programVersion
        self.command = command
    }
}

extension SessionInfo {
    /// Its start, as `2026-11-23T10:20:30.123456Z`.
    public var startedText: String { DecisionServiceText.timestamp(startedWallClock) }
}

/// A session as read from a trace.
public struct RecordedSession: Hashable, Sendable {
    public var id: SessionID
    public var info: SessionInfo
    /// When it ended; nil if the recording was cut off.
    public var ended: Instant?
}
