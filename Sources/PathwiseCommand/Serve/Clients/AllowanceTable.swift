import PathForward
import PathNetwork
import PathTransport
import Pathwise
import Synchronization

/// The allowance of each client, which all its sessions share, also later ones.
///
/// Bytes of clients with a cap are counted in files, so that a restart of the server changes nothing:
/// call `count` as `CountingPace` says, and `close` at the end. *Any thread.*
final class AllowanceTable: Sendable {
    private struct Entry {
        let client: ServedClient
        let cap: ByteCap?
        let allowance: Allowance
        /// Nil without a cap.
        let meter: ClientMeter?

        var name: String { client.name }

        /// Counts what the client has moved since the last time.
        func count() -> (bytes: UInt64, changes: [UsageChange]) {
            guard let meter else { return (0, []) }
            let fresh = allowance.fresh
            let changes = meter.add(fresh)
            allowance.confirm(fresh, stored: meter.use.used)
            return (fresh, changes)
        }
    }

    /// Of the counts.
    private let folder: String
    private struct State {
        var usual: UsualLimits
        var entries: [PublicKey: Entry] = [:]
    }
    private let state: Mutex<State>

    /// - Parameters:
    ///   - state: the state folder of the server.
    ///   - usual: limits of clients whose lines say nothing else.
    init(state: String, usual: UsualLimits = UsualLimits()) {
        folder = UsageFolder.clients(state: state)
        self.state = Mutex(State(usual: usual))
    }

    private static func limits(
        of client: ServedClient, _ usual: UsualLimits
    ) -> (limits: ClientLimits, cap: ByteCap?) {
        let cap = client.cap ?? usual.cap
        let limits = ClientLimits(
            flows: usual.flows, bytesPerSecond: client.rate ?? usual.rate, byteCap: cap?.bytes)
        return (limits, cap)
    }

    private func meter(
        _ client: ServedClient, _ cap: ByteCap?
    ) throws(UsageError) -> ClientMeter? {
        guard let cap else { return nil }
        return try ClientMeter(name: client.name, cap: cap, folder: folder)
    }

    /// Changes what clients may use whose lines say nothing else, also of flows that are open.
    ///
    /// - Throws: `UsageError` if the bytes that a client has moved cannot be read; then nothing has
    ///   changed.
    func setUsual(_ usual: UsualLimits) throws(UsageError) {
        try state.withLock { (state) throws(UsageError) in
            var changed: [(key: PublicKey, limits: ClientLimits, entry: Entry)] = []
            for (key, entry) in state.entries {
                let (limits, cap) = AllowanceTable.limits(of: entry.client, usual)
                guard limits != entry.allowance.limits || cap != entry.cap else { continue }
                if cap != entry.cap {
                    _ = entry.count()
                    _ = entry.meter?.close()
                }
                let meter = cap == entry.cap ? entry.meter : try meter(entry.client, cap)
                changed.append(
                    (
                        key, limits,
                        Entry(
                            client: entry.client, cap: cap, allowance: entry.allowance,
                            meter: meter)
                    ))
            }
            for (key, limits, entry) in changed {
                let isSame = entry.cap == state.entries[key]?.cap
                entry.allowance.setLimits(
                    limits, stored: isSame ? nil : entry.meter?.use.used ?? 0)
                state.entries[key] = entry
            }
            state.usual = usual
        }
    }

    /// The client's allowance; a new one if its limits have changed.
    ///
    /// - Throws: `UsageError` if the bytes that it has moved cannot be read.
    func allowance(of client: ServedClient) throws(UsageError) -> Allowance {
        try state.withLock { (state) throws(UsageError) in
            let (limits, cap) = AllowanceTable.limits(of: client, state.usual)
            if let known = state.entries[client.key] {
                if known.allowance.limits == limits, known.cap == cap,
                    known.name == client.name
                {
                    return known.allowance
                }
                _ = known.count()
                _ = known.meter?.close()
            }
            let meter = try meter(client, cap)
            let allowance = Allowance(
                limits, used: meter?.use.used ?? 0, now: MonotonicClock.now())
            state.entries[client.key] = Entry(
                client: client, cap: cap, allowance: allowance, meter: meter)
            return allowance
        }
    }

    /// Counts what clients with a cap have moved; returns that, and what changed, with their names.
    func count() -> (bytes: UInt64, changes: [(client: String, change: UsageChange)]) {
        let entries = state.withLock { Array($0.entries.values) }
        var bytes: UInt64 = 0
        var changes: [(client: String, change: UsageChange)] = []
        for entry in entries {
            let counted = entry.count()
            bytes &+= counted.bytes
            changes += counted.changes.map { (entry.name, $0) }
        }
        return (bytes, changes)
    }

    /// How much of its cap a client has used; nil without a cap.
    func use(of key: PublicKey) -> CapUse? { state.withLock { $0.entries[key]?.meter?.use } }

    /// Counts and writes the last bytes.
    func close() -> [(client: String, change: UsageChange)] {
        let changes = count().changes
        let entries = state.withLock { Array($0.entries.values) }
        return changes
            + entries.flatMap { entry in (entry.meter?.close() ?? []).map { (entry.name, $0) } }
    }
}
