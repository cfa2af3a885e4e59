import Glibc

@testable import PathSimulation
@testable import PathTelemetry

/// The folder of reference material beside the package, when there is one.
let sharedFolder: String? = {
    if let path = getenv("PATHWISE_SHARED") { return String(cString: path) }
    var parts = #filePath.split(separator: "/")
    while !parts.isEmpty {
        parts.removeLast()
        let candidate = "/" + parts.joined(separator: "/") + "/shared"
        if access(candidate + "/testbed/scenarios.conf", R_OK) == 0 { return candidate }
    }
    return nil
}()

let isSharedAbsent = "needs the reference folder `shared` above the package or PATHWISE_SHARED"

/// How many times the usual number of mutated inputs is tried.
let fuzzScale: Int = {
    guard let text = getenv("PATHWISE_FUZZ"), let scale = Int(String(cString: text)) else {
        return 1
    }
    return max(1, min(scale, 100_000))
}()

func at(_ seconds: Double) -> Instant { Instant.zero + TimeDelta(seconds: seconds) }

func link(
    _ options: String, seed: UInt64 = 1, path: Int = 0, direction: LinkDirection = .forward
) throws -> Link {
    let specification = try LinkSpecification(parsing: options, traceFolder: sharedFolder ?? "")
    return Link(specification[direction], seed: seed, path: path, direction: direction)
}

/// A 64-bit FNV-1a hash of numbers, as little-endian bytes.
struct LogHash: Equatable {
    var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ number: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) {
            value ^= (number >> UInt64(shift)) & 0xff
            value &*= 0x100_0000_01b3
        }
    }
}

/// The output of a link that was offered packets at a constant interval.
struct Run {
    var deliveries: [Link.Delivery] = []
    var link: Link

    /// Offers packets of `payload` bytes every `interval` seconds until `end`, then drains.
    init(_ link: Link, payload: Int = 1472, interval: Double, until end: Double) {
        self.link = link
        var index = 0
        while Double(index) * interval < end {
            let now = at(Double(index) * interval)
            drain(now)
            _ = self.link.handleSend(bytes: payload, token: index, now: now)
            index += 1
        }
        drain(.distantFuture)
    }

    private mutating func drain(_ now: Instant) {
        while let delivery = link.popDelivery(now: now) { deliveries.append(delivery) }
    }

    /// Delivered IP megabits per second between two times.
    func megabits(from start: Double, to end: Double, overhead: Int = 28) -> Double {
        var bytes = 0
        for delivery in deliveries where delivery.time > at(start) && delivery.time <= at(end) {
            bytes += delivery.bytes + overhead
        }
        return Double(bytes) * 8 / (end - start) / 1e6
    }

    /// The longest time between two deliveries, seconds.
    var longestGap: Double {
        zip(deliveries, deliveries.dropFirst()).map { ($1.time - $0.time).seconds }.max() ?? 0
    }
}
