import Testing

@testable import PathWatch

/// The text of metrics, and counters that never fall.
struct MetricsTests {
    @Test func textHasTheFormatOfPrometheus() {
        var text = MetricsText()
        text.begin("a_total", .counter, "How many.")
        text.add(MetricsText.Labels([("peer", "van"), ("path", "l\"te\\\n")]), 12)
        text.add(.none, nil)
        text.begin("b", .gauge, "What.")
        for value in [0.25, -3, 1e18, .infinity, .nan] { text.add(.none, value) }
        #expect(
            String(decoding: text.bytes, as: UTF8.self) == """
                # HELP a_total How many.
                # TYPE a_total counter
                a_total{peer="van",path="l\\"te\\\\\\\\x0a"} 12
                # HELP b What.
                # TYPE b gauge
                b 0.25
                b -3
                b 1e+18
                b +Inf
                b NaN

                """)
    }

    @Test func sumsNeverFall() {
        var ledger = CounterLedger<Int, String>(limit: 2, rest: "rest")
        let first = ledger.take(1, "van", [10, 1])
        let second = ledger.take(1, "van", [15, 1])
        // The path came back: it counts from zero again.
        let third = ledger.take(1, "van", [3, 0])
        #expect([first, second, third] == [[10, 1], [5, 0], [3, 0]])
        #expect(ledger.sums["van"] == [18, 1])
        // A second session of the same peer, after the first has ended.
        ledger.forget { $0 == 1 }
        ledger.take(2, "van", [7, 7])
        #expect(ledger.sums["van"] == [25, 8])
        // A number that is used again begins at zero, as its source was forgotten.
        ledger.take(1, "van", [1, 0])
        #expect(ledger.sums["van"] == [26, 8])
        ledger.take(3, "bus", [1, 1])
        ledger.take(4, "car", [2, 2])
        ledger.take(5, "tram", [3, 3])
        #expect(ledger.sums.count == 3)
        #expect(ledger.sums["rest"] == [5, 5])
    }

    /// Packets that others overtook count as lost until they arrive: that is no new beginning.
    @Test func anEstimateMayFall() {
        var ledger = CounterLedger<Int, String>(limit: 2, rest: "rest", corrected: 1)
        let first = ledger.take(1, "van", [100, 3])
        let second = ledger.take(1, "van", [120, 1])
        let third = ledger.take(1, "van", [130, 4])
        #expect([first, second, third] == [[100, 3], [20, 0], [10, 1]])
        #expect(ledger.sums["van"] == [130, 4])
        // All fall: the source began again.
        #expect(ledger.take(1, "van", [7, 2]) == [7, 2])
        #expect(ledger.sums["van"] == [137, 6])
    }
}
