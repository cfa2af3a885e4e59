import Testing

@testable import PathSimulation

@Suite struct PacketStoreTests {
    private func bytes(_ count: Int, _ value: UInt8) -> [UInt8] {
        Array(repeating: value, count: count)
    }

    private func insert(_ bytes: [UInt8], _ store: inout PacketStore) -> Int? {
        store.insert(bytes.span)
    }

    private func read(_ store: PacketStore, _ slot: Int) -> [UInt8] {
        store.withBytes(of: slot) { Array($0) }
    }

    @Test func slotsAreUsedAgainAndBounded() throws {
        var store = PacketStore(slotSize: 100, capacity: 200)
        let slots = (0..<200).compactMap { index in
            insert(bytes(index % 101, UInt8(index)), &store)
        }
        #expect(Set(slots).count == 200)
        #expect(store.count == 200)
        #expect(insert(bytes(1, 1), &store) == nil)
        for (index, slot) in slots.enumerated() {
            #expect(read(store, slot) == bytes(index % 101, UInt8(index)))
        }
        store.release(slots[7])
        store.release(slots[7])
        #expect(store.count == 199)
        #expect(read(store, slots[7]).isEmpty)
        #expect(insert(bytes(101, 1), &store) == nil)
        #expect(insert(bytes(3, 9), &store) == slots[7])
        #expect(read(store, slots[7]) == [9, 9, 9])
        store.release(-1)
        store.release(100_000)
        #expect(store.count == 200)
    }

    @Test func settledCopiesKeepTheSlot() throws {
        var store = PacketStore()
        let first = insert(bytes(4, 1), &store)
        let lost = try #require(first)
        store.settle(lost, .dropped(.loss))
        #expect(store.count == 0)
        let second = insert(bytes(4, 2), &store)
        let twice = try #require(second)
        store.settle(twice, .accepted(copies: 2))
        store.release(twice)
        #expect(read(store, twice) == bytes(4, 2))
        store.release(twice)
        #expect(store.count == 0)
    }

    @Test func damageFlipsOneToThreeBitsOfTheCopy() throws {
        var store = PacketStore()
        let inserted = insert(bytes(50, 0), &store)
        let slot = try #require(inserted)
        var counts: [Int: Int] = [:]
        var places: Set<Int> = []
        for seed in UInt64(0)..<6000 {
            var copy = bytes(64, 0)
            let count = copy.withUnsafeMutableBytes {
                store.copy(slot, damage: Damage(seed: seed), into: $0)
            }
            #expect(count == 50)
            counts[copy.reduce(0) { $0 + $1.nonzeroBitCount }, default: 0] += 1
            for (index, byte) in copy.enumerated() where byte != 0 { places.insert(index) }
        }
        #expect(counts.keys.sorted() == [1, 2, 3])
        for count in counts.values { #expect(abs(count - 2000) < 200) }
        #expect(places == Set(0..<50))
        #expect(read(store, slot) == bytes(50, 0))
        var small = bytes(49, 7)
        #expect(small.withUnsafeMutableBytes { store.copy(slot, into: $0) } == 0)
        #expect(small == bytes(49, 7))
    }

    @Test(arguments: 0...3) func damageUndoesItselfAtAnySize(_ size: Int) {
        for seed in UInt64(0)..<200 {
            var packet = bytes(size, 0x5a)
            packet.withUnsafeMutableBytes { Damage(seed: seed).apply(to: $0) }
            #expect(size == 0 || packet != bytes(size, 0x5a))
            packet.withUnsafeMutableBytes { Damage(seed: seed).apply(to: $0) }
            #expect(packet == bytes(size, 0x5a))
        }
    }
}
