import PathTelemetry
import Testing

@testable import PathTransport

/// What messages may spend on copies.
@Suite struct CopyBudgetTests {
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func copiesNeverTakeMoreThanTheirShare(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var budget = CopyBudget()
        var now = Instant.zero
        var (sent, copied) = (0, 0)
        for _ in 0..<20_000 {
            now = now + .microseconds(Int64(random.next() % 20_000))
            let bytes = Int(random.next() % 3000)
            budget.deposit(bytes: bytes, share: 0.1, now: now)
            sent += bytes
            let size = Int(random.next() % 3000)
            if random.uniform() < 0.5, budget.spend(bytes: size) { copied += size }
        }
        #expect(Double(copied) <= 0.1 * Double(sent), "seed \(seed)")
        #expect(Double(copied) > 0.09 * Double(sent), "seed \(seed): the budget is used")
    }

    @Test func aQuietTimeSavesNoMoreThanTenSeconds() {
        var budget = CopyBudget()
        // 250 kB/s for 100 s: ten seconds of it deposit 250 kB at a tenth.
        for step in 0..<100_000 {
            budget.deposit(bytes: 250, share: 0.1, now: at(Int64(step)))
        }
        let tries = [budget.spend(bytes: 251_000), budget.spend(bytes: 249_000)]
        #expect(tries == [false, true])
    }

    @Test func whatIsNotPaidForIsRefused() {
        var budget = CopyBudget()
        let early = budget.spend(bytes: 1)
        budget.deposit(bytes: 1000, share: 0, now: at(0))
        let free = budget.spend(bytes: 1)
        budget.deposit(bytes: 1000, share: 5, now: at(0))
        let paid = [1001, 1000, 1, 0, -5].map { budget.spend(bytes: $0) }
        #expect(!early && !free && paid == [false, true, false, false, false])
    }
}
