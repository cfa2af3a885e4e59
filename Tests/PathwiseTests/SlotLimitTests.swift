import Testing

@testable import Pathwise

/// Slots for large items are assigned in the order of the items, not of the requests.
@Suite struct SlotLimitTests {
    /// A file of one block that is sent alone does not wait for an answer; those among several may
    /// be there already, and wait from 32 KiB on.
    @Test func whatIsSentWithoutAnAnswer() {
        #expect(Shipment.isEager(size: 1 << 20, isOneOfSeveral: false))
        #expect(!Shipment.isEager(size: (1 << 20) + 1, isOneOfSeveral: false))
        #expect(Shipment.isEager(size: 32_768, isOneOfSeveral: true))
        #expect(!Shipment.isEager(size: 32_769, isOneOfSeveral: true))
    }

    @Test(arguments: UInt64(1)...20)
    func slotsGoByTicket(seed: UInt64) async {
        let limit = SlotLimit(3)
        let tickets = (0..<40).map { _ in limit.ticket() }
        let order = Guarded<[Int]>([])
        // Every fourth item is small; the others ask in a random order.
        let asking = tickets.sorted {
            (UInt64($0) &* 0x9e37_79b9 &* seed) % 41 < (UInt64($1) &* 0x9e37_79b9 &* seed) % 41
        }
        await withTaskGroup(of: Void.self) { group in
            for ticket in asking {
                group.addTask {
                    if ticket % 4 == 0 {
                        limit.pass(ticket)
                        return
                    }
                    await limit.enter(ticket)
                    order.withLock { $0.append(ticket) }
                    // Like a receiver that takes one item after the other: no item ends before
                    // earlier items had a slot.
                    let before = tickets.filter { $0 < ticket && $0 % 4 != 0 }
                    while !order.withLock({ entered in before.allSatisfy(entered.contains) }) {
                        await Task.yield()
                    }
                    limit.leave()
                }
            }
        }
        #expect(order.withLock { $0.sorted() } == tickets.filter { $0 % 4 != 0 })
    }
}
