import PathTelemetry

/// The waiting packets of a bottleneck whose queue is managed: one queue with CoDel, or one for each
/// flow with CoDel, served by deficit round robin (RFC 8290).
///
/// Flows are told apart by number and not by a hash, so none share a queue.
struct ManagedQueue: Sendable {
    /// Packets that were dropped since it was emptied last.
    var dropped: [QueuedPacket] = []
    private(set) var count = 0
    private(set) var bytes = 0

    private let isFair: Bool
    /// It may be less than what waits already, which stays.
    var limit: LinkParameters.QueueLimit
    private let settings: QueueDiscipline.CoDelSettings
    private var flows: [Flow] = []
    /// Flows that have just begun, and the others that have packets, in the order of service.
    private var fresh: [Int] = []
    private var old: [Int] = []

    private struct Flow: Sendable {
        var packets = PacketRing()
        var control: CoDel
        var deficit = 0
        var isListed = false

        mutating func dequeue(at now: Int64, dropped: inout [QueuedPacket]) -> QueuedPacket? {
            control.dequeue(from: &packets, at: now, dropped: &dropped)
        }
    }

    /// Bytes that a flow may send in its turn: one packet of Ethernet.
    private static let quantum = 1514
    /// Flows beyond it share one queue.
    private static let mostFlows = 1024

    /// Nil for a discipline that manages nothing.
    init?(_ discipline: QueueDiscipline, limit: LinkParameters.QueueLimit) {
        switch discipline {
        case .dropTail: return nil
        case .coDel(let settings): (isFair, self.settings) = (false, settings)
        case .fairCoDel(let settings): (isFair, self.settings) = (true, settings)
        }
        self.limit = limit
    }

    /// Takes a packet; false if there is no room for it.
    ///
    /// With a queue for each flow the packets that leave for it are the first of the longest one.
    mutating func enqueue(_ packet: QueuedPacket) -> Bool {
        if !isFair, isFull(with: packet.size) { return false }
        append(packet)
        while isFair, isFull(with: 0), let longest = longestFlow(),
            let first = flows[longest].packets.popFirst()
        {
            remove(first)
            dropped.append(first)
        }
        return true
    }

    /// Takes a packet that waits already, whatever the limit is.
    mutating func append(_ packet: QueuedPacket) {
        let place = isFair ? min(max(0, packet.flow), ManagedQueue.mostFlows - 1) : 0
        while flows.count <= place { flows.append(Flow(control: CoDel(settings))) }
        flows[place].packets.append(packet)
        count += 1
        bytes += packet.size
        if !flows[place].isListed {
            flows[place].isListed = true
            flows[place].deficit = ManagedQueue.quantum
            fresh.append(place)
        }
    }

    /// All packets that wait, in the order in which they came.
    var waiting: [QueuedPacket] {
        var packets: [QueuedPacket] = []
        for flow in flows {
            var ring = flow.packets
            while let packet = ring.popFirst() { packets.append(packet) }
        }
        // Those of one time are of different flows, and stay in the order of these.
        return packets.enumerated().sorted { ($0.1.arrival, $0.0) < ($1.1.arrival, $1.0) }
            .map(\.element)
    }

    private func isFull(with size: Int) -> Bool {
        switch limit {
        case .packets(let most): count + (size > 0 ? 1 : 0) > most
        case .bytes(let most): bytes + size > most
        }
    }

    private func longestFlow() -> Int? {
        flows.indices.max { flows[$0].packets.bytes < flows[$1].packets.bytes }
    }

    private mutating func remove(_ packet: QueuedPacket) {
        count -= 1
        bytes -= packet.size
    }

    /// Takes the next packet to send; those that are dropped before it go to `dropped`.
    mutating func dequeue(at now: Int64) -> QueuedPacket? {
        while let place = fresh.first ?? old.first {
            let isFresh = !fresh.isEmpty
            if flows[place].deficit <= 0 {
                flows[place].deficit += ManagedQueue.quantum
                unlist(isFresh)
                old.append(place)
                continue
            }
            let before = dropped.count
            let packet = flows[place].dequeue(at: now, dropped: &dropped)
            for late in dropped[before...] { remove(late) }
            guard let packet else {
                unlist(isFresh)
                // A flow that has just begun and is empty waits once, so that it cannot be new at
                // every packet.
                if isFresh, !old.isEmpty {
                    old.append(place)
                } else {
                    flows[place].isListed = false
                }
                continue
            }
            remove(packet)
            flows[place].deficit -= packet.size
            return packet
        }
        return nil
    }

    private mutating func unlist(_ isFresh: Bool) {
        if isFresh { fresh.removeFirst() } else { old.removeFirst() }
    }
}
