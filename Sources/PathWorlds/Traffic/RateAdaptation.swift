import PathTelemetry
import PathTransport

/// A sender of video that adapts its rate to what arrived in time, by reports of the receiver.
///
/// The rule is the one for loss of Google's congestion control (draft-ietf-rmcat-gcc-02, section 6):
/// up by 5 % while less than 2 % is missing, down by half of the missing share above 10 %. A late
/// frame is missing. The reports are messages of the connection, so they take their time and may be
/// lost; a sender that gets none takes all for missing.
struct RateAdaptation: Sendable {
    static let interval = TimeDelta.milliseconds(500)
    private static let reportBytes = [UInt8](repeating: 0, count: 16)

    /// Share of the full rate at which the sender is.
    private(set) var share = 1.0
    private let leastShare: Double
    /// Reports under way, by their number in the protocol: the missing share.
    private var reports: [UInt64: Double] = [:]
    private(set) var nextReportAt: Instant
    private var latestReportAt: Instant
    /// Frames up to the newest that arrived, at the latest report and now; and those in time.
    private var reported = 0
    private var newest = 0
    private var inTime = 0

    init(leastShare: Double, start: Instant) {
        self.leastShare = leastShare
        nextReportAt = start + RateAdaptation.interval
        latestReportAt = start
    }

    // MARK: receiver

    /// Notes that a frame has arrived.
    mutating func noteArrival(_ place: Int, isLate: Bool) {
        newest = max(newest, place + 1)
        if !isLate { inTime += 1 }
    }

    /// Sends the report that is due.
    ///
    /// - Parameter clock: the clock of this end minus that of the world.
    mutating func report(over connection: inout Connection, now: Instant, clock: TimeDelta) {
        guard nextReportAt <= now else { return }
        nextReportAt = now + RateAdaptation.interval
        // Frames of earlier reports that arrived since may exceed those of this one.
        let frames = newest - reported
        guard frames > 0 else { return }
        let missing = max(0, 1 - Double(inTime) / Double(frames))
        reported = newest
        inTime = 0
        let number = RateAdaptation.reportBytes.withUnsafeBytes {
            try? connection.sendMessage(
                $0, options: MessageOptions(deadline: now + clock + .seconds(1)), now: now + clock)
        }
        if let number { reports[number] = missing }
    }

    // MARK: sender

    /// Takes a report that arrived; false if the message is something else.
    mutating func take(_ number: UInt64, now: Instant) -> Bool {
        guard let missing = reports.removeValue(forKey: number) else { return false }
        adapt(missing, now: now)
        return true
    }

    /// Called before each frame.
    mutating func check(now: Instant) {
        if now - latestReportAt > RateAdaptation.interval * Int64(4) { adapt(1, now: now) }
    }

    private mutating func adapt(_ missing: Double, now: Instant) {
        latestReportAt = now
        if missing > 0.1 {
            share = max(leastShare, share * (1 - 0.5 * missing))
        } else if missing < 0.02 {
            share = min(1, share * 1.05)
        }
    }
}
