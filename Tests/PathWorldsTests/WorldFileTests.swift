@testable import PathSimulation
import PathTelemetry
import PathTransport
import Testing

@testable import PathWorlds

/// Worlds are read as written, and what is wrong is named with its line and key.
@Suite struct WorldFileTests {
    static let sound = """
        summary = "Two links."
        duration = "10s"

        [[link]]
        name = "dsl"
        rate = "20mbit"
        rtt = "20ms"
        queue = "100kB"
        price = 2

        [link.up]
        loss = "1%"

        [[link.outage]]
        from = "3s"
        to = "4s"

        [[link]]
        rate = "10mbit"
        delay = "30ms"

        [[link.change]]
        at = "5s"
        rate = "1mbit"
        delay = "60ms"

        [[workload]]
        kind = "messages"
        size = 1200
        interval = "10ms"
        deadline = "100ms"
        class = "interactive"

        [[workload]]
        kind = "transfers"
        direction = "down"
        sizes = ["20kB", "1MB"]
        think = "1s"
        """

    static func parse(_ text: String) throws(WorldError) -> WorldSpecification {
        try WorldFile.parse(text, name: "w", file: "w.toml")
    }

    @Test func everyKeyIsRead() throws {
        let world = try WorldFileTests.parse(WorldFileTests.sound)
        #expect(world.name == "w" && world.summary == "Two links.")
        #expect(world.duration == .seconds(10) && world.warmUp == .seconds(1))
        #expect(world.links.map(\.name) == ["dsl", "p2"])
        #expect(world.links[0].traits.pricePerGB == 2)
        #expect(world.links[0].specification.forward.drawsByTime)
        #expect(world.workloads.map(\.name) == ["messages-1", "transfers-2"])
        #expect(world.workloads.map(\.direction) == [.forward, .backward])
        #expect(world.workloads.map(\.priority) == [.interactive, nil])
        guard case .transfers(let load) = world.workloads[1].kind else {
            Issue.record("no transfers")
            return
        }
        #expect(load.sizes == [20_000, 1_000_000] && load.think == .seconds(1))
    }

    /// The text that replaces a line of the sound world, the line of the error, its key, and a part
    /// of the message.
    static let faults: [(String, String, Int, String, String)] = [
        ("duration = \"10s\"", "", 1, "duration", "missing"),
        ("duration = \"10s\"", "duration = 10", 2, "duration", "with its unit"),
        ("duration = \"10s\"", "duration = \"10 apples\"", 2, "duration", "with its unit"),
        ("duration = \"10s\"", "duration = \"0s\"", 2, "duration", "from 0.1"),
        ("rate = \"20mbit\"", "rate = \"20\"", 6, "link[1].rate", "with its unit"),
        ("rate = \"20mbit\"", "rate = \"1bit\"", 6, "link[1].rate", "1 kbit"),
        ("rate = \"20mbit\"", "rate = 20", 6, "link[1].rate", "in quotes"),
        ("rate = \"20mbit\"", "rat = \"20mbit\"", 6, "link[1].rat", "did you mean 'rate'"),
        (
            "rtt = \"20ms\"", "rtt = \"20ms\"\ndelay = \"5ms\"", 7, "link[1].rtt",
            "delay is there too"
        ),
        ("queue = \"100kB\"", "queue = \"-1kB\"", 8, "link[1].queue", "a size"),
        ("price = 2", "price = \"two\"", 9, "link[1].price", "a number"),
        ("loss = \"1%\"", "loss = \"101%\"", 12, "link[1].up.loss", "a share"),
        ("loss = \"1%\"", "lose = \"1%\"", 12, "link[1].up.lose", "did you mean 'loss'"),
        ("to = \"4s\"", "to = \"2s\"", 16, "link[1].outage[1].to", "later than from"),
        ("to = \"4s\"", "", 15, "link[1].outage[1].from", "from and to"),
        ("rate = \"10mbit\"", "trace = \"none.up\"", 19, "link[2].trace", "none.up'"),
        ("delay = \"30ms\"", "delays = \"none.txt\"", 20, "link[2].delays", "none.txt'"),
        ("delay = \"30ms\"", "delays = \"\"", 20, "link[2].delays", "a file's name"),
        ("loss = \"1%\"", "trace = \"no,ne.up\"", 12, "link[1].up.trace", "no,ne.up'"),
        ("at = \"5s\"", "at = \"0s\"", 23, "link[2].change[1].at", "above zero"),
        ("delay = \"60ms\"", "netem = true", 25, "link[2].change[1].netem", "cannot change"),
        ("delay = \"60ms\"", "trace = \"x\"", 25, "link[2].change[1].trace", "cannot change"),
        ("delay = \"60ms\"", "mtu = 40", 25, "link[2].change[1].mtu", "1228 to 9000"),
        ("delay = \"60ms\"", "mtu = 1227", 25, "link[2].change[1].mtu", "no session can use"),
        ("queue = \"100kB\"", "queue = \"1499B\"", 8, "link[1].queue", "no full packet"),
        ("loss = \"1%\"", "jitter-shape = \"normal\"", 12, "link[1].up.jitter-shape", "jitter too"),
        ("delay = \"60ms\"", "police = \"no\"", 25, "link[2].change[1].police", "a rate"),
        (
            "delay = \"60ms\"", "police-burst = \"2kB\"", 25, "link[2].change[1].police-burst",
            "write police"
        ),
        ("delay = \"60ms\"", "aqm = \"red\"", 25, "link[2].change[1].aqm", "\"codel\""),
        (
            "delay = \"60ms\"", "queue-packets = -1", 25, "link[2].change[1].queue-packets",
            "0 to 1000000"
        ),
        ("kind = \"messages\"", "kind = \"mail\"", 28, "workload[1].kind", "\"messages\""),
        ("kind = \"messages\"", "", 27, "workload[1].kind", "missing"),
        ("size = 1200", "size = 70000", 29, "workload[1].size", "65536"),
        ("interval = \"10ms\"", "", 27, "workload[1].interval", "missing"),
        ("class = \"interactive\"", "class = \"urgent\"", 32, "workload[1].class", "\"media\""),
        ("direction = \"down\"", "direction = \"both\"", 36, "workload[2].direction", "second"),
        ("sizes = [\"20kB\", \"1MB\"]", "sizes = []", 37, "workload[2].sizes", "at least one"),
    ]

