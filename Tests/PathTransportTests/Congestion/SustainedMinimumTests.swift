import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct SustainedMinimumTests {
    private func minimum(_ milliseconds: [Double], every distance: Double = 2) -> SustainedMinimum {
        var minimum = SustainedMinimum()
        for (index, value) in milliseconds.enumerated() {
            minimum.update(
                TimeDelta(seconds: value / 1000),
                now: .zero + TimeDelta(seconds: Double(index) * distance / 1000))
        }
        return minimum
    }

    /// One early packet does not decide, whatever comes later.
    @Test func oneOutlierDoesNotDecide() {
        let values = minimum([4] + Array(repeating: 46, count: 40) + [9] + [46, 46, 46])
        #expect(values.least == .milliseconds(4))
        #expect(values.value(spread: .milliseconds(30)) == .milliseconds(46))
    }

    /// On a path without jitter the queue of the start is not taken for the path.
    @Test func withoutJitterItStaysNearTheLeast() {
        let values = minimum((0..<40).map { 20 + Double($0) })
        #expect(values.value(spread: .zero) == .microseconds(22_500))
    }

    /// A value that lasts for most of a round trip counts.
    @Test func whatLastsCounts() {
        let values = minimum(
            Array(repeating: 60, count: 20) + Array(repeating: 40, count: 30), every: 6)
        #expect(values.value(spread: .milliseconds(30)) == .milliseconds(40))
    }
}
