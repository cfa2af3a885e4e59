import Glibc
import PathTelemetry
import Testing

@testable import PathSimulation
@testable import PathTransport

/// Links follow recorded delays, with the losses of the recording.
@Suite struct RecordedDelayTests {
    @Test func betweenSamples() throws {
        let series = try #require(
            DelaySeries(interval: .milliseconds(200), samples: [10, 30, .nan, 50]))
        func at(_ milliseconds: Int64) -> (lost: Bool, delay: Double) {
            let time = milliseconds * 1_000_000
            return (series.isLost(at: time), series.delay(at: time))
        }
        #expect(at(0) == (false, 10) && at(100) == (false, 20) && at(200) == (false, 30))
        // The half of an interval before and after the lost sample.
        #expect(at(299) == (false, 30) && at(300).lost && at(499).lost)
        #expect(at(500) == (false, 50) && at(600) == (false, 50))
        // It begins again, from the last sample to the first.
        #expect(
            at(700) == (false, 30) && at(800) == (false, 10) && at(8 * 800 + 100) == (false, 20))
    }

    @Test func packetsOfALink() throws {
        var parameters = LinkParameters()
        parameters.delayMilliseconds = 5
        parameters.recordedDelay = DelaySeries(
            interval: .milliseconds(100), samples: [20, 40, .nan, 60])
        var link = Link(parameters, seed: 1, path: 0, direction: .forward)
        for (offered, arrives) in [(0, 25), (50, 85), (100, 145), (170, nil), (310, 371)]
            as [(Int64, Int64?)]
        {
            let now = Instant.zero + .milliseconds(offered)
            let result = link.handleSend(bytes: 100, token: 0, now: now)
            guard let arrives else {
                #expect(result == .dropped(.loss))
                continue
            }
            let delivery = link.popDelivery(now: .zero + .milliseconds(arrives))
            #expect(delivery?.time == .zero + .milliseconds(arrives), "\(offered)")
        }
    }

    @Test(
        arguments: [
            ("interval 50ms\n10\nlost\n\n# comment\n12.5", nil), ("ten", 1), ("10\n-1", 2),
            ("10\ninterval 50ms", 2), ("interval fifty\n1", 1), ("lost\nlost", 2), ("", 1),
            ("10\nnan", 2), ("700000", 1),
        ] as [(String, Int?)])
    func files(text: String, line: Int?) throws {
        var template = Array("/tmp/pathwise-delays-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        let file = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(file) }
        #expect(write(descriptor, text, text.utf8.count) == text.utf8.count)
        close(descriptor)
        do throws(SimulationError) {
            let series = try DelaySeries(file: file)
            #expect(line == nil && series.interval == 50_000_000 && series.samples.count == 3)
        } catch {
            guard case .invalidTrace(_, let found, _) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(found == line)
        }
    }
}
