import PathLearning
import PathTelemetry
import PathTransport
import Testing

@testable import Pathwise

/// Events without those of messages, and what the guard did.
struct ChangeTests {
    @Test func changesLeaveMessagesOut() async {
        let feed = EventFeed()
        let all = feed.events()
        let changes = feed.events(withMessages: false)
        for number in 0..<10_000 { feed.send(.messageDelivered(number: UInt64(number))) }
        feed.send(.guardChanged(.restored(at: Instant(nanoseconds: 0))))
        feed.send(.messageLost(number: 1))
        feed.send(.closed(.local))
        var kinds: [String] = []
        for await event in changes {
            switch event {
            case .guardChanged(.restored): kinds.append("restored")
            case .closed: kinds.append("closed")
            default: kinds.append("other")
            }
        }
        // None of the messages has displaced what matters.
        #expect(kinds == ["restored", "closed"])
        var messages = 0
        for await event in all where event.isOfMessage { messages += 1 }
        #expect(messages == 4094)
        // Who comes after the end hears of it.
        var late = 0
        for await _ in feed.events(withMessages: false) { late += 1 }
        #expect(late == 1)
    }

    /// A guard that has judged nothing yet is not reported as one that has demoted its models.
    @Test func anotherPolicyHasANewGuard() {
        let journal = EventJournal()
        let now = Instant(nanoseconds: 5)
        _ = journal.note(.policyGuard(.demoted(.wrongDelivery, at: now)))
        _ = journal.note(.modelRefused(reason: "it is too old", at: now))
        #expect(journal.guardReport.isDemoted)
        _ = journal.note(.modelReplaced(hash: 0, policy: "min-rtt", at: now))
        #expect(!journal.guardReport.isDemoted && journal.guardReport.demotions == 1)
        #expect(journal.modelChanges.map(\.policy) == [nil, "min-rtt"])
        #expect(journal.modelChanges.map(\.refusal) == ["it is too old", nil])
    }

    @Test func theJournalKeepsWhatTheGuardDid() {
        let journal = EventJournal()
        #expect(journal.guardReport == GuardReport())
        let events: [GuardEvent] = [
            .relearning(.wrongDelivery, at: Instant(nanoseconds: 0)),
            .demoted(.notFinite, at: .zero),
            .restored(at: Instant(nanoseconds: 0)), .demoted(.wrongLateness, at: .zero),
        ]
        var told: [GuardEvent] = []
        for event in events {
            if case .guardChanged(let event)? = journal.note(.policyGuard(event)) {
                told.append(event)
            }
        }
        #expect(told == events)
        let report = journal.guardReport
        #expect(report.isDemoted)
        #expect(report.demotions == 2 && report.restorations == 1 && report.relearnings == 1)
    }
}
