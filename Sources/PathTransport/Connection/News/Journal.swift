import PathTelemetry

/// The records of a connection for a recorder; empty unless it records or its decisions are judged.
struct Journal {
    /// Whether the connection records.
    private(set) var isOpen: Bool
    private let sampleInterval: TimeDelta
    private var records: [TransportRecord] = []
    private var nextSampleAt: Instant
    /// Whether the last samples have been taken.
    private var hasLastSamples = false

    init(_ configuration: ConnectionConfiguration, now: Instant) {
        isOpen = configuration.isRecording
        sampleInterval = configuration.sampleInterval
        nextSampleAt = now
    }

    /// Begins or ends the records; returns whether that is a change.
    mutating func setOpen(_ isOpen: Bool, now: Instant) -> Bool {
        guard isOpen != self.isOpen else { return false }
        self.isOpen = isOpen
        nextSampleAt = now
        return true
    }

    /// Appends a record; callers check `isOpen` before they make one for a recorder.
    mutating func append(_ record: TransportRecord) { records.append(record) }

    // MARK: paths

    /// Records the facts of a path, again when its name changed.
    ///
    /// - Parameters:
    ///   - isServer: on a server a path is recorded only if `isUnrecorded`.
    ///   - local: the address of this side, if the path does not know it.
    mutating func note(
        _ path: inout Path, isServer: Bool, local: SocketAddress? = nil, now: Instant
    ) {
        guard isOpen, !isServer || path.isUnrecorded else { return }
        if path.wasRecorded { records.append(.pathRemoved(path.id, at: now)) }
        path.isUnrecorded = false
        path.wasRecorded = true
        records.append(
            .pathAdded(
                PathFacts(
                    path: path.id, name: path.shownName, local: local ?? path.local,
                    remote: path.remote, traits: path.traits, added: now)))
    }

    /// Records that a path is gone.
    mutating func noteRemoved(_ path: inout Path, now: Instant) {
        guard isOpen, path.wasRecorded else { return }
        path.wasRecorded = false
        records.append(.pathRemoved(path.id, at: now))
    }

    // MARK: samples

    /// When `takeSamples` should be called; distant future without recording.
    var sampleTimeout: Instant {
        isOpen && sampleInterval > .zero ? nextSampleAt : .distantFuture
    }

    /// Records a sample of every path.
    mutating func takeSamples(of paths: borrowing PathTable, now: Instant) {
        nextSampleAt = now + max(sampleInterval, .milliseconds(10))
        sample(paths, now: now)
    }

    /// Records the last samples, once.
    mutating func takeLastSamples(of paths: borrowing PathTable, after time: Instant) {
        guard isOpen, !hasLastSamples else { return }
        hasLastSamples = true
        sample(paths, now: max(time, nextSampleAt - .milliseconds(1)))
    }

    private mutating func sample(_ paths: borrowing PathTable, now: Instant) {
        for index in paths.indices where paths[index].isAlive {
            records.append(
                .sample(paths[index].snapshot(now: now), paths[index].statistics, at: now))
        }
    }

    /// Hands the records since the last call to `body`, oldest first.
    mutating func drain(_ body: (borrowing TransportRecord) -> Void) {
        for index in records.indices { body(records[index]) }
        records.removeAll(keepingCapacity: true)
    }
}
