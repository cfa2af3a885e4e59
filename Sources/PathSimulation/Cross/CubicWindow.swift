import Glibc

/// The window of CUBIC, in packets: slow start, the cubic and the Reno-friendly region, and fast
/// convergence of RFC 9438; no HyStart.
///
/// It is apart from the controller of the transport, so that a change of that one does not change
/// the worlds in which it is measured.
struct CubicWindow: Sendable {
    /// RFC 9438, sections 4.6 and 5.
    private static let decrease = 0.7
    private static let growth = 0.4
    private static let renoIncrease = 3 * (1 - decrease) / (1 + decrease)

    /// RFC 6928: ten packets at first.
    private(set) var window = 10.0
    private var threshold = Double.infinity
    private var maximum = 0.0
    /// The window before the last decrease.
    private var prior = 0.0
    /// Seconds from the start of an epoch to its plateau.
    private var plateau = 0.0
    private var epoch: Int64?
    private var reno = 0.0
    /// The first packet that was sent after the last decrease.
    private var recoveryEnd = 0

    /// - Parameters:
    ///   - roundTrip: smoothed, nanoseconds.
    mutating func handleAck(number: Int, roundTrip: Double, now: Int64) {
        // No growth before a packet that was sent after the decrease is acknowledged.
        guard number >= recoveryEnd else { return }
        guard window >= threshold else {
            window += 1
            return
        }
        let start = beginEpoch(now)
        let time = Double(now &- start) * 1e-9
        let target = cubic(time + roundTrip * 1e-9)
        reno += (reno < prior ? CubicWindow.renoIncrease : 1) / window
        if cubic(time) < reno {
            window = max(window, reno)
        } else {
            window += (min(max(target, window), 1.5 * window) - window) / window
        }
    }

    private mutating func beginEpoch(_ now: Int64) -> Int64 {
        if let epoch { return epoch }
        epoch = now
        reno = window
        maximum = max(maximum, window)
        plateau = cbrt((maximum - window) / CubicWindow.growth)
        return now
    }

    private func cubic(_ time: Double) -> Double {
        let distance = time - plateau
        return CubicWindow.growth * distance * distance * distance + maximum
    }

    /// Takes a loss or a mark of congestion.
    ///
    /// - Parameter next: the number of the next packet to send.
    mutating func handleLoss(number: Int, next: Int) {
        guard number >= recoveryEnd else { return }
        recoveryEnd = next
        prior = window
        maximum = window < maximum ? window * (1 + CubicWindow.decrease) / 2 : window
        window = max(2, window * CubicWindow.decrease)
        threshold = window
        epoch = nil
    }

    mutating func handleTimeout(next: Int) {
        threshold = max(2, window * CubicWindow.decrease)
        prior = window
        maximum = window
        window = 1
        recoveryEnd = next
        epoch = nil
    }
}
