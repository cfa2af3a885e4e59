import Glibc
@testable import PathSimulation
import PathTelemetry
import PathTrace
import PathTransport
import Testing

@testable import PathWorlds

/// What `trace import` writes is a link: its round trips, its losses and its rates.
@Suite struct ImportedLinkTests {
    /// A folder that is removed at the end.
    private final class Folder {
        let path: String

        init() throws {
            var template = Array("/tmp/pathwise-imports-XXXXXX".utf8CString)
            path = try #require(mkdtemp(&template).map { String(cString: $0) })
        }

        func write(_ text: String, to name: String) throws -> String {
            let file = try #require(fopen(path + "/" + name, "w"))
            defer { fclose(file) }
            let bytes = Array(text.utf8)
            #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
            return path + "/" + name
        }

        func importing(_ files: [String], names: [String], to name: String) throws -> String {
            let sources = zip(files, names).map { TraceImporter.Source(file: $0, name: $1) }
            _ = try TraceImporter().run(
                sources, into: path + "/" + name, programVersion: "test", command: "test")
            return path + "/" + name
        }

        deinit {
            for name in ["a.csv", "b.csv", "c.up", "one.trace", "two.trace", "text.trace"] {
                unlink(path + "/" + name)
            }
            rmdir(path)
        }
    }

    /// Every 100 ms; the fourth has no answer, and two are missing.
    private static let pings = """
        unix_s,rtt_ms
        1000.0,20
        1000.101,40
        1000.2,60
        1000.3,timeout
        1000.4,80
        1000.7,30

        """
    private static let later = """
        unix_s,rtt_ms
        1000.2,10
        1000.4,14
        1000.6,18

        """

    private func parameters(_ options: String) throws -> LinkParameters {
        try LinkSpecification(parsing: options).forward
    }

    @Test func roundTrips() throws {
        let folder = try Folder()
        let trace = try folder.importing(
            [try folder.write(ImportedLinkTests.pings, to: "a.csv")], names: ["lte"],
            to: "one.trace")
        let series = try #require(try parameters("delays=\(trace)").recordedDelay)
        #expect(series.interval == 100_000_000)
        // One way is half; what no sample says is as before.
        #expect(series.samples.map { $0.isNaN ? -1 : $0 } == [10, 20, 30, -1, 40, 40, 40, 15])
        let named = try #require(try parameters("delays=\(trace)#lte").recordedDelay)
        #expect(named.samples.count == 8 && named.samples[7] == 15)
        // Packets of a link.
        var link = Link(
            try parameters("delays=\(trace),delay=1"), seed: 1, path: 0, direction: .forward)
        #expect(link.handleSend(bytes: 100, token: 0, now: .zero) == .accepted(copies: 1))
        #expect(link.popDelivery(now: .zero + .seconds(1))?.time == .zero + .milliseconds(11))
    }

    /// Paths of one recording keep their places in time; each has its own interval.
    @Test func severalPaths() throws {
        let folder = try Folder()
        let trace = try folder.importing(
            [
                try folder.write(ImportedLinkTests.pings, to: "a.csv"),
                try folder.write(ImportedLinkTests.later, to: "b.csv"),
            ], names: ["lte", "geo"], to: "two.trace")
        let series = try #require(try parameters("delays=\(trace)#geo").recordedDelay)
        #expect(series.interval == 200_000_000 && series.samples == [5, 5, 7, 9])
        for (name, part) in [("", "lte, geo"), ("#dsl", "'dsl'")] {
            do {
                _ = try parameters("delays=\(trace)\(name)")
                Issue.record("'\(name)' is accepted")
            } catch { #expect("\(error)".contains(part), "\(error)") }
        }
        #expect(throws: SimulationError.self) { try parameters("rates=\(trace)#geo") }
        #expect(throws: SimulationError.self) { try parameters("rate=1,trace=\(trace)") }
    }

    /// 12 Mbit/s for 200 ms, nothing for 100, and 120 for 100 ms.
    @Test func rates() throws {
        var lines = ""
        for time in 1...200 { lines += "\(time)\n" }
        for time in 301...400 { lines += String(repeating: "\(time)\n", count: 10) }
        let folder = try Folder()
        let trace = try folder.importing(
            [try folder.write(lines, to: "c.up")], names: ["cell"], to: "one.trace")
        let series = try #require(try parameters("rates=\(trace)").rateSeries)
        #expect(series.interval == 100_000_000)
        #expect(series.megabits.map { ($0 * 1e6).rounded() / 1e6 } == [12, 12, 0, 120])
        #expect(throws: SimulationError.self) { try parameters("delays=\(trace)") }
        let world = try WorldFileTests.parse(
            WorldFileTests.sound.replacing("rate = \"20mbit\"", with: "rates = \"\(trace)\""))
        #expect(world.links[0].specification.backward.rateSeries == series)
    }

    /// A file that is none, one that is damaged, and a name that nothing has.
    @Test func refusals() throws {
        let folder = try Folder()
        let trace = try folder.write("SQLite format 3\0 and nothing more", to: "text.trace")
        for options in ["delays=\(trace)", "rates=\(trace)", "delays=\(trace)#x", "delays=x#y"] {
            #expect(throws: SimulationError.self) { try parameters(options) }
        }
        do throws(WorldError) {
            _ = try WorldFileTests.parse(
                WorldFileTests.sound.replacing("rtt = \"20ms\"", with: "delays = \"\(trace)\""))
            Issue.record("it is accepted")
        } catch {
            #expect("\(error)".contains("line 7, link[1].delays"), "\(error)")
        }
    }
}
