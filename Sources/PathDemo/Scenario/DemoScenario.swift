public import PathSimulation
public import PathTelemetry
import PathWorlds

/// The scenario for every policy: three different links, their outages, and the data to send.
///
/// The same options give the same world. Times count from the start of the emulation.
public struct DemoScenario: Sendable {
    /// One link, and its characteristics in words.
    public struct DemoLink: Sendable {
        public var specification: LinkSpecification
        /// The specification as an option of `pathwise emulate`.
        public var text: String
        public var summary: String
    }

    /// Seconds from the start of the emulation to the stream, for the handshake and path
    /// validation.
    static let warmUp = 0.6
    /// Seconds from the end of the stream to the file, so that the last messages arrive.
    static let pause = 0.4

    public let seconds: Double
    public let fileBytes: Int
    public let seed: UInt64
    /// The links in the order of the paths' numbers.
    public let links: [DemoLink]

    /// Messages per second, the bytes of each, and their deadline.
    let messageRate = 100
    public let messageBytes = 10_000
    public let deadline = TimeDelta.milliseconds(50)

    /// - Throws: only if the built-in text of the links were wrong.
    public init(_ options: DemoOptions) throws(SimulationError) {
        seconds = options.seconds
        fileBytes = options.fileBytes
        seed = options.seed
        let stream = DemoScenario.warmUp
        let file = stream + options.seconds + DemoScenario.pause
        func time(_ seconds: Double) -> String { NumberText.fixed(seconds, 3) }
        let slow = (stream + 0.15 * options.seconds, stream + 0.4 * options.seconds)
        let away = (stream + 0.5 * options.seconds, stream + 0.8 * options.seconds)
        let awayAgain = (file + 1.2, file + 3.2)
        func link(_ text: String, _ summary: String) throws(SimulationError) -> DemoLink {
            DemoLink(
                specification: try LinkSpecification(parsing: text), text: text, summary: summary)
        }
        links = [
            try link(
                "name=dsl,rate=15,rtt=20,queue=300000b,"
                    + "rate@\(time(slow.0))=1.5,rate@\(time(slow.1))=15",
                "bloated: 15 Mbit/s, 20 ms, a queue of 300 kB; 1.5 Mbit/s for a quarter of the "
                    + "stream"),
            try link(
                "name=wifi,rate=14,rtt=12,queue=100000b,ge=0.02:0.4",
                "lossy: 14 Mbit/s, 12 ms, 4.8 % of packets lost in bursts of 2.5"),
            try link(
                "name=cable,rate=25,rtt=18,queue=100000b,"
                    + "down=\(time(away.0))-\(time(away.1));"
                    + "\(time(awayAgain.0))-\(time(awayAgain.1))",
                "fails: 25 Mbit/s, 18 ms, dead for \(NumberText.short(away.1 - away.0)) s from "
                    + "the middle of the stream, and for 2 s of the file"),
        ]
    }

    /// The same in virtual time.
    var world: WorldSpecification {
        WorldSpecification(
            name: "demo", summary: "", duration: TimeDelta(seconds: fileStart + 12),
            warmUp: .zero, links: links.map(\.specification),
            workloads: [
                .messages(
                    named: "messages", size: messageBytes,
                    interval: TimeDelta(seconds: 1 / Double(messageRate)), deadline: deadline,
                    start: TimeDelta(seconds: DemoScenario.warmUp),
                    stop: TimeDelta(seconds: DemoScenario.warmUp + seconds)),
                .transfer(
                    named: "file", bytes: fileBytes, start: TimeDelta(seconds: fileStart)),
            ])
    }

    /// When the file's transfer begins, seconds.
    var fileStart: Double { DemoScenario.warmUp + seconds + DemoScenario.pause }
    /// Number of messages in one run.
    var messageCount: Int { Int(seconds * Double(messageRate)) }
    /// Bytes of messages and file in one run.
    var payloadBytes: Int { messageCount * messageBytes + fileBytes }
}