    @Test(arguments: WorldFileTests.faults.indices)
    func whatIsWrongIsNamed(index: Int) {
        WorldFileTests.expectNamed(WorldFileTests.faults[index], in: WorldFileTests.sound)
    }

    /// Makes the fault in a sound world, and expects its line, its key and a part of the message.
    static func expectNamed(_ fault: (String, String, Int, String, String), in sound: String) {
        let (old, new, line, key, part) = fault
        #expect(sound.contains(old))
        let text = sound.replacing(old, with: new, maxReplacements: 1)
        do throws(WorldError) {
            _ = try WorldFileTests.parse(text)
            Issue.record("'\(new)' is accepted")
        } catch {
            // A file that is not there, 'no...', is told from one that is wrong.
            let isMissing = part.hasPrefix("no") && part.hasSuffix("'")
            switch error {
            case .invalid(_, let foundLine, let foundKey, let fix) where !isMissing,
                .unreadableInput(_, let foundLine, let foundKey, let fix) where isMissing:
                #expect(foundKey == key && foundLine == line, "\(error)")
                #expect(fix.contains(part), "\(error)")
            default: Issue.record("\(error)")
            }
        }
    }

    /// Every parameter of a link but where its rate comes from can change.
    @Test func everythingChanges() throws {
        let world = try WorldFileTests.parse(
            WorldFileTests.sound.replacing(
                "delay = \"60ms\"",
                with: """
                    delay = "60ms"
                    queue = "20kB"
                    aqm = "codel"
                    police = "5mbit"
                    police-burst = "20kB"
                    mtu = 1300

                    [[link.change]]
                    at = "6s"
                    aqm = "drop-tail"
                    police = "none"
                    mtu = 1500
                    """))
        let link = world.links[1].specification.backward
        #expect(link.rateSteps.map(\.megabits) == [1] && link.phases.count == 1)
        let steps = link.intakeSteps
        #expect(steps.map(\.at) == [.seconds(5), .seconds(6)])
        #expect(link.intake == LinkParameters.Intake())
        #expect(steps[0].intake.queue == .bytes(20_000) && steps[1].intake.queue == .bytes(20_000))
        #expect(steps.map(\.intake.maximumPacket) == [1300, 1500])
        #expect(steps[0].intake.policer == Policer.Settings(megabits: 5, burstBytes: 20_000))
        #expect(steps[0].intake.discipline == .coDel(QueueDiscipline.CoDelSettings()))
        #expect(steps[1].intake.policer == nil && steps[1].intake.discipline == .dropTail)
    }

    @Test func textThatIsNoTOML() {
        #expect(throws: WorldError.self) { try WorldFileTests.parse("duration = = 3") }
        do throws(WorldError) { _ = try WorldFileTests.parse("a = 1\n[[link\n") } catch {
            guard case .syntax(_, let line, _) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(line == 2)
        }
    }

    @Test func aMissingFile() {
        do throws(WorldError) {
            _ = try WorldFile.read("/nowhere/at-all.toml")
            Issue.record("it exists")
        } catch {
            #expect("\(error)".contains("/nowhere/at-all.toml"))
        }
    }

    /// Files with flipped, dropped and repeated bytes and lines are read or refused, never a trap;
    /// what is read also runs.
    @Test(arguments: [WorldFileTests.sound, WorldFileNetworkTests.sound])
    func damagedFiles(sound: String) throws {
        var random = SeededGenerator(seed: 4)
        let count = 4000
        var accepted = 0
        for _ in 0..<count {
            var bytes = Array(sound.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(ascii: "9"), at: place)
                default:
                    let end = min(bytes.count, place + 20)
                    bytes.insert(contentsOf: bytes[place..<end], at: place)
                }
            }
            guard let world = try? WorldFileTests.parse(String(decoding: bytes, as: UTF8.self))
            else { continue }
            accepted += 1
            #expect(!world.links.isEmpty && !world.workloads.isEmpty)
        }
        // Changes of comments, names and digits leave a world.
        #expect(accepted > count / 400 && accepted < count / 2, "\(accepted)")
    }
}
