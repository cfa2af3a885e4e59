internal import PathTelemetry

/// A path's cap was reached or nearly so, or a new period has begun, or counting failed.
public enum UsageChange: Hashable, Sendable {
    /// The path has carried 80 % of its cap.
    case nearing(CapUse)
    /// The path has carried its cap: it becomes standby until the period ends, or is removed until
    /// then if the cap is hard.
    case reached(CapUse)
    /// A new period has begun, so the path is active again.
    case renewed(CapUse)
    /// Bytes are counted in memory only, because the file cannot be written.
    case notStored(path: String, UsageError)
}

extension UsageChange: CustomStringConvertible {
    public var description: String {
        switch self {
        case .nearing(let use):
            "path \(use.path) has used 80 % of its cap (\(use)): at the cap it is "
                + "\(use.cap.isHard ? "stopped" : "standby") until \(use.renews)"
        case .reached(let use):
            "path \(use.path) has reached its cap (\(use)): it is "
                + "\(use.cap.isHard ? "stopped" : "standby") until \(use.renews)"
        case .renewed(let use): "path \(use.path) is active again: \(use)"
        case .notStored(let path, let error): "bytes of path \(path) are not stored: \(error)"
        }
    }
}

/// What has to be done with the paths of a name.
struct UsageWish: Hashable {
    let name: String
    /// Whether the cap is hard: then the path is removed, and opened again in the next period.
    let isHard: Bool
    /// Whether its cap is reached.
    let isHeld: Bool
}

/// What a path with a hard cap may carry from the moment on when its counters were read.
struct UsageBudget: Hashable {
    let name: String
    let path: PathID
    let bytes: UInt64
    /// All that the path had carried then, with the headers of IP and UDP.
    let counted: UInt64
}

/// Counts the bytes of paths with caps, from the counters of one session after another.
///
/// The order: `take` whenever counters were read, `flush` at the end. The time is an argument.
struct UsageCounter {
    /// Bytes and time after which counts are written to the file.
    static let flushBytes: UInt64 = 256_000
    static let flushInterval = TimeDelta.seconds(10)

    private struct Entry {
        let cap: ByteCap
        let file: UsageFile
        /// What the file had when it was last read.
        var days: [LocalDay: UsageFile.Count] = [:]
        var day: LocalDay
        /// Bytes of `day` that are not in the file yet.
        var pending = UsageFile.Count()
        var flushedAt: Instant
        var isReached = false
        var isNear = false
        /// Whether a path of that name was made standby or removed because of the cap.
        var isHeld = false
        /// The problem that was reported.
        var problem: UsageError?

        func used(on today: LocalDay) -> UInt64 {
            let period = today.period(cap.period)
            let stored = days.reduce(UInt64(0)) { sum, day in
                period.contains(day.key) ? UsageFile.Count.sum(sum, day.value.total) : sum
            }
            return period.contains(day) ? UsageFile.Count.sum(stored, pending.total) : stored
        }

        mutating func add(_ more: UsageFile.Count) {
            pending.sent = UsageFile.Count.sum(pending.sent, more.sent)
            pending.received = UsageFile.Count.sum(pending.received, more.received)
        }

        /// Writes what is pending, and reads what other processes have added.
        mutating func flush(now: Instant) throws(UsageError) {
            flushedAt = now
            days = try file.add(pending, on: day)
            pending = UsageFile.Count()
        }
    }

    private var entries: [String: Entry] = [:]
    /// The counters of each path of the session when they were last read.
    private(set) var last: [PathID: PathCounters] = [:]
    /// Bytes of all paths with caps that were taken.
    private(set) var counted: UInt64 = 0

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - caps: by names of paths.
    ///   - folder: exists.
    init(
        _ caps: [String: ByteCap], folder: String, today: LocalDay, now: Instant
    ) throws(UsageError) {
        for (name, cap) in caps {
            var entry = Entry(
                cap: cap, file: UsageFile(path: "\(folder)/\(name)"), day: today, flushedAt: now)
            try entry.flush(now: now)
            entries[name] = entry
        }
    }

    /// Begins to read another session.
    ///
    /// - Parameters:
    ///   - known: its counters as far as they were counted; none if it has just begun.
    ///   - stopped: the paths that it does not open because of their caps.
    mutating func beginSession(
        after known: [PathID: PathCounters] = [:], without stopped: Set<String> = []
    ) {
        last = known
        for name in entries.keys { entries[name]?.isHeld = stopped.contains(name) }
    }

    /// The use of every cap, by name.
    func uses(on today: LocalDay) -> [CapUse] {
        entries.sorted { $0.key < $1.key }.map { use($0.key, $0.value, today) }
    }

    private func use(_ name: String, _ entry: Entry, _ today: LocalDay) -> CapUse {
        CapUse(
            path: name, cap: entry.cap, used: entry.used(on: today),
            renews: today.period(entry.cap.period).upperBound.description)
    }

