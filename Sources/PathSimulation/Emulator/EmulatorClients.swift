import PathTelemetry
import PathTransport

/// A client of one emulated path, identified by its address.
public struct EmulatorClient: Hashable, Sendable {
    /// `0 ..< limit`, reused after the client is dropped.
    public let slot: Int
    /// Distinguishes successive users of one slot.
    let generation: UInt32

    init(slot: Int, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    /// The client that has this mark.
    init(mark: UInt64) {
        slot = Int(mark >> 32)
        generation = UInt32(truncatingIfNeeded: mark)
    }

    /// Slot and generation in one number, for packets.
    var mark: UInt64 { UInt64(slot) << 32 | UInt64(generation) }
}

/// How the emulator classified the sender of a datagram.
public enum EmulatorAdmission: Hashable, Sendable {
    case known(EmulatorClient)
    /// The client is new; `replaced` was dropped to make room.
    case new(EmulatorClient, replaced: EmulatorClient?)
    /// The table is full of active clients; the datagram is dropped.
    case refused
}

/// The table of clients, like that of a network address translator: it is bounded, and the client
/// that was idle longest is replaced.
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

    /// Returns the sender's entry, or a new one if needed and possible.
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

    /// The path and address of a client; nil if it was dropped.
    func key(of client: EmulatorClient) -> Key? {
        guard records.indices.contains(client.slot),
            records[client.slot].generation == client.generation
        else { return nil }
        return records[client.slot].key
    }

    /// Notes traffic from the target, which also keeps the entry.
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
