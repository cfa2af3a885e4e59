import PathTelemetry
import PathTransport
import Testing

@testable import PathForward

/// Openings and results survive the wire, in pieces too; anything else is refused.
@Suite struct OpeningTests {
    static func samples() throws -> [Opening] {
        let options = FlowOptions(
            deadline: .milliseconds(120), flowClass: .media, ordered: .milliseconds(50),
            redundancyPermille: 125)
        let target = try #require(ForwardTarget(host: "studio.example", port: 10_080))
        let local = try #require(ForwardTarget(host: "127.0.0.1", port: 0))
        return [
            .connect(target, FlowOptions()),
            .listen(.udp, on: local, options),
            .accepted(lease: 17, from: target, options),
            .datagrams(.target(target), options),
            .datagrams(.any, FlowOptions(flowClass: .interactive)),
            .datagrams(.lease(1 << 40, source: target), options),
            .enrol(key: try PrivateKey.generate().publicKey, name: "vän"),
        ]
    }

    @Test func openingsSurviveTheWire() throws {
        for opening in try OpeningTests.samples() {
            let bytes = opening.encoded()
            for count in 0..<bytes.count {
                #expect(try Opening.read(bytes.prefix(count)) == nil, "\(opening) at \(count)")
            }
            let read = try #require(try Opening.read(bytes + [1, 2, 3]))
            #expect(read.opening == opening && read.length == bytes.count)
        }
    }

    @Test func connectHasTheDocumentedBytes() throws {
        let target = try #require(ForwardTarget(host: "a.b", port: 443))
        #expect(
            Opening.connect(target, FlowOptions()).encoded()
                == Array("PWF1".utf8) + [1, 0, 17, 3, 0, 15, 66, 64, 0, 0, 0, 0, 0, 100, 1, 187, 3]
                + Array("a.b".utf8))
    }

    @Test func openingsOutOfRangeAreRefused() throws {
        let good = try OpeningTests.samples()[0].encoded()
        let changes: [(at: Int, to: UInt8, why: String)] = [
            (0, 0x51, "no forward"), (3, 0x32, "no forward"), (4, 0, "kind 0"), (4, 6, "kind 6"),
            (5, 5, "bytes"), (7, 4, "kind 1"), (8, 255, "kind 1"), (12, 255, "kind 1"),
            (16, 255, "kind 1"), (20, 0, "kind 1"), (22, 0x20, "kind 1"),
        ]
        for change in changes {
            var bytes = good
            bytes[change.at] = change.to
            let error = #expect(throws: ForwardError.self) { try Opening.read(bytes) }
            #expect("\(error.map { "\($0)" } ?? "")".contains(change.why), "byte \(change.at)")
        }
        #expect(throws: ForwardError.self) { try Opening.read(Array("PWT2".utf8)) }
        #expect(throws: ForwardError.self) { try Opening.read([0x47]) }
    }

    @Test func resultsSurviveTheWire() throws {
        for code in ForwardResult.Code.allCases {
            let result = ForwardResult(code, "10.0.0.5:443")
            let bytes = result.encoded()
            for count in 0..<bytes.count {
                #expect(try ForwardResult.read(bytes.prefix(count)) == nil)
            }
            let read = try #require(try ForwardResult.read(bytes + [9]))
            #expect(read.result == result && read.length == bytes.count)
        }
        let long = ForwardResult(.refused, String(repeating: "x", count: 5000)).encoded()
        #expect(long.count == 1003)
        let hostile = try ForwardResult.read([1, 0, 3, 0x1b, 0x5b, 0xff])
        #expect(hostile?.result.text == "\\x1b[\\xff")
        #expect(throws: ForwardError.self) { try ForwardResult.read([9]) }
        #expect(throws: ForwardError.self) { try ForwardResult.read([0, 4, 0]) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func mutantsAreReadOrRefused(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let samples = try OpeningTests.samples().map { $0.encoded() }
        var (read, refused, incomplete) = (0, 0, 0)
        for _ in 0..<Fuzz.count(20_000) {
            let sample = samples[Fuzz.random(&generator, below: samples.count)]
            let input = Fuzz.mutate(sample, &generator)
            do {
                guard let (opening, length) = try Opening.read(input) else {
                    incomplete += 1
                    continue
                }
                read += 1
                // Whatever was read is valid: it can be sent on.
                #expect(length <= input.count && length <= 7 + Opening.bodyLimit)
                #expect(try Opening.read(opening.encoded())?.opening == opening)
            } catch {
                refused += 1
            }
        }
        #expect(read > 1000 && refused > 1000 && incomplete > 500, "seed \(seed)")
    }
}