    /// Takes the counters of all paths; returns what changed.
    mutating func take(
        _ counters: [PathCounters], today: LocalDay, now: Instant
    ) -> [UsageChange] {
        var changes: [UsageChange] = []
        for path in counters {
            let former = last.updateValue(path, forKey: path.path)
            guard entries[path.name] != nil else { continue }
            // A path that was added again counts from zero.
            let isSame = former.map {
                $0.wireBytesSent <= path.wireBytesSent
                    && $0.wireBytesReceived <= path.wireBytesReceived
            }
            let base = isSame == true ? former : nil
            let sent = path.wireBytesSent - (base?.wireBytesSent ?? 0)
            let received = path.wireBytesReceived - (base?.wireBytesReceived ?? 0)
            changes += count(UsageFile.Count(sent: sent, received: received), path.name, today, now)
        }
        for name in entries.keys { changes += look(name, today, now) }
        return changes
    }

    /// Counts bytes of a name that are not of a path; returns what changed.
    mutating func take(
        _ more: UsageFile.Count, of name: String, today: LocalDay, now: Instant
    ) -> [UsageChange] {
        guard entries[name] != nil else { return [] }
        return count(more, name, today, now) + look(name, today, now)
    }

    private mutating func count(
        _ more: UsageFile.Count, _ name: String, _ today: LocalDay, _ now: Instant
    ) -> [UsageChange] {
        var changes: [UsageChange] = []
        if entries[name]?.day != today {
            changes += flush(name, now: now)
            // What could not be written is counted today.
            entries[name]?.day = today
        }
        entries[name]?.add(more)
        counted &+= more.total
        return changes
    }

    /// Writes if it is time, and compares with the cap.
    private mutating func look(
        _ name: String, _ today: LocalDay, _ now: Instant
    ) -> [UsageChange] {
        guard let entry = entries[name] else { return [] }
        var changes: [UsageChange] = []
        if entry.problem == nil && entry.pending.total >= UsageCounter.flushBytes
            || now - entry.flushedAt >= UsageCounter.flushInterval
        {
            changes += flush(name, now: now)
        }
        guard let current = entries[name] else { return changes }
        let use = use(name, current, today)
        entries[name]?.isNear = use.isNear
        if use.isReached != current.isReached {
            entries[name]?.isReached = use.isReached
            changes.append(use.isReached ? .reached(use) : .renewed(use))
        } else if use.isNear, !current.isNear, !use.isReached {
            changes.append(.nearing(use))
        }
        return changes
    }

    private mutating func flush(_ name: String, now: Instant) -> [UsageChange] {
        guard var entry = entries.removeValue(forKey: name) else { return [] }
        defer { entries[name] = entry }
        do throws(UsageError) {
            try entry.flush(now: now)
            entry.problem = nil
            return []
        } catch {
            guard entry.problem != error else { return [] }
            entry.problem = error
            return [.notStored(path: name, error)]
        }
    }

    /// Writes what is pending.
    mutating func flush(now: Instant) -> [UsageChange] {
        entries.keys.sorted().flatMap { flush($0, now: now) }
    }

    /// What has to be done with paths, because a cap was reached or a period has begun.
    ///
    /// A path that is active though it is held, as one that came back, is named again.
    mutating func wishes(for counters: [PathCounters]) -> [UsageWish] {
        var wishes: [UsageWish] = []
        for (name, entry) in entries {
            let isActive = counters.contains { $0.name == name && $0.state == .active }
            let isWish =
                entry.isReached ? isActive || entry.cap.isHard && !entry.isHeld : entry.isHeld
            guard isWish else { continue }
            wishes.append(
                UsageWish(name: name, isHard: entry.cap.isHard, isHeld: entry.isReached))
            entries[name]?.isHeld = entry.isReached
        }
        return wishes
    }

    /// What hard caps leave, after these counters were taken.
    func budgets(for counters: [PathCounters], on today: LocalDay) -> [UsageBudget] {
        entries.compactMap { name, entry in
            let paths = counters.filter { $0.name == name }
            guard entry.cap.isHard,
                let path = paths.first(where: { $0.state != .closed }) ?? paths.last
            else { return nil }
            let used = entry.used(on: today)
            return UsageBudget(
                name: name, path: path.path,
                bytes: entry.cap.bytes > used ? entry.cap.bytes - used : 0,
                counted: path.wireBytesSent &+ path.wireBytesReceived)
        }
    }

    /// The names whose caps are reached, hard or not.
    var held: Set<String> { Set(entries.filter { $0.value.isReached }.keys) }

    /// The names whose hard caps are reached.
    var stopped: Set<String> {
        Set(entries.filter { $0.value.isReached && $0.value.cap.isHard }.keys)
    }
}
