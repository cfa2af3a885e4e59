internal import PathNetwork
internal import PathTelemetry
internal import Synchronization

/// A transfer that writes an unfinished file.
final class PartWriter: Sendable {
    private let reader: TransferReader
    private let gaveWay = Atomic<Bool>(false)

    init(_ reader: TransferReader) { self.reader = reader }

    /// Since when nothing of its item has arrived.
    var lastArrival: Instant { reader.lastArrival }

    /// Whether another transfer of the item has asked for the file.
    var hasGivenWay: Bool { gaveWay.load(ordering: .acquiring) }

    /// Ends the transfer, which keeps what has arrived.
    func giveWay() {
        gaveWay.store(true, ordering: .releasing)
        reader.stop()
    }
}

/// The transfers that write the unfinished files of a store, by the names of these files.
///
/// A killed sender says nothing, and its transfer waits until its session times out. If the client
/// sends the item again meanwhile, that transfer gives way, and the new one continues after what
/// it received.
final class PartWriters: Sendable {
    /// Time without a byte after which a transfer gives way.
    ///
    /// A sender that lives is silent for so long only if all its paths are.
    private static let patience = TimeDelta.milliseconds(300)

    private struct State {
        var writers: [[UInt8]: PartWriter] = [:]
        var waiting: [[UInt8]: [CheckedContinuation<Void, Never>]] = [:]
    }

    private let state = Mutex(State())

    /// Notes that a transfer writes the file of this name; `leave` must follow.
    func enter(_ name: [UInt8], _ writer: PartWriter) {
        state.withLock { $0.writers[name] = writer }
    }

    /// Notes that the file of this name is free.
    func leave(_ name: [UInt8]) {
        let waiting = state.withLock { state in
            state.writers[name] = nil
            return state.waiting.removeValue(forKey: name) ?? []
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns when the file of this name is free or its transfer is seen to run.
    func makeWay(for name: [UInt8]) async {
        guard let writer = state.withLock({ $0.writers[name] }) else { return }
        let silence = MonotonicClock.now() - writer.lastArrival
        if silence < PartWriters.patience {
            let rest = (PartWriters.patience - silence).nanoseconds
            try? await Task.sleep(for: .nanoseconds(rest))
        }
        guard MonotonicClock.now() - writer.lastArrival >= PartWriters.patience else { return }
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.writers[name] === writer else { return true }
                state.waiting[name, default: []].append(continuation)
                return false
            }
            if isFree { continuation.resume() } else { writer.giveWay() }
        }
    }
}
