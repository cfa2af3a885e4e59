import PathTelemetry
import Testing

@testable import PathTransport

/// How regularly a path answers.
@Suite struct AnswerRhythmTests {
    private func rhythm(_ answers: [Double], every: Double = 3) -> AnswerRhythm {
        var rhythm = AnswerRhythm()
        for (index, answer) in answers.enumerated() {
            rhythm.handle(
                TimeDelta(seconds: answer / 1000),
                now: Instant.zero + TimeDelta(seconds: 1 + Double(index) * every / 1000))
        }
        return rhythm
    }

    /// A queue that grows by a tenth of a millisecond with each answer is no jump of its whole length.
    @Test func theNextAnswerIsDueAfterTheLastOneAndTheLongestJump() throws {
        let answers = (0..<600).map { 20 + 0.1 * Double($0 % 100) }
        let next = try #require(rhythm(answers).next(usual: .milliseconds(25)))
        #expect(abs(next.milliseconds - 30) < 0.001)
    }

    @Test func nothingIsKnownInTheFirstSecond() {
        let answers = [Double](repeating: 20, count: 300)
        #expect(rhythm(answers).next(usual: .milliseconds(20)) == nil)
        #expect(rhythm(answers + answers).next(usual: .milliseconds(20)) == .milliseconds(20))
    }

    /// A jump of a third of the usual time ends the rhythm for one to two seconds.
    @Test func jumpsEndTheRhythm() {
        let calm = [Double](repeating: 21, count: 340)
        #expect(rhythm(calm + calm + [28]).next(usual: .milliseconds(21)) == nil)
        #expect(rhythm(calm + [28] + calm).next(usual: .milliseconds(21)) == nil)
        #expect(
            rhythm(calm + [28] + calm + calm).next(usual: .milliseconds(21)) == .milliseconds(21))
    }
}
