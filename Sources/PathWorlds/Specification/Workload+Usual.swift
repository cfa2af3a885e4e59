import PathSimulation
import PathTelemetry

extension Workload {
    /// The workloads that can be given by name alone, instead of those of a world.
    public static let usual: [Workload] = [
        Workload(
            name: "messages", direction: .forward,
            kind: .messages(
                MessageLoad(
                    size: 1200, interval: .microseconds(4800), deadline: .milliseconds(150)))),
        Workload(
            name: "interactive", direction: .forward,
            kind: .messages(
                MessageLoad(
                    size: 64, interval: .milliseconds(250), deadline: .milliseconds(100),
                    arrivals: .poisson))),
        Workload(
            name: "video", direction: .forward,
            kind: .messages(
                MessageLoad(
                    size: 16_667, interval: TimeDelta(seconds: 1 / 30.0),
                    deadline: .milliseconds(120),
                    frames: MessageLoad.Frames(group: 60, factor: 3.5, deviation: 0.2)))),
        Workload(name: "bulk", direction: .forward, kind: .bulk),
        Workload(
            name: "download", direction: .backward, kind: .bulk),
        Workload(
            name: "transfers", direction: .forward,
            kind: .transfers(TransferLoad(sizes: [1_000_000], think: .milliseconds(500)))),
    ]
}
