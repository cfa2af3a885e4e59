import Glibc
import PathTelemetry
import PathTransport
import Testing

@testable import Pathwise

/// Counting bytes of paths with caps: restarts, several processes, ends of periods, edited files.
struct UsageTests {
    private let folder = Folders()

    private func day(_ text: String) throws -> LocalDay { try #require(LocalDay(text)) }

    private func counter(
        _ cap: UInt64, _ period: ByteCap.Period = .month, on today: String
    ) throws -> UsageCounter {
        try UsageCounter(
            ["lte": ByteCap(bytes: cap, period: period)], folder: folder.path, today: day(today),
            now: .zero)
    }

    /// Counters of a path with payload of so many bytes and no packets, so without headers.
    private func paths(_ sent: UInt64, _ received: UInt64 = 0, id: Int = 0) -> [PathCounters] {
        var statistics = PathStatistics()
        statistics.bytesSent = sent
        statistics.bytesReceived = received
        return [
            PathCounters(
                path: PathID(id), name: "lte", state: .active, statistics: statistics,
                remote: .loopback(port: 1))
        ]
    }

    private func after(_ seconds: Double) -> Instant { .zero + TimeDelta(seconds: seconds) }

    @Test func headersCountForEachPacket() {
        var statistics = PathStatistics()
        statistics.bytesSent = 1_000
        statistics.packetsSent = 10
        statistics.bytesReceived = 2_000
        statistics.packetsReceived = 5
        let four = PathCounters(
            path: PathID(0), name: "a", state: .active, statistics: statistics,
            remote: .loopback(port: 1))
        #expect(four.wireBytesSent == 1_280)
        #expect(four.wireBytesReceived == 2_140)
    }

    /// The cap is counted over restarts and over both directions, and a new month begins at zero.
    @Test func aMonthOverRestarts() throws {
        var first = try counter(1_000_000, on: "2026-11-29")
        #expect(first.take(paths(300_000, 100_000), today: try day("2026-11-29"), now: .zero) == [])
        #expect(first.uses(on: try day("2026-11-29")).first?.used == 400_000)
        #expect(first.flush(now: .zero) == [])
        var second = try counter(1_000_000, on: "2026-11-30")
        #expect(second.uses(on: try day("2026-11-30")).first?.used == 400_000)
        #expect(second.take(paths(200_000), today: try day("2026-11-30"), now: .zero) == [])
        let changes = second.take(paths(700_000), today: try day("2026-11-30"), now: .zero)
        guard case .reached(let use) = changes.first else {
            Issue.record("no change: \(changes)")
            return
        }
        #expect(use.used == 1_100_000)
        #expect(use.renews == "2026-12-01")
        #expect(changes.count == 1)
        #expect(
            "\(changes[0])" == "path lte has reached its cap (1.1 MB of 1 MB a month): "
                + "it is standby until 2026-12-01")
        #expect(second.take(paths(800_000), today: try day("2026-11-30"), now: .zero) == [])
        let renewed = second.take(paths(810_000), today: try day("2026-12-01"), now: .zero)
        guard case .renewed(let next) = renewed.first else {
            Issue.record("no change: \(renewed)")
            return
        }
        #expect(next.used == 10_000)
        #expect(next.renews == "2027-01-01")
        // A third start, in the new month, knows both.
        #expect(second.flush(now: .zero) == [])
        let third = try counter(1_000_000, on: "2026-12-01")
        #expect(third.uses(on: try day("2026-12-01")).first?.used == 10_000)
        #expect(third.uses(on: try day("2026-11-30")).first?.used == 1_200_000)
    }

