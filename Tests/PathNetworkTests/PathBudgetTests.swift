import PathTelemetry
import Testing

@testable import PathNetwork

/// What is left of a hard cap, by counters of a connection.
struct PathBudgetTests {
    private func at(_ milliseconds: Int64) -> Instant {
        .zero + .milliseconds(milliseconds + 1_000)
    }

    @Test func bothDirectionsAreSpent() {
        var budget = PathBudget(left: 1_000, path: PathID(1), counted: 500)
        budget.note(PathBudget.Carried(sent: 700, received: 700))
        #expect(!budget.isSpent)
        budget.note(PathBudget.Carried(sent: 800, received: 700))
        #expect(budget.isSpent)
        #expect(PathBudget(left: 0, path: PathID(1), counted: 9).isSpent)
    }

    /// As much is held back as came in the latest round trip, also after the counters were read again.
    @Test func whatIsUnderWayIsHeldBack() {
        var budget = PathBudget(left: 100_000, path: PathID(1), counted: 0)
        func carried(_ bytes: UInt64) -> PathBudget.Carried { .init(received: bytes) }
        budget.measure(carried(0), roundTrip: .milliseconds(10), now: at(0))
        #expect(budget.underWay == 0, "no rate is known at first")
        budget.measure(carried(10_000), roundTrip: .milliseconds(10), now: at(5))
        #expect(budget.underWay == 0, "too soon")
        budget.measure(carried(40_000), roundTrip: .milliseconds(10), now: at(20))
        #expect(budget.underWay == 20_000)
        budget.note(carried(79_999))
        #expect(!budget.isSpent)
        budget.note(carried(80_000))
        #expect(budget.isSpent)
        let next = PathBudget(left: 20_000, path: PathID(1), counted: 80_000, after: budget)
        #expect(next.isSpent)
        #expect(!PathBudget(left: 20_001, path: PathID(1), counted: 80_000, after: budget).isSpent)
        // It ends with the stream of data.
        budget.measure(carried(80_000), roundTrip: .milliseconds(10), now: at(40))
        budget.measure(carried(80_000), roundTrip: .milliseconds(10), now: at(50))
        #expect(budget.underWay == 0)
    }

    /// Another number of the path goes on with what is left.
    @Test func anotherNumberGoesOn() {
        var budget = PathBudget(left: 1_000, path: PathID(1), counted: 0)
        budget.note(PathBudget.Carried(sent: 600))
        budget.move(to: PathID(4), PathBudget.Carried(sent: 50_000))
        #expect(budget.path == PathID(4) && !budget.isSpent)
        budget.note(PathBudget.Carried(sent: 50_399))
        #expect(!budget.isSpent)
        budget.note(PathBudget.Carried(sent: 50_400))
        #expect(budget.isSpent)
    }
}
