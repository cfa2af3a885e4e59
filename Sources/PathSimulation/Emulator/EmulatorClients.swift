import PathTelemetry
import PathTransport

/// A client of one emulated path: who sent from which address.
public struct EmulatorClient: Hashable, Sendable {
    /// `0 ..< limit`, used again after the client is forgotten.
    public let slot: Int
    /// Tells the users of one slot apart.
    let generation: UInt32
}

/// What the emulator made of the sender of a datagram.
public enum EmulatorAdmission: Hashable, Sendable {
    case known(EmulatorClient)
    /// Seen for the first time; `replaced` was forgotten to make room.
    case new(EmulatorClient, replaced: EmulatorClient?)
    /// The table is full of clients that are not idle; the datagram is dropped.
    case refused
}

/// The table of clients, as a network address translator keeps it: bounded, and the one idle
/// longest makes room.
struct EmulatorClients: Sendable {
    struct Key: Hashable, Sendable {
        var path: Int
        var address: SocketAddress
    }

    private struct Record: Sendable {
        var key: Key?
        var generation: UInt32 = 0
        var lastSeen = Instant.zero
    }

    private var slots: [Key: Int] = [:]
    private var records: [Record] = []
    private let limit: Int
    private let idleTimeout: TimeDelta

    init(limit: Int, idleTimeout: TimeDelta) {
        self.limit = max(1, min(limit, 65_536))
        self.idleTimeout = idleTimeout
    }

    var count: Int { slots.count }

    /// The sender's entry; a new one where needed and possible.
    mutating func admit(_ key: Key, now: Instant) -> EmulatorAdmission {
        if let slot = slots[key] {
            records[slot].lastSeen = max(records[slot].lastSeen, now)
            return .known(client(slot))
        }
        var replaced: EmulatorClient?
        if slots.count >= limit {
            guard let idle = longestIdle(), now - records[idle].lastSeen >= idleTimeout else {
                return .refused
            }
            replaced = client(idle)
            forget(client(idle))
        }
        let slot = records.firstIndex { $0.key == nil } ?? records.count
        if slot == records.count { records.append(Record()) }
        records[slot].key = key
        records[slot].lastSeen = now
        slots[key] = slot
        return .new(client(slot), replaced: replaced)
    }

    /// The path and address of a client; nil when it has been forgotten.
    func key(of client: EmulatorClient) -> Key? {
        guard records.indices.contains(client.slot),
            records[client.slot].generation == client.generation
        else { return nil }
        return records[client.slot].key
    }

    /// Traffic from the other side keeps the entry too.
    mutating func touch(_ client: EmulatorClient, now: Instant) {
        guard key(of: client) != nil else { return }
        records[client.slot].lastSeen = max(records[client.slot].lastSeen, now)
    }

    mutating func forget(_ client: EmulatorClient) {
        guard let key = key(of: client) else { return }
        slots[key] = nil
        records[client.slot].key = nil
        records[client.slot].generation &+= 1
    }

    private func client(_ slot: Int) -> EmulatorClient {
        EmulatorClient(slot: slot, generation: records[slot].generation)
    }

    private func longestIdle() -> Int? {
        records.indices.filter { records[$0].key != nil }
            .min { records[$0].lastSeen < records[$1].lastSeen }
    }
}
