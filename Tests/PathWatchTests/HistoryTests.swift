import Glibc
import PathTelemetry
import Testing

@testable import PathWatch

/// The ring of 24 hours: what is written comes back, and damage is never believed.
struct HistoryTests {
    private func value(
        sent: Float, _ state: HistoryValue.State = .working, roundTrip: Float = 20
    ) -> HistoryValue {
        var value = HistoryValue()
        value.sent = sent
        value.received = sent / 2
        value.packets = 10
        value.lost = 1
        value.roundTrip = roundTrip
        value.state = state
        return value
    }

    /// A moment at which a step of every width begins.
    private static let start = 1_800_000_000 / 86_400 * 86_400

    @Test func whatIsAddedComesBack() throws {
        let folder = Folder()
        var history = try History(file: folder.file("ring"))
        var isWritten = true
        for second in 0..<600 {
            history.add("dsl", value(sent: 100), now: Self.start + second)
            if second < 300 {
                history.add("lte", value(sent: 7, .standby), now: Self.start + second)
            }
            isWritten = history.advance(now: Self.start + second) && isWritten
        }
        #expect(isWritten)
        func check(_ history: inout History) {
            let (start, step, lines) = history.read(
                seconds: 600, points: 60, now: Self.start + 599)
            #expect(start == Self.start && step == 10)
            #expect(lines.map(\.name) == ["dsl", "lte"])
            #expect(lines[0].values.map(\.sent) == [Float](repeating: 1000, count: 60))
            #expect(lines[1].values.map(\.sent).reduce(0, +) == 2100)
            #expect(lines[1].values[29].state == .standby)
            #expect(lines[1].values[30].state == .unknown)
            #expect(lines[0].values[5].lost == 10 && lines[0].values[5].packets == 100)
            // Fewer points: each has the sum of its steps.
            let coarse = history.read(seconds: 600, points: 10, now: Self.start + 599)
            #expect(coarse.step == 60 && coarse.lines[0].values.map(\.sent).reduce(0, +) == 60_000)
        }
        check(&history)
        history.close()
        var again = try History(file: folder.file("ring"))
        check(&again)
        again.close()
    }

    @Test func theRingHasTheLatestDay() throws {
        let folder = Folder()
        var history = try History(file: folder.file("ring"))
        // Two days and a bit, one call for each step.
        for step in 0..<2 * 8640 + 7 {
            let now = Self.start + step * 10
            history.add("p", value(sent: Float(step)), now: now)
            history.advance(now: now)
        }
        let end = Self.start + (2 * 8640 + 6) * 10
        let (_, step, lines) = history.read(seconds: 1_000_000, points: 1_000_000, now: end)
        #expect(step == 60)
        let sums = lines[0].values.map(\.sent)
        let exact = (8640 + 7..<2 * 8640 + 7).reduce(0) { $0 + Float($1) }
        #expect(abs(sums.reduce(0, +) / exact - 1) < 0.001)
        var size = stat()
        #expect(stat(folder.file("ring"), &size) == 0 && size.st_size < 3_500_000)
        history.close()
    }

    @Test func pathsBeyondTheColumnsShareOne() throws {
        let folder = Folder()
        var history = try History(file: folder.file("ring"))
        for number in 0..<40 { history.add("p\(number)", value(sent: 1), now: Self.start) }
        let lines = history.read(seconds: 60, points: 6, now: Self.start).lines
        #expect(lines.count == HistoryFile.columns)
        #expect(lines.last?.name == "(others)")
        #expect(lines.flatMap(\.values).map(\.sent).reduce(0, +) == 40)
        // After a day without those paths, their columns go to others, and are empty then.
        let later = Self.start + 90_000
        history.add("new", value(sent: 5), now: later)
        let found = history.read(seconds: 86_400, points: 1, now: later).lines
        #expect(found.map(\.name) == ["new"] && found[0].values[0].sent == 5)
        let long = String(repeating: "ä", count: 200)
        history.add(long, value(sent: 2), now: later)
        let cut = history.read(seconds: 60, points: 1, now: later).lines.map(\.name)
        #expect(cut.contains(String(repeating: "ä", count: 23)))
        history.close()
    }

    @Test func oneProcessAtATimeHasTheFile() throws {
        let folder = Folder()
        let path = folder.file("ring")
        var one = try History(file: path)
        #expect(throws: WatchError.inUse(path)) { _ = try History(file: path) }
        one.close()
        var two = try History(file: path)
        two.close()
    }

    /// Damaged files: they are begun again, or numbers that nobody can have written are left out.
    @Test func damageIsNotBelieved() throws {
        let folder = Folder()
        let path = folder.file("ring")
        var generator = SeededGenerator(seed: 9)
        for round in 0..<60 {
            var history = try History(file: path)
            for second in 0..<120 {
                history.add("a", value(sent: 3), now: Self.start + second)
                history.add("b\(second % 5)", value(sent: 4), now: Self.start + second)
            }
            history.close()
            let file = open(path, O_RDWR)
            for _ in 0..<200 {
                let place = generator.next() % (round % 2 == 0 ? 700 : 12_000)
                var byte = UInt8(truncatingIfNeeded: generator.next())
                pwrite(file, &byte, 1, off_t(place))
            }
            if round % 7 == 0 { ftruncate(file, off_t(generator.next() % 9000)) }
            close(file)
            var damaged = try History(file: path)
            let lines = damaged.read(seconds: 300, points: 30, now: Self.start + 130).lines
            for number in lines.flatMap(\.values).flatMap({ [$0.sent, $0.roundTrip, $0.late] }) {
                #expect(number.isFinite && number >= 0)
            }
            damaged.add("c", value(sent: 1), now: Self.start + 130)
            damaged.close()
            unlink(path)
        }
    }

    @Test func aClockThatJumpsBackIsTaken() throws {
        let folder = Folder()
        var history = try History(file: folder.file("ring"))
        history.add("a", value(sent: 1), now: Self.start + 5000)
        history.add("a", value(sent: 2), now: Self.start)
        history.advance(now: 0)
        let lines = history.read(seconds: 60, points: 6, now: Self.start).lines
        #expect(lines[0].values.map(\.sent).reduce(0, +) == 2)
        history.close()
    }
}
