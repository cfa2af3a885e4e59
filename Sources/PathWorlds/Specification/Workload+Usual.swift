import PathSimulation
public import PathTelemetry

extension Workload {
    /// Messages from client to server at even intervals.
    ///
    /// - Parameters:
    ///   - name: one word, for tables.
    ///   - size: bytes of a message.
    ///   - deadline: time from sending after which a message is useless.
    ///   - start: when the first is sent.
    ///   - stop: when no more are sent.
    public static func messages(
        named name: String, size: Int, interval: TimeDelta, deadline: TimeDelta, start: TimeDelta,
        stop: TimeDelta
    ) -> Workload {
        Workload(
            name: name, direction: .forward, start: start, stop: stop,
            kind: .messages(MessageLoad(size: size, interval: interval, deadline: deadline)))
    }

    /// One transfer from client to server.
    ///
    /// - Parameters:
    ///   - name: one word, for tables.
    ///   - bytes: its size.
    ///   - start: when it begins.
    public static func transfer(named name: String, bytes: Int, start: TimeDelta) -> Workload {
        Workload(
            name: name, direction: .forward, start: start, stop: start + .milliseconds(1),
            kind: .transfers(TransferLoad(sizes: [bytes], think: .zero)))
    }

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
