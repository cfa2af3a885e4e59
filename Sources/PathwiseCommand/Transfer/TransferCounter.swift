import PathTelemetry
import Synchronization

/// Counts bytes passed on so far, from several tasks.
final class TransferCounter: Sendable {
    private let count = Atomic<UInt64>(0)
    /// Bytes of all items; zero while unknown.
    private let all = Atomic<UInt64>(0)

    /// The pipe from which no data has come yet; nil if none is awaited.
    private let awaited = Mutex<String?>(nil)

    func add(_ bytes: Int) {
        count.add(UInt64(max(0, bytes)), ordering: .relaxed)
    }
    var bytes: UInt64 { count.load(ordering: .relaxed) }

    /// Notes that no data has come from a pipe for a while.
    func wait(for name: String) { awaited.withLock { $0 = name } }
    var waitsFor: String? { awaited.withLock { $0 } }

    func setTotal(_ total: UInt64) { all.store(total, ordering: .relaxed) }
    var total: UInt64? {
        let total = all.load(ordering: .relaxed)
        return total == 0 ? nil : total
    }
}

/// The rate over about the last second.
struct RateMeter {
    private var samples: [(bytes: UInt64, time: TimeDelta)] = []
    private(set) var value = 0.0

    mutating func add(_ bytes: UInt64, at time: TimeDelta) {
        samples.append((bytes, time))
        while samples.count > 2, time - samples[0].time > .seconds(1) { samples.removeFirst() }
        let span = (time - samples[0].time).seconds
        if span > 0.05 { value = Double(bytes - samples[0].bytes) / span }
    }
}
