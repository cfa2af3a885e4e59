/// The bytes of packets in flight, in reusable slots.
///
/// A slot's number is the token of `Link`. `insert` a packet, offer it to a link, and `settle` the
/// result; on each delivery read the bytes and `release` the slot. Memory grows to the largest
/// number of packets held at once, at most `capacity` slots, and nothing is allocated after that. It
/// grows block by block, so that no block is copied and what is allocated was needed.
struct PacketStore: Sendable {
    /// Largest packet, bytes.
    private(set) var slotSize: Int
    /// The most packets held at once.
    let capacity: Int
    /// The bytes of `blockSlots` slots each.
    private var blocks: [[UInt8]] = []
    private var lengths: [Int32] = []
    /// Outstanding deliveries of each slot; zero means free.
    private var references: [UInt16] = []
    private var free: [Int32] = []

    private static let blockSlots = 256

    init(slotSize: Int = 2048, capacity: Int = 65_536) {
        self.slotSize = max(1, min(slotSize, 65_536))
        self.capacity = max(1, min(capacity, LinkBounds.heldPackets))
    }

    /// Makes room for packets of a size in each slot.
    mutating func widen(to size: Int) {
        let wider = min(size, 65_536)
        guard wider > slotSize else { return }
        for block in blocks.indices {
            let slots = blocks[block].count / slotSize
            var larger = [UInt8](repeating: 0, count: slots * wider)
            for slot in 0..<slots {
                let start = slot * slotSize
                larger.replaceSubrange(
                    slot * wider..<slot * wider + slotSize,
                    with: blocks[block][start..<start + slotSize])
            }
            blocks[block] = larger
        }
        slotSize = wider
    }

    /// Packets held now.
    var count: Int { lengths.count - free.count }

    /// Copies a packet into a slot; nil if it is larger than a slot or all slots are in use.
    mutating func insert(_ packet: UnsafeRawBufferPointer) -> Int? {
        guard packet.count <= slotSize else { return nil }
        if free.isEmpty { guard grow() else { return nil } }
        let slot = Int(free.removeLast())
        lengths[slot] = Int32(packet.count)
        references[slot] = 1
        withSlot(slot) { $0.copyMemory(from: packet) }
        return slot
    }

    /// Copies a packet into a slot; nil if it is larger than a slot or all slots are in use.
    mutating func insert(_ packet: Span<UInt8>) -> Int? {
        packet.withUnsafeBytes { insert($0) }
    }

    /// Keeps the slot for the deliveries that a link announced, or frees it.
    mutating func settle(_ slot: Int, _ result: Link.SendResult) {
        guard isHeld(slot) else { return }
        switch result {
        case .dropped: release(slot)
        case .accepted(let copies):
            references[slot] = references[slot] &+ UInt16(truncatingIfNeeded: max(0, copies - 1))
        }
    }

    /// Damages one delivery of a slot, and returns the slot that has it then.
    ///
    /// If more deliveries are outstanding, it gets a slot of its own; nil if none is free.
    mutating func part(_ slot: Int, damage: Damage) -> Int? {
        guard isHeld(slot) else { return nil }
        var own = slot
        if references[slot] > 1 {
            if free.isEmpty { guard grow() else { return nil } }
            own = Int(free.removeLast())
            lengths[own] = lengths[slot]
            references[own] = 1
            references[slot] -= 1
        }
        if own != slot {
            // Both may be of one block, which is lent to one of them at a time.
            let packet = withBytes(of: slot) { Array($0) }
            withSlot(own) { $0.copyBytes(from: packet) }
        }
        withSlot(own) { damage.apply(to: $0) }
        return own
    }

    /// Ends one delivery of the slot; the last one frees it, and a free slot is ignored.
    mutating func release(_ slot: Int) {
        guard isHeld(slot) else { return }
        references[slot] -= 1
        if references[slot] == 0 { free.append(Int32(slot)) }
    }

    /// The bytes of a packet in place; empty for a free slot.
    func withBytes<R>(of slot: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        guard isHeld(slot) else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let start = slot % PacketStore.blockSlots * slotSize
        let range = start..<start + Int(lengths[slot])
        return blocks[slot / PacketStore.blockSlots].withUnsafeBytes {
            body(UnsafeRawBufferPointer(rebasing: $0[range]))
        }
    }

    /// Lends the bytes of a slot's packet to be written.
    private mutating func withSlot(
        _ slot: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void
    ) {
        let start = slot % PacketStore.blockSlots * slotSize
        let range = start..<start + Int(lengths[slot])
        blocks[slot / PacketStore.blockSlots].withUnsafeMutableBytes {
            body(UnsafeMutableRawBufferPointer(rebasing: $0[range]))
        }
    }

    /// Copies a packet as it arrives, including its damage; returns its length.
    ///
    /// Returns zero if the slot is free or `buffer` is too small.
    func copy(
        _ slot: Int, damage: Damage? = nil, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        withBytes(of: slot) { packet in
            guard packet.count <= buffer.count else { return 0 }
            buffer.copyMemory(from: packet)
            damage?.apply(to: UnsafeMutableRawBufferPointer(rebasing: buffer[..<packet.count]))
            return packet.count
        }
    }

    private func isHeld(_ slot: Int) -> Bool {
        references.indices.contains(slot) && references[slot] > 0
    }

    /// Adds a block of slots; returns false at the limit.
    private mutating func grow() -> Bool {
        let old = lengths.count
        let new = min(capacity, old + PacketStore.blockSlots)
        guard new > old else { return false }
        blocks.append([UInt8](repeating: 0, count: (new - old) * slotSize))
        lengths.append(contentsOf: repeatElement(0, count: new - old))
        references.append(contentsOf: repeatElement(0, count: new - old))
        for slot in (old..<new).reversed() { free.append(Int32(slot)) }
        return true
    }
}
