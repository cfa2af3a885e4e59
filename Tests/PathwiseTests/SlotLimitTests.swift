import Testing

@testable import Pathwise

/// Slots of large items go to the items in their order, whoever asks first.
@Suite struct SlotLimitTests {
    @Test(arguments: UInt64(1)...20)
    func slotsGoByTicket(seed: UInt64) async {
        let limit = SlotLimit(3)
        let tickets = (0..<40).map { _ in limit.ticket() }
        let order = Guarded<[Int]>([])
        // Every fourth item is small; the others ask in an order that has nothing to do with theirs.
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
                    // As a receiver that takes one item after the other: nobody leaves before the
                    // items in front of it had a slot.
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