    /// The user is told at 80 % once, and at the cap once; a restart tells again.
    @Test func eightyPercentAreTold() throws {
        let today = try day("2026-11-29")
        var counter = try counter(1_000_000, on: "2026-11-29")
        #expect(counter.take(paths(799_999), today: today, now: .zero) == [])
        let near = counter.take(paths(800_000), today: today, now: .zero)
        #expect(
            near.map { "\($0)" } == [
                "path lte has used 80 % of its cap (800 kB of 1 MB a month): at the cap it is "
                    + "standby until 2026-12-01"
            ])
        #expect(counter.take(paths(900_000), today: today, now: .zero) == [])
        let reached = counter.take(paths(1_000_000), today: today, now: .zero)
        #expect(reached.map { "\($0)".contains("has reached its cap") } == [true])
        _ = counter.flush(now: .zero)
        var again = try self.counter(1_200_000, on: "2026-11-29")
        guard case .nearing(let use)? = again.take([], today: today, now: .zero).first else {
            Issue.record("a restart at 83 % says nothing")
            return
        }
        #expect(use.used == 1_000_000)
    }

    /// A hard cap asks for the removal of a path, also if it is not there, until the period ends.
    @Test func aHardCapStopsAPath() throws {
        let today = try day("2026-11-29")
        var counter = try UsageCounter(
            ["lte": ByteCap(bytes: 1_000, isHard: true)], folder: folder.path, today: today,
            now: .zero)
        #expect(counter.stopped.isEmpty)
        let changes = counter.take(paths(1_000), today: today, now: .zero)
        #expect(
            changes.map { "\($0)" } == [
                "path lte has reached its cap (1 kB of 1 kB a month): it is stopped until 2026-12-01"
            ])
        #expect(counter.stopped == ["lte"])
        let stop = UsageWish(name: "lte", isHard: true, isHeld: true)
        #expect(counter.wishes(for: paths(1_000)) == [stop])
        #expect(counter.wishes(for: []).isEmpty)
        counter.beginSession()
        #expect(counter.wishes(for: []) == [stop], "in the next session too")
        let next = try day("2026-12-01")
        _ = counter.take([], today: next, now: .zero)
        #expect(
            counter.wishes(for: []) == [UsageWish(name: "lte", isHard: true, isHeld: false)])
        #expect(counter.stopped.isEmpty)
        // A session that was made before midnight without the path, and is followed from then on.
        counter.beginSession(without: ["lte"])
        #expect(
            counter.wishes(for: []) == [UsageWish(name: "lte", isHard: true, isHeld: false)])
        counter.beginSession()
        #expect(counter.wishes(for: []).isEmpty)
    }

    /// The bytes of a client are counted over restarts of its server.
    @Test func aClientOverRestarts() throws {
        let clock = LocalClock.system
        let cap = ByteCap(bytes: 1_000_000, period: .month)
        let place = folder.file("state/client-usage")
        let first = try ClientMeter("van", cap, place, clock)
        #expect(first.add(500_000) == [])
        #expect(first.close() == [])
        let second = try ClientMeter("van", cap, place, clock)
        #expect(second.use.used == 500_000)
        #expect(second.add(300_000).count == 1)
        #expect(second.add(0) == [])
        guard case .reached(let use)? = second.add(200_000).first else {
            Issue.record("the cap was not reached")
            return
        }
        #expect(use.used == 1_000_000 && use.isReached)
        // A killed process loses less than 256 kB.
        let third = try ClientMeter("van", cap, place, clock)
        #expect(third.use.used > 1_000_000 - UsageCounter.flushBytes)
        #expect(try ClientMeter("home", cap, place, clock).use.used == 0)
        write(Array("x\n".utf8), to: place + "/home")
        #expect(throws: UsageError.self) { try ClientMeter("home", cap, place, clock) }
    }

    /// A path is made standby while its cap is reached, also when it comes back as a new path.
    @Test func aReachedPathIsHeld() throws {
        var counter = try counter(1_000, on: "2026-11-29")
        let today = try day("2026-11-29")
        _ = counter.take(paths(999), today: today, now: .zero)
        #expect(counter.wishes(for: paths(999)).isEmpty)
        _ = counter.take(paths(1_000), today: today, now: .zero)
        #expect(counter.wishes(for: paths(1_000)).map(\.isHeld) == [true])
        var held = paths(1_000)
        held[0].state = .standby
        #expect(counter.wishes(for: held).isEmpty)
        #expect(counter.wishes(for: paths(1_000)).map(\.isHeld) == [true])
        let next = try day("2026-12-01")
        _ = counter.take(held, today: next, now: .zero)
        #expect(counter.wishes(for: held).map(\.isHeld) == [false])
        // Standby by the user's choice stays: it was not made so by the cap.
        #expect(counter.wishes(for: held).isEmpty)
    }

    /// Two processes on one path add up, and each learns what the other has counted.
    @Test func twoProcessesAddUp() throws {
        var one = try counter(10_000_000, on: "2026-11-29")
        var two = try counter(10_000_000, on: "2026-11-29")
        let today = try day("2026-11-29")
        for step in 1...20 {
            let bytes = UInt64(step) * 100_000
            _ = one.take(paths(bytes), today: today, now: .zero)
            _ = two.take(paths(0, bytes), today: today, now: .zero)
        }
        _ = one.flush(now: .zero)
        _ = two.flush(now: .zero)
        _ = one.flush(now: .zero)
        #expect(one.uses(on: today).first?.used == 4_000_000)
        #expect(two.uses(on: today).first?.used == 4_000_000)
    }

    /// What is not in the file is at most 256 kB, or ten seconds old.
    @Test func aKilledProcessLosesLittle() throws {
        var counter = try counter(1_000_000_000, on: "2026-11-29")
        let today = try day("2026-11-29")
        var sent: UInt64 = 0
        for step in 1...100 {
            sent += 50_000
            _ = counter.take(paths(sent), today: today, now: after(Double(step) / 100))
            let stored = try self.counter(1, on: "2026-11-29").uses(on: today).first?.used ?? 0
            #expect(sent - stored < UsageCounter.flushBytes, "after \(sent)")
        }
        sent += 10
        _ = counter.take(paths(sent), today: today, now: after(10.9))
        _ = counter.take(paths(sent), today: today, now: after(11.1))
        #expect(try self.counter(1, on: "2026-11-29").uses(on: today).first?.used == sent)
    }

    /// A clock that is set back finds the counts of its day, and nothing is lost.
    @Test func theClockIsSetBackAndForward() throws {
        var counter = try counter(1_000_000, .day, on: "2026-11-29")
        let (before, real) = (try day("2020-01-01"), try day("2026-11-29"))
        _ = counter.take(paths(100), today: real, now: .zero)
        _ = counter.take(paths(150), today: before, now: .zero)
        _ = counter.take(paths(170), today: real, now: .zero)
        #expect(counter.flush(now: .zero) == [])
        #expect(counter.uses(on: real).first?.used == 120)
        #expect(counter.uses(on: before).first?.used == 50)
    }

    /// A session that follows, and a path that was added again, count from zero.
    @Test func newCountersAreAdded() throws {
        var counter = try counter(1_000_000, on: "2026-11-29")
        let today = try day("2026-11-29")
        _ = counter.take(paths(100, 10), today: today, now: .zero)
        _ = counter.take(paths(40, 10), today: today, now: .zero)
        #expect(counter.uses(on: today).first?.used == 160)
        counter.beginSession()
        _ = counter.take(paths(45, 10), today: today, now: .zero)
        #expect(counter.uses(on: today).first?.used == 215)
        _ = counter.take(paths(5, 0, id: 3), today: today, now: .zero)
        #expect(counter.uses(on: today).first?.used == 220)
    }

    /// A person may write the file; it keeps its counts and gets its usual form.
    @Test func anEditedFile() throws {
        let file = folder.file("lte")
        write(Array("pathwise-usage 1\n2026-11-02 12000000000 5\n2026-10-31 7 7\n".utf8), to: file)
        var counter = try counter(50_000_000_000, on: "2026-11-29")
        let today = try day("2026-11-29")
        #expect(counter.uses(on: today).first?.used == 12_000_000_005)
        _ = counter.take(paths(3), today: today, now: .zero)
        #expect(counter.flush(now: .zero) == [])
        let text = String(decoding: try #require(content(of: file)), as: UTF8.self)
        #expect(
            text == "pathwise-usage 1\n2026-11-02 00000000012000000000 00000000000000000005\n"
                + "2026-10-31 00000000000000000007 00000000000000000007\n"
                + "2026-11-29 00000000000000000003 00000000000000000000\n")
        #expect(Folders.names(folder.path) == ["lte"])
    }

    /// A wrong file is refused with its line, and bytes count in memory if it becomes wrong later.
    @Test func aWrongFile() throws {
        let file = folder.file("lte")
        let wrong: [(String, Int)] = [
            ("usage\n", 1), ("pathwise-usage 1", 1), ("pathwise-usage 1\n2026-11-29 1\n", 2),
            ("pathwise-usage 1\n2026-11-31 1 1\n", 2),
            ("pathwise-usage 1\n2026-11-29 1 99999999999999999999\n", 2),
            ("pathwise-usage 1\n2026-11-29 1 1\n2026-11-29 1 1\n", 3),
            ("pathwise-usage 1\n2026-11-29 1 1\n2026-11-30 1 1", 3),
            ("pathwise-usage 1\n\n", 2), ("pathwise-usage 1\n2026-11-29 -1 1\n", 2),
        ]
        for (text, line) in wrong {
            write(Array(text.utf8), to: file)
            #expect(throws: UsageError.self, "\(text)") { try self.counter(1, on: "2026-11-29") }
            do { _ = try self.counter(1, on: "2026-11-29") } catch {
                #expect("\(error)".hasPrefix("\(file), line \(line): "), "\(error)")
            }
        }
        write([], to: file)
        var counter = try counter(1_000, on: "2026-11-29")
        let today = try day("2026-11-29")
        write(Array("x\n".utf8), to: file)
        _ = counter.take(paths(10), today: today, now: .zero)
        let changes = counter.flush(now: .zero)
        #expect(changes.count == 1)
        #expect(
            changes.first.map { "\($0)" }?.hasPrefix("bytes of path lte are not stored") == true)
        #expect(counter.flush(now: .zero) == [], "told once")
        #expect(counter.take(paths(2_000), today: today, now: .zero).count == 1, "the cap holds")
        write([], to: file)
        #expect(counter.flush(now: .zero) == [])
        #expect(try self.counter(1, on: "2026-11-29").uses(on: today).first?.used == 2_000)
    }

    /// Numbers stop at the largest one, and a file has at most 400 days.
    @Test func limits() throws {
        let file = folder.file("lte")
        write(Array("pathwise-usage 1\n2026-11-29 \(UInt64.max) 5\n".utf8), to: file)
        var counter = try counter(100, on: "2026-11-29")
        let today = try day("2026-11-29")
        #expect(counter.uses(on: today).first?.used == .max)
        _ = counter.take(paths(10), today: today, now: .zero)
        #expect(counter.flush(now: .zero) == [])
        #expect(counter.uses(on: today).first?.used == .max)
        let start: Int64 = 1_800_000_000
        func at(_ number: Int) -> LocalDay {
            LocalDay(at: start + Int64(number) * 86_400, offset: 0)
        }
        let lines = (0..<450).map { "\(at($0)) 1 0\n" }
        write(Array(("pathwise-usage 1\n" + lines.joined()).utf8), to: folder.file("many"))
        let days = try UsageFile(path: folder.file("many")).add(.init(), on: at(449))
        #expect(days.count == 400)
        #expect(days.keys.min() == at(50))
    }

    /// What root writes must not follow a link of another user, so a folder in a state folder of somebody
    /// else is refused before anything is made.
    @Test(.enabled(if: geteuid() == 0, "needs root"))
    func foldersOfOtherUsersAreRefused() throws {
        let state = folder.file("state")
        let target = folder.file("target")
        try #require(mkdir(state, 0o700) == 0 && mkdir(target, 0o700) == 0)
        try #require(symlink(target, state + "/usage") == 0)
        try #require(chown(state, 12_345, 12_345) == 0)
        let limit = ByteCap(bytes: 1_000, period: .day)
        let cap = ["lte": limit]
        let refusal = UsageError.foreign(path: state + "/usage", owner: 12_345)
        #expect(throws: refusal) {
            try UsageMeter(caps: cap, folder: state + "/usage") { _ in }
        }
        #expect(throws: UsageError.foreign(path: state + "/client-usage", owner: 12_345)) {
            try ClientMeter(name: "van", cap: limit, folder: state + "/client-usage")
        }
        #expect(HistoryFolder.file(state: state, "forward", nil) == nil)
        #expect(Folders.names(target) == [] && Folders.names(state) == ["usage"])
        #expect("\(refusal)".contains("belongs to the user with the number 12345"))
        // The folder itself may be in the hands of another one.
        try #require(chown(state, 0, 0) == 0 && unlink(state + "/usage") == 0)
        try #require(mkdir(state + "/usage", 0o700) == 0)
        try #require(chown(state + "/usage", 12_345, 12_345) == 0)
        #expect(throws: refusal) {
            try UsageMeter(caps: cap, folder: state + "/usage") { _ in }
        }
        try #require(chown(state + "/usage", 0, 0) == 0)
        _ = try UsageMeter(caps: cap, folder: state + "/usage") { _ in }
        #expect(Folders.names(state + "/usage") == ["lte"])
    }

    /// Counters are read again before more than is written at once has moved, at up to 200 Mbit/s.
    @Test func thePaceFollowsTheRate() {
        var pace = CountingPace()
        for (rate, least, most) in [
            (0.0, 200, 200), (25e6, 5, 6), (1.25e6, 90, 110), (0, 200, 200),
        ] {
            var pause = Duration.zero
            for _ in 0..<20 {
                pause = pace.pause(after: UInt64(rate * TimeDelta(pause).seconds))
            }
            #expect(
                (Duration.milliseconds(least)...Duration.milliseconds(most)).contains(pause),
                "\(rate): \(pause)")
        }
    }
}
