import PathForward
import PathNetwork
import PathTransport
import Pathwise
import Synchronization

/// The allowance of each client, which all its sessions share, also later ones.
///
/// Bytes of clients with a cap are counted in files, so that a restart of the server changes nothing:
/// call `count` some times a second, and `close` at the end. *Any thread.*
final class AllowanceTable: Sendable {
    private struct Entry {
        let name: String
        let cap: ByteCap?
        let allowance: Allowance
        /// Nil without a cap.
        let meter: ClientMeter?

        /// Counts what the client has moved since the last time.
        func count() -> [UsageChange] {
            guard let meter else { return [] }
            let fresh = allowance.fresh
            let changes = meter.add(fresh)
            allowance.confirm(fresh, stored: meter.use.used)
            return changes
        }
    }

    /// Of the counts.
    private let folder: String
    private let usual: UsualLimits
    private let table = Mutex<[PublicKey: Entry]>([:])

    /// - Parameters:
    ///   - state: the state folder of the server.
    ///   - usual: limits of clients whose lines say nothing else.
    init(state: String, usual: UsualLimits = UsualLimits()) {
        folder = UsageFolder.clients(state: state)
        self.usual = usual
    }

    /// The client's allowance; a new one if its limits have changed.
    ///
    /// - Throws: `UsageError` if the bytes that it has moved cannot be read.
    func allowance(of client: ServedClient) throws(UsageError) -> Allowance {
        let cap = client.cap ?? usual.cap
        let limits = ClientLimits(
            flows: usual.flows, bytesPerSecond: client.rate ?? usual.rate, byteCap: cap?.bytes)
        return try table.withLock { (table) throws(UsageError) in
            if let known = table[client.key] {
                if known.allowance.limits == limits, known.cap == cap,
                    known.name == client.name
                {
                    return known.allowance
                }
                _ = known.count()
                _ = known.meter?.close()
            }
            var meter: ClientMeter?
            if let cap {
                meter = try ClientMeter(name: client.name, cap: cap, folder: folder)
            }
            let allowance = Allowance(
                limits, used: meter?.use.used ?? 0, now: MonotonicClock.now())
            table[client.key] = Entry(
                name: client.name, cap: cap, allowance: allowance, meter: meter)
            return allowance
        }
    }

    /// Counts what clients with a cap have moved; returns what changed, with their names.
    func count() -> [(client: String, change: UsageChange)] {
        let entries = table.withLock { Array($0.values) }
        return entries.flatMap { entry in entry.count().map { (entry.name, $0) } }
    }

    /// How much of its cap a client has used; nil without a cap.
    func use(of key: PublicKey) -> CapUse? { table.withLock { $0[key]?.meter?.use } }

    /// Counts and writes the last bytes.
    func close() -> [(client: String, change: UsageChange)] {
        let changes = count()
        let entries = table.withLock { Array($0.values) }
        return changes
            + entries.flatMap { entry in (entry.meter?.close() ?? []).map { (entry.name, $0) } }
    }
}
