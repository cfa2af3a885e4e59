internal import PathNetwork
internal import PathTelemetry

/// Counts the bytes of one client of a server with a cap, across restarts.
///
/// It has a file of the same form as that of a path. Counts are written after 256 kB or 10 s, and at
/// `close`. *Any thread.*
public final class ClientMeter: Sendable {
    private let counter: Guarded<UsageCounter>
    private let name: String
    private let cap: ByteCap
    private let clock: LocalClock

    /// Reads the counts, and creates the folder for them if it does not exist.
    ///
    /// - Parameters:
    ///   - name: of the client; it is the name of its file.
    ///   - cap: of the client.
    ///   - folder: for one file for each client.
    /// - Throws: `UsageError` for a folder or a file that cannot be used.
    public convenience init(
        name: String, cap: ByteCap, folder: String
    ) throws(UsageError) {
        try self.init(name, cap, folder, .system)
    }

    init(
        _ name: String, _ cap: ByteCap, _ folder: String, _ clock: LocalClock
    ) throws(UsageError) {
        try UsageFolder.make(folder)
        counter = Guarded(
            try UsageCounter(
                [name: cap], folder: folder, today: clock.today, now: MonotonicClock.now()))
        self.name = name
        self.cap = cap
        self.clock = clock
    }

    /// Counts bytes of this moment; returns what changed.
    ///
    /// Call it without bytes too, so that a new period begins.
    /// - Parameter bytes: of both directions.
    public func add(_ bytes: UInt64) -> [UsageChange] {
        let today = clock.today
        return counter.withLock { counter in
            counter.take(
                UsageFile.Count(sent: bytes), of: name, today: today, now: MonotonicClock.now())
        }
    }

    /// How much of the cap is used.
    public var use: CapUse {
        let today = clock.today
        return counter.withLock { $0.uses(on: today).first }
            ?? CapUse(path: name, cap: cap, used: 0, renews: "")
    }

    /// Writes what was counted; returns the problem if that fails.
    public func close() -> [UsageChange] {
        counter.withLock { $0.flush(now: MonotonicClock.now()) }
    }
}
