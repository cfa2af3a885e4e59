/// What one path did within one step of the history.
package struct HistoryValue: Hashable, Sendable {
    /// How well a path worked; of several in a step the last one counts.
    package enum State: UInt8, Sendable, CaseIterable {
        /// Nothing is known: the program did not run, or had no such path.
        case unknown
        case working
        /// In reserve.
        case standby
        /// Suspect, failed, or not yet validated.
        case troubled
        /// It does not exist: its interface is down, or its cap is used up.
        case absent
    }

    /// Bytes with the headers of IP and UDP.
    package var sent: Float = 0
    package var received: Float = 0
    /// Smoothed round trip, milliseconds; zero before the first sample.
    package var roundTrip: Float = 0
    /// Packets that were sent, and those that were lost.
    package var packets: Float = 0
    package var lost: Float = 0
    /// Bursts with an outcome, and those that were late.
    package var outcomes: Float = 0
    package var late: Float = 0
    package var state = State.unknown

    package init() {}

    /// Bytes of one value in the file.
    static let size = 32

    /// Adds what happened after this.
    package mutating func add(_ later: HistoryValue) {
        sent += later.sent
        received += later.received
        if later.roundTrip > 0 { roundTrip = later.roundTrip }
        packets += later.packets
        lost += later.lost
        outcomes += later.outcomes
        late += later.late
        if later.state != .unknown { state = later.state }
    }

    // MARK: file

    func write(to bytes: inout [UInt8], at place: Int) {
        let numbers = [sent, received, roundTrip, packets, lost, outcomes, late]
        for (index, number) in numbers.enumerated() {
            LittleEndian.put(number.bitPattern, to: &bytes, at: place + 4 * index)
        }
        LittleEndian.put(UInt32(state.rawValue), to: &bytes, at: place + 28)
    }

    /// Reads a value; numbers that nobody can have written are zero.
    init(_ bytes: [UInt8], at place: Int) {
        func number(_ index: Int) -> Float {
            let value = Float(bitPattern: LittleEndian.get(bytes, at: place + 4 * index))
            return value.isFinite && value > 0 && value < 1e15 ? value : 0
        }
        sent = number(0)
        received = number(1)
        roundTrip = number(2)
        packets = number(3)
        lost = number(4)
        outcomes = number(5)
        late = number(6)
        let code = LittleEndian.get(bytes, at: place + 28)
        state = UInt8(exactly: code).flatMap(State.init(rawValue:)) ?? .unknown
    }
}

/// Numbers of 32 bits in files.
enum LittleEndian {
    static func put(_ value: UInt32, to bytes: inout [UInt8], at place: Int) {
        for index in 0..<4 {
            bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index)))
        }
    }

    static func get(_ bytes: [UInt8], at place: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) }
    }
}
