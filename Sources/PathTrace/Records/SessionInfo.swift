public import PathTelemetry

/// The number of a session within one trace, from one.
public struct SessionID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The highest number: session and decision numbers share one 63-bit row number.
    public static let limit: UInt32 = 1 << 22

    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static func < (left: SessionID, right: SessionID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// One connection, or one run of the simulator, as the trace knows it.
public struct SessionInfo: Hashable, Sendable {
    /// When it started: nanoseconds since 1970 (UTC), and the same moment on the clock of all
    /// other times of the session.
    public var startedWallClock: Int64
    public var started: Instant
    /// What this side did: `send`, `receive`, `forward`, `serve`, `simulate`.
    public var role: String
    /// Who the other side was: its public key or address.
    public var peer: String
    /// The policy that decided, and the hash of its model file; empty without one.
    public var policy: String
    public var modelHash: String
    /// The seed of every draw of the session.
    public var seed: UInt64
    public var programVersion: String
    /// The command line, without secrets.
    public var command: String

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
    /// When it started, as `2026-11-23T10:20:30.123456Z`.
    public var startedText: String { DecisionServiceText.timestamp(startedWallClock) }
}

/// A session as read from a trace.
public struct RecordedSession: Hashable, Sendable {
    public var id: SessionID
    public var info: SessionInfo
    /// When it ended; nil when the recording was cut off.
    public var ended: Instant?
}
